"""feature_pit_snapshot() against its definition in plain SQL, on random logs, to the bit."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import sql

from tests.pit.conftest import Scene
from tests.pit.world import World

# where two chunks of the log meet
CUT = datetime(2024, 2, 15, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MICROSECOND = timedelta(microseconds=1)
# minutes from there to where SYN_AAPL opens and closes on the day before
EDGES = (-570, -180)
# around the clock, a market with sessions, and one that market.instrument does not have
SYMBOLS = ("SYN_BTCUSD", "SYN_AAPL", "SYN_NOWHERE")

DEFINITION = """
    with pair as (
        select p.place, p.symbol, p.as_of, least(coalesce(p.known, p.as_of), c.published_at) as known
        from unnest(%(symbols)s::text[], %(as_of)s::timestamptz[], %(known)s::timestamptz[])
            with ordinality as p (symbol, as_of, known, place)
        cross join feature.clock as c
    ),

    version as (
        select distinct on (p.place, l.bucket) p.place, p.as_of, l.*
        from pair as p
        inner join feature.log as l on p.symbol = l.symbol
        where
            l.tenant_id = %(tenant)s and l.known_at <= p.known
            and l.bucket + interval '1 minute' <= p.as_of
        order by p.place, l.bucket, l.known_at desc
    ),

    bar as (
        select distinct on (v.place) v.*, v.bucket + interval '1 minute' as closed_at
        from version as v
        where v.close is not null
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
        cross join (select max(max_staleness_s) as longest from market.contract) as c
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
        from market.contract
    ) as c
    left join aged as a on p.place = a.place
    order by p.place
"""  # noqa: E501
VALUE = """
    case when a.age <= (
        select make_interval(secs => t.max_staleness_s) from market.contract as t
        where t.field = {name}
    ) then a.{field} end
