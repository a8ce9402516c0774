"""The answers of every set against their definition in plain SQL, on random logs, to the bit."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import sql
from psycopg.errors import ObjectNotInPrerequisiteState

from engine import objects
from engine.migrate import MIGRATIONS
from tests.pit.conftest import Scene
from tests.pit.world import World

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
# minutes from a cut to where SYN_AAPL opens and closes on the day before
EDGES = (-570, -180)
# around the clock, a market with sessions, and one that market.instrument does not have
SYMBOLS = ("SYN_BTCUSD", "SYN_AAPL", "SYN_NOWHERE")


@dataclass(frozen=True)
class Set:
    """A set of features. cut: where two chunks of its log meet; every: from bar to bar."""

    name: str
    cut: datetime
    every: timedelta

    @property
    def is_first(self) -> bool:
        """Whether its log has no closes_at."""
        return self.name == "market_1m"

    @property
    def has_sessions(self) -> bool:
        """Whether its bars end when they say, not at the next one."""
        return self.name == "daily"

    @property
    def log(self) -> str:
        """Of the schema feature."""
        return "log" if self.is_first else f"{self.name}_log"

    @property
    def function(self) -> str:
        """What is held to the definition."""
        return f"{'feature' if self.is_first else self.name}_pit_snapshot"

    @property
    def end(self) -> datetime:
        """The last publish: all of the log is known by then but some versions."""
        return self.cut + 150 * self.every


MARKET_1M = Set("market_1m", datetime(2024, 2, 15, tzinfo=UTC), MINUTE)
MOMENTUM_1M = Set("momentum_1m", datetime(2024, 2, 15, tzinfo=UTC), MINUTE)
# of the test's own: the shipped sets have no bars between a minute and a session
FIVE = Set("of_five", datetime(2024, 1, 18, tzinfo=UTC), 5 * MINUTE)
DAILY = Set("daily", datetime(2021, 10, 28, tzinfo=UTC), 6 * HOUR)

MADE = tuple(
    f"functions/feature/{name}"
    for name in ("pit_any", "pit_apart", "pit_branch", "pit_last", "pit_moment", "pit_query")
)
READER = "functions/public/feature_pit_snapshot"
OF_FIVE = """
    insert into market.feature_set
    values ('of_five', '5 minutes', 'of_five', 'of_five', 'market_1m', 0, 0, '')
"""
ITS_FIELDS = """
    insert into market.contract
    select (jsonb_populate_record(c, '{"feature_set": "of_five"}')).*
    from market.contract as c where c.feature_set = 'momentum_1m'
"""
DEFINITION = """
    with pair as (
        select p.place, p.symbol, p.as_of, least(coalesce(p.known, p.as_of), c.published_at) as known
        from unnest(%(symbols)s::text[], %(as_of)s::timestamptz[], %(known)s::timestamptz[])
            with ordinality as p (symbol, as_of, known, place)
        cross join feature.clock as c
    ),

    version as (
        select distinct on (p.place, l.bucket) p.place, p.as_of, {ends} as closed_at, l.*
        from pair as p
        inner join feature.{log} as l on p.symbol = l.symbol
        where
            l.tenant_id = %(tenant)s and l.known_at <= p.known
            and {ends} <= p.as_of
        order by p.place, l.bucket, l.known_at desc
    ),

    bar as (
        select distinct on (v.place) v.*
        from version as v
        where v.{gone} is not null
        order by v.place, v.bucket desc
    ),

    aged as (
        select
            b.*,
            case
                when not exists (
                    select from market.instrument as i
                    inner join market.calendar_session as s on i.calendar_id = s.calendar_id
                    where i.symbol = b.symbol
                ) then b.as_of - b.closed_at
                else coalesce((
                    select sum(least(b.as_of, s.closes_at) - greatest(b.closed_at, s.opens_at))
                    from market.instrument as i
                    cross join lateral market.trading_session(i.calendar_id, b.closed_at, b.as_of) as s
                    where i.symbol = b.symbol and s.opens_at < b.as_of and s.closes_at > b.closed_at
                ), interval '0')
            end as age
        from bar as b
        cross join (
            select max(max_staleness_s) as longest from market.contract where feature_set = {name}
        ) as c
        where b.bucket > b.as_of - interval '31 days' - make_interval(secs => c.longest)
    )

    select
        p.symbol, p.as_of, p.known,
        case when a.age <= c.longest then a.bucket end,
        case when a.age <= c.longest then a.known_at end,
        {values},
        coalesce(a.age > c.shortest, true)
    from pair as p
    cross join (
        select
            make_interval(secs => max(max_staleness_s)) as longest,
            make_interval(secs => min(max_staleness_s)) as shortest
        from market.contract where feature_set = {name}
    ) as c
    left join aged as a on p.place = a.place
    order by p.place
"""  # noqa: E501
VALUE = """
    case when a.age <= (
        select make_interval(secs => t.max_staleness_s) from market.contract as t
        where t.feature_set = {name} and t.field = {text}
    ) then a.{field} end
"""


def fields(world: World, of: Set) -> list[tuple[str, str]]:
    return world.connection.execute(
        "select field, data_type from market.contract where feature_set = %s order by ordinal",
        [of.name],
    ).fetchall()


@contextmanager
def all_of(world: World, of: Set, least: int = 2) -> Iterator[None]:
    """A transaction that is rolled back, in which the set is there.

    least: how many bars' time one field is good for; the others are for 20.
    """
    connection = world.connection
    with connection.transaction(force_rollback=True):
        if of is FIVE:
            texts = {one.path: one.text for one in objects.read(MIGRATIONS)}
            connection.execute("set local check_function_bodies = off")
            for text in (OF_FIVE, ITS_FIELDS, "select feature.make_logs()"):
                connection.execute(text.encode())
            for path in (*MADE, READER):
                connection.execute(texts[path].encode())
        world.set_clock(of.end, of.end)
        second = of.every // timedelta(seconds=1)
        world.set_staleness(20 * second, fields(world, of)[2][0], least * second)
        yield


def bars_of(of: Set, draw: random.Random) -> list[tuple[datetime, datetime]]:
    """With gaps around the cut and long before: start and end."""
    numbers = set(draw.sample(range(-90, 90), 60))
    if of.has_sessions:
        numbers |= {-draw.randrange(90, 300) for _ in range(40)}
    else:
        unit = of.every // MINUTE
        numbers |= {draw.choice(EDGES) // unit + draw.randrange(-30, 30) for _ in range(40)}
        numbers |= {-draw.randrange(90, 50 * 1440 // unit) for _ in range(20)}
    starts = [(of.cut + number * of.every) for number in sorted(numbers)]
    if not of.has_sessions:
        return [(start, start + of.every) for start in starts]
    found = []
    for start in starts:
        opens = start + draw.randrange(3600) * timedelta(seconds=1)
        if draw.random() < 0.2:  # two in one minute
            opens -= timedelta(seconds=opens.second)
            found.append((opens, opens + timedelta(seconds=10)))
            opens += timedelta(seconds=20)
        found.append((opens, opens + draw.randrange(30, 4 * 3600) * timedelta(seconds=1)))
    return found


def random_log(
    world: World, of: Set, tenant: int, draw: random.Random, symbols: Sequence[str]
) -> None:
    """Bars of which some are corrected, some gone, some back."""
    known = fields(world, of)
    columns = ["tenant_id", "symbol", "bucket", "known_at", *(field for field, _ in known), "cause"]
    columns += [] if of.is_first else ["closes_at"]
    insert = sql.SQL("insert into feature.{} ({}) values ({})").format(
        sql.Identifier(of.log),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(sql.Placeholder() * len(columns)),
    )
    later = 150 * (of.every // timedelta(seconds=1))
    rows: list[list[Any]] = []
    for symbol in symbols:
        for bucket, ends in bars_of(of, draw):
            known_at = ends + draw.randrange(later // 100) * timedelta(seconds=1)
            for version in range(draw.choice([1, 1, 1, 2, 4])):
                is_gone = version > 0 and draw.random() < 0.4
                # a bar of the other sets may be there without any value
                share = 0 if of.is_first else draw.choice([0, 0, 0.5, 1])
                values = [
                    None
                    if is_gone or draw.random() < share
                    else "quiet"
                    if kind == "text"
                    else draw.random()
                    for _, kind in known
                ]
                cause = ("cancel" if is_gone else "correction") if version else "close"
                closes = [] if of.is_first else [None if is_gone else ends]
                rows.append([tenant, symbol, bucket, known_at, *values, cause, *closes])
                known_at += draw.choice(
                    [MICROSECOND, MINUTE, draw.randrange(later) * timedelta(seconds=1)]
                )
    with world.connection.cursor() as cursor, world.connection.transaction():
        cursor.executemany(insert, rows)
        cursor.executemany(
            "insert into feature.series (symbol, tenant_id) values (%s, %s) on conflict do nothing",
            [(symbol, tenant) for symbol in symbols],
        )


def random_pairs(
    world: World, of: Set, tenant: int, draw: random.Random, symbols: Sequence[str]
) -> tuple[list[str], list[datetime], list[datetime]]:
    """Unsorted and repeated, at random and at the very moments at which an answer changes."""
    ends = "l.closes_at" if of.has_sessions else sql.Literal(of.every).as_string() + " + l.bucket"
    versions = world.connection.execute(
        f"select symbol, coalesce({ends}, l.bucket), known_at from feature.{of.log} as l"
        " where tenant_id = %s".encode(),
        [tenant],
    ).fetchall()
    asked = []
    for _ in range(250):
        symbol, closes, known_at = draw.choice(versions)
        edge = draw.choice([closes, known_at]) + draw.choice([-1, 0, 1]) * MICROSECOND
        later = draw.randrange(3600) * of.every / 60
        around = of.cut + draw.choice([-1, 1]) * 2.5 * later
        as_of = draw.choice([edge, edge + later, of.cut, around])
        known = draw.choice([known_at, known_at - MICROSECOND, as_of, as_of + later])
        asked += [(draw.choice([symbol, *symbols]), as_of, known)] * draw.choice([1, 1, 2])
    draw.shuffle(asked)
    return [one[0] for one in asked], [one[1] for one in asked], [one[2] for one in asked]


def both(
    world: World, of: Set, tenant: int, pairs: tuple[list[str], list[datetime], list[datetime]],
    is_asked_later: bool, is_named: bool,
) -> tuple[list[Any], list[Any]]:  # fmt: skip
    """What the function answers, and what the definition does."""
    symbols, as_of, known = pairs
    given = {
        "symbols": symbols,
        "as_of": as_of,
        "known": known if is_asked_later else None,
        "tenant": tenant,
    }
    name = sql.Literal(of.name)
    values = sql.SQL(", ").join(
        sql.SQL(VALUE).format(name=name, text=sql.Literal(field), field=sql.Identifier(field))
        for field, _ in fields(world, of)
    )
    ends = "l.bucket + {}" if not of.has_sessions else "coalesce(l.closes_at, l.bucket)"
    definition = sql.SQL(DEFINITION).format(
        values=values,
        name=name,
        log=sql.Identifier(of.log),
        ends=sql.SQL(ends).format(sql.Literal(of.every)),
        gone=sql.Identifier("close" if of.is_first else "closes_at"),
    )
    whose = "%(tenant)s" if is_named else "null"
    found = world.connection.execute(
        f"select * from {of.function}(%(symbols)s::text[], %(as_of)s::timestamptz[],"
        f" %(known)s::timestamptz[], {whose})".encode(),
        given,
    ).fetchall()
    return found, world.connection.execute(definition, given).fetchall()


@pytest.mark.parametrize("storage", ["rows", "columns", "both"])
@pytest.mark.parametrize("of", [MARKET_1M, MOMENTUM_1M, FIVE, DAILY], ids=lambda of: of.name)
def test_any_log_is_answered_as_the_definition_says(scene: Scene, of: Set, storage: str) -> None:
    world, tenant, draw = scene.world, scene.tenant, random.Random(storage)  # noqa: S311
    # one moment's last few bars are answered without a look at their age where none is too old
    with all_of(world, of, 17 if storage == "columns" else 2):
        key = world.connection.execute("select to_regclass(%s)", [f"feature.{of.log}_minute_key"])
        assert (key.fetchone() == (None,)) == of.has_sessions
        random_log(world, of, tenant, draw, SYMBOLS)
        random_log(world, of, Scene(world).tenant, draw, SYMBOLS)
        if storage != "rows":
            world.connection.execute(
                f"select compress_chunk(c) from show_chunks('feature.{of.log}') as c".encode()
            )
        if storage == "both":
            random_log(world, of, tenant, draw, ["SYN_ES"])
            world.connection.execute(f"analyze feature.{of.log}".encode())
        symbols = [*SYMBOLS, "SYN_GC", *(["SYN_ES"] if storage == "both" else [])]
        pairs = random_pairs(world, of, tenant, draw, symbols)
        for is_asked_later in (False, True):
            found, defined = both(world, of, tenant, pairs, is_asked_later, True)
            assert found == defined
            assert len({row[3] for row in found}) > 50
        # where no bar of the last few is stale, one moment is answered without a look at their age
        for least in (2, 17):
            world.set_staleness(
                20 * (of.every // timedelta(seconds=1)),
                fields(world, of)[2][0],
                least * (of.every // timedelta(seconds=1)),
            )
            for few in (1, 3, 12) * 10:
                asked_at = draw.randrange(len(pairs[0]))
                as_of, known = pairs[1][asked_at], pairs[2][asked_at]
                asked = draw.choices(symbols, k=few), [as_of] * few, [known] * few
                found, defined = both(world, of, tenant, asked, True, True)
                assert found == defined
                at_once = world.connection.execute(
                    f"select * from {of.function}(%s::text[], %s::timestamptz, %s, %s)".encode(),
                    [asked[0], as_of, known, tenant],
                ).fetchall()
                assert at_once == defined


@pytest.mark.parametrize("of", [MARKET_1M, MOMENTUM_1M], ids=lambda of: of.name)
def test_series_whose_keys_collide_are_told_apart(scene: Scene, of: Set) -> None:
    """Two names of one tenant with the same 37 bits of hash, found by trying two millions."""
    world, tenant, symbols = scene.world, 990_001, ["SYN_239352", "SYN_1789356"]
    keys = world.connection.execute(
        "select count(distinct feature.bar_key(%s, s, %s)) from unnest(%s::text[]) as s",
        [tenant, of.cut, symbols],
    ).fetchone()
    assert keys == (1,)
    draw = random.Random(1)  # noqa: S311
    with all_of(world, of):
        random_log(world, of, tenant, draw, symbols)
        pairs = random_pairs(world, of, tenant, draw, symbols)
        for is_named in (True, False):
            found, defined = both(world, of, tenant, pairs, True, is_named)
            assert found == defined


def test_without_a_contract_nothing_is_fresh_for_ever(scene: Scene) -> None:
    world, tenant = scene.world, scene.tenant
    with all_of(world, DAILY):
        random_log(world, DAILY, tenant, random.Random(1), ["SYN_AAPL"])  # noqa: S311
        world.connection.execute("delete from market.contract where feature_set = 'daily'")
        with pytest.raises(ObjectNotInPrerequisiteState, match="set daily has no field"):
            world.connection.execute(
                "select * from daily_pit_snapshot(array['SYN_AAPL'], %s::timestamptz)", [DAILY.cut]
            )