"""


def fields(world: World) -> list[tuple[str, str]]:
    return world.connection.execute(
        "select field, data_type from market.contract order by ordinal"
    ).fetchall()


def random_log(world: World, tenant: int, draw: random.Random, symbols: Sequence[str]) -> None:
    """Bars with gaps around the cut and long before, some corrected, some gone, some back."""
    columns = ["tenant_id", "symbol", "bucket", "known_at", *(f for f, _ in fields(world)), "cause"]
    insert = sql.SQL("insert into feature.log ({}) values ({})").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(sql.Placeholder() * len(columns)),
    )
    rows: list[list[Any]] = []
    for symbol in symbols:
        minutes = set(draw.sample(range(-90, 90), 60))
        minutes |= {draw.choice(EDGES) + draw.randrange(-30, 30) for _ in range(40)}
        minutes |= {-draw.randrange(90, 50 * 1440) for _ in range(20)}
        for minute in minutes:
            bucket = CUT + minute * MINUTE
            known_at = bucket + MINUTE + draw.randrange(90) * timedelta(seconds=1)
            for version in range(draw.choice([1, 1, 1, 2, 4])):
                is_gone = version > 0 and draw.random() < 0.4
                values = [
                    None if is_gone else "quiet" if kind == "text" else draw.random()
                    for _, kind in fields(world)
                ]
                cause = ("cancel" if is_gone else "correction") if version else "close"
                rows.append([tenant, symbol, bucket, known_at, *values, cause])
                known_at += draw.choice(
                    [MICROSECOND, MINUTE, draw.randrange(9000) * timedelta(seconds=1)]
                )
    with world.connection.cursor() as cursor, world.connection.transaction():
        cursor.executemany(insert, rows)
        cursor.executemany(
            "insert into feature.series (symbol, tenant_id) values (%s, %s) on conflict do nothing",
            [(symbol, tenant) for symbol in symbols],
        )


def random_pairs(
    world: World, tenant: int, draw: random.Random, symbols: Sequence[str]
) -> tuple[list[str], list[datetime], list[datetime]]:
    """Unsorted and repeated, at random and at the very moments at which an answer changes."""
    versions = world.connection.execute(
        "select symbol, bucket, known_at from feature.log where tenant_id = %s", [tenant]
    ).fetchall()
    asked = []
    for _ in range(250):
        symbol, bucket, known_at = draw.choice(versions)
        edge = draw.choice([bucket + MINUTE, known_at]) + draw.choice([-1, 0, 1]) * MICROSECOND
        later = timedelta(seconds=draw.randrange(3600))
        as_of = draw.choice([edge, edge + later, CUT, CUT + draw.choice([-1, 1]) * 2.5 * later])
        known = draw.choice([known_at, known_at - MICROSECOND, as_of, as_of + later])
        asked += [(draw.choice([symbol, *symbols]), as_of, known)] * draw.choice([1, 1, 2])
    draw.shuffle(asked)
    return [one[0] for one in asked], [one[1] for one in asked], [one[2] for one in asked]


def both(
    world: World, tenant: int, pairs: tuple[list[str], list[datetime], list[datetime]],
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
    values = sql.SQL(", ").join(
        sql.SQL(VALUE).format(name=sql.Literal(name), field=sql.Identifier(name))
        for name, _ in fields(world)
    )
    of = "%(tenant)s" if is_named else "null"
    found = world.connection.execute(
        "select * from feature_pit_snapshot(%(symbols)s::text[], %(as_of)s::timestamptz[],"
        f" %(known)s::timestamptz[], {of})".encode(),
        given,
    ).fetchall()
    return found, world.connection.execute(
        sql.SQL(DEFINITION).format(values=values), given
    ).fetchall()


@pytest.mark.parametrize("storage", ["rows", "columns", "both"])
def test_any_log_is_answered_as_the_definition_says(scene: Scene, storage: str) -> None:
    world, tenant, draw = scene.world, scene.tenant, random.Random(storage)  # noqa: S311
    with world.connection.transaction(force_rollback=True):
        # the first publish is after all of it but some versions: nobody knows these yet
        world.set_clock(CUT + 150 * MINUTE, CUT + 150 * MINUTE)
        world.set_staleness(900, "close", 120)
        random_log(world, tenant, draw, SYMBOLS)
        random_log(world, Scene(world).tenant, draw, SYMBOLS)
        if storage != "rows":
            world.connection.execute(
                "select compress_chunk(c) from show_chunks('feature.log') as c"
            )
        if storage == "both":
            random_log(world, tenant, draw, ["SYN_ES"])
            world.connection.execute("analyze feature.log")
        symbols = [*SYMBOLS, "SYN_GC", *(["SYN_ES"] if storage == "both" else [])]
        pairs = random_pairs(world, tenant, draw, symbols)
        for is_asked_later in (False, True):
            found, defined = both(world, tenant, pairs, is_asked_later, True)
            assert found == defined
            assert len({row[3] for row in found}) > 50
        for symbol in symbols:
            one = world.ask([symbol], pairs[1][0], pairs[2][0], tenant)
            asked = [symbol], [pairs[1][0]], [pairs[2][0]]
            assert [tuple(row.values()) for row in one] == both(world, tenant, asked, True, True)[1]


def test_series_whose_keys_collide_are_told_apart(scene: Scene) -> None:
    """Two names of one tenant with the same 38 bits of hash, found by trying two millions."""
    world, tenant, symbols = scene.world, 990_001, ["SYN_697", "SYN_1464263"]
    keys = world.connection.execute(
        "select count(distinct feature.bar_key(%s, s, %s)) from unnest(%s::text[]) as s",
        [tenant, CUT, symbols],
    ).fetchone()
    assert keys == (1,)
    draw = random.Random(1)  # noqa: S311
    with world.connection.transaction(force_rollback=True):
        world.set_clock(CUT + 150 * MINUTE, CUT + 150 * MINUTE)
        random_log(world, tenant, draw, symbols)
        pairs = random_pairs(world, tenant, draw, symbols)
        for is_named in (True, False):
            found, defined = both(world, tenant, pairs, True, is_named)
            assert found == defined
