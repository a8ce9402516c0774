"""A rebuild makes a new generation of the logs; the one before still answers as it did."""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, LiteralString

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.conftest import Databases
from tests.pit import sets
from tests.pit.conftest import SYMBOL, Past
from tests.pit.oracle import MINUTE, differences, floor_minute
from tests.pit.test_field_history import Market, seeds
from tests.pit.world import World

REBUILD: LiteralString = "call feature.rebuild()"


def rebuild(world: World) -> list[str]:
    """Rebuild all sets, and what it said."""
    heard: list[str] = []

    def hear(diagnostic: psycopg.errors.Diagnostic) -> None:
        heard.append(str(diagnostic.message_primary))

    world.connection.add_notice_handler(hear)
    try:
        world.connection.execute(REBUILD)
    finally:
        world.connection.remove_notice_handler(hear)
    return heard


def generation(world: World, of_set: str = "market_1m") -> int:
    """The one in use."""
    row = world.connection.execute(
        "select max(generation) from feature.generation where feature_set = %s", [of_set]
    ).fetchone()
    assert row is not None
    assert isinstance(row[0], int)
    return row[0]


def value(world: World, query: str, *arguments: object) -> Any:
    row = world.connection.execute(query.encode(), arguments).fetchone()
    assert row is not None
    return row[0]


def former(past: Past, number: int, at: datetime, known: datetime | None = None) -> Any:
    """The close that a generation answers."""
    return value(
        past.world,
        "select jsonb_build_object('close', s.close, 'spread_bps', s.spread_bps,"
        " 'known_as_of', s.known_as_of)"
        " from feature_pit_snapshot_in(%s, array[%s], array[%s::timestamptz],"
        " array[%s::timestamptz], %s) as s",
        number,
        SYMBOL,
        at,
        known or at,
        past.tenant,
    )


def digest(past: Past, minutes: int, of: int | None = None) -> str:
    """Of the first so many minutes, each asked as it was, of the present or that generation."""
    at = [past.at(minute) for minute in range(minutes)]
    return str(
        value(
            past.world,
            f"select feature_pit_hash{'' if of is None else '_in'}("
            f"{'' if of is None else f'{of}, '}%s, %s::timestamptz[], null, %s)",
            [SYMBOL] * minutes,
            at,
            past.tenant,
        )
    )


@contextmanager
def formula(world: World, model: str, old: str, new: str) -> Iterator[None]:
    """Another text in a model, as a user's would have it, until the end."""
    text = value(world, "select pg_get_viewdef(%s::regclass)", model)
    assert text.count(old) == 1

    def define(as_text: str) -> None:
        world.connection.execute(f"create or replace view {model} as {as_text}".encode())
        world.connection.execute("call feature.compile()")

    define(text.replace(old, new))
    try:
        yield
    finally:
        define(text)


def test_quotes_that_came_after_the_backfill_are_there(past: Past) -> None:
    past.bars(5)
    past.backfill()
    before = digest(past, 8)
    for minute in range(5):
        past.quote(past.at(minute, 20), 99, 101)
    past.publish(1)
    past.backfill()
    at = past.at(3)
    assert past.ask(at)["spread_bps"] is None
    was = generation(past.world)
    rebuild(past.world)
    assert generation(past.world) == was + 1
    assert past.ask(at)["spread_bps"] == pytest.approx(200)
    assert digest(past, 8) != before
    assert digest(past, 8, was) == before
    assert digest(past, 8, was + 1) == digest(past, 8)
    # live goes on from it: nothing has changed, and then something does
    since = past.log()
    past.publish(2)
    assert past.log() == since
    past.trade(past.at(2, 40), 90, past.live + 3 * MINUTE)
    past.publish(3)
    assert past.ask(past.at(3), past.live + 3 * MINUTE)["close"] == 90
    # what a former generation says ends with it
    told = former(past, was, past.at(3), past.live + 3 * MINUTE)
    assert told["close"] == 100.5
    assert told["known_as_of"].startswith((past.live + MINUTE).isoformat()[:16])


def test_history_that_waits_is_built(past: Past) -> None:
    past.bars(5)
    past.publish(1)
    assert past.log() == []
    rebuild(past.world)
    assert len(past.log()) == 5
    waits = "select count(*) from feature.history_waits() where tenant_id = %s"
    assert value(past.world, waits, past.tenant) == 0
    assert past.ask(past.at(3))["close"] == 100.5
    past.backfill()
    assert len(past.log()) == 5


def test_a_session_that_is_open_is_published_when_it_closes(past: Past) -> None:
    """Though no publish has looked at its minutes, and no tick comes after."""
    past.bars(3)
    past.world.set_clock(past.at(5), past.at(5))
    past.world.publish(past.at(6))
    rebuild(past.world)
    assert len(past.log()) == 3
    past.world.publish(past.at(24 * 60))
    closed = "select max(volume) from feature.daily_log where tenant_id = %s"
    assert value(past.world, closed, past.tenant) == 3


def test_a_formula_that_fails_leaves_a_series_as_it_was(past: Past) -> None:
    past.bars(3)
    past.backfill()
    was = past.log()
    other = past.world.tenant()
    past.world.connection.execute(
        "insert into market.trade (tenant_id, symbol, ts, seq, price, size, known_at)"
        " select %s, symbol, ts, seq, price + 1, size, known_at from market.trade"
        " where tenant_id = %s",
        [other, past.tenant],
    )
    failing = "joined.volume / abs(sign(joined.close - 100)) as volume,"
    with (
        formula(past.world, "intermediate.int_bar__own", "joined.volume,", failing),
        pytest.raises(psycopg.errors.DataException, match=f"{SYMBOL} of tenant {past.tenant}\\b"),
    ):
        rebuild(past.world)
    assert past.log() == was
    assert len(past.world.log([other])) == 3


def test_a_formula_that_changed_makes_all_versions(past: Past) -> None:
    past.bars(25)
    past.backfill()
    before = digest(past, 30)
    was = generation(past.world), generation(past.world, "daily")
    twice = "joined.volume * 2 as volume,"
    with formula(past.world, "intermediate.int_bar__own", "joined.volume,", twice):
        assert digest(past, 30) == before
        rebuild(past.world)
        assert set(past.log("volume")) == {(2.0,)}
        past.trade(past.at(25, 30), 107, past.live + MINUTE)
        past.publish(2)
        assert set(past.log("volume")) == {(2.0,)}
        assert digest(past, 25) != before
        assert digest(past, 30, was[0]) == before
        volume = "select max(volume) from feature.{} where tenant_id = %s"
        assert value(past.world, volume.format("daily_log"), past.tenant) == 52
        assert value(past.world, volume.format(f"daily_log_g{was[1]}"), past.tenant) == 25
    rebuild(past.world)
    assert digest(past, 30, was[0]) == before
    assert digest(past, 25) == digest(past, 25, was[0])


def test_bars_whose_ticks_have_gone_are_taken_over(past: Past) -> None:
    past.bars(3)
    past.backfill()
    was = past.log("bucket, known_at, close, sma_20")
    later = Past(past.world)
    later.bars(2)
    run = past.world.connection.execute
    run(
        "insert into market.policy_setting (relation, policy, span, reason)"
        " values ('trade', 'retention', '8 days', 'a test')"
    )
    try:
        run("select drop_chunks('market.trade', %s::timestamptz)", [later.day])
        rebuild(past.world)
    finally:
        run("delete from market.policy_setting where relation = 'trade' and policy = 'retention'")
    assert past.log("bucket, known_at, close, sma_20") == was
    assert len(later.log()) == 2


def test_of_one_set_and_what_reads_it(past: Past) -> None:
    past.bars(3)
    past.backfill()
    names = ["market_1m", "momentum_1m", "daily"]
    was = [generation(past.world, name) for name in names]
    past.world.connection.execute("call feature.rebuild('daily', 'a try')")
    assert [generation(past.world, name) for name in names] == [was[0], was[1], was[2] + 1]
    reason = "select reason from feature.generation where feature_set = 'daily' and generation = %s"
    assert value(past.world, reason, was[2] + 1) == "a try"
    with pytest.raises(psycopg.errors.UndefinedObject, match="no set weekly is published"):
        past.world.connection.execute("call feature.rebuild('weekly')")


def test_a_tenant_reads_both(past: Past) -> None:
    past.bars(3)
    past.backfill()
    was = generation(past.world)
    past.quote(past.at(1, 20), 99, 101)
    rebuild(past.world)
    login = f"t_{uuid.uuid4().hex[:8]}"
    run = past.world.connection.execute
    run("call access.lockdown()")
    run(
        "call access.set_tenant(%s, p_name => %s, p_logins => array[%s]::name[])",
        [past.tenant, login, login],
    )
    asked = [SYMBOL], [past.at(2)]
    try:
        run(f"set role {login}".encode())
        spread = "select spread_bps from api.feature_pit_snapshot_in(%s, %s, %s::timestamptz[])"
        assert value(past.world, spread, was, *asked) is None
        assert value(past.world, spread, was + 1, *asked) == pytest.approx(200)
        in_use = (
            "select generation from api.generation where feature_set = 'market_1m' and is_in_use"
        )
        assert value(past.world, in_use) == was + 1
        assert value(past.world, "select count(*) from api.feature_version") == 3
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="not yours to read"):
            value(past.world, spread.replace("[])", "[], null, 1)"), was, *asked)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run("select * from feature.log_g1")
    finally:
        run("reset role")
        run("call access.remove_tenant(%s)", [past.tenant])


def test_a_killed_one_is_begun_anew(past: Past) -> None:
    past.bars(5)
    past.backfill()
    was = past.log(), generation(past.world), digest(past, 8)
    for after_ms in (50, 400, 800):
        past.world.kill(REBUILD, [], after_ms)
        assert digest(past, 8) == was[2]
    rebuild(past.world)
    assert past.log() == was[0]
    assert generation(past.world) > was[1]
    assert value(past.world, "select count(*) from feature.rebuild_run") == 0


def test_generations_are_not_rewritten(past: Past) -> None:
    past.bars(2)
    past.backfill()
    rebuild(past.world)
    run = past.world.connection.execute
    for statement in (
        "update feature.generation set reason = 'none'",
        "delete from feature.generation",
        "truncate feature.generation",
        "delete from feature.log_g1",
        "truncate feature.log_g1",
        "update feature.daily_log_g1 set volume = 1",
        "delete from feature.log",
        "truncate feature.momentum_1m_log",
    ):
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="append-only"):
            run(statement.encode())
    with pytest.raises(psycopg.errors.UndefinedObject, match="no generation 99"):
        former(past, 99, past.at(1))


def test_a_next_log_is_as_the_first_was(past: Past) -> None:
    """Columns, keys, indexes, checks, triggers, comments and rights; views read the one in use."""
    made = """
        select jsonb_build_object(
            'columns', (
                select jsonb_agg(jsonb_build_array(
                    a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                    col_description(c.oid, a.attnum)
                ) order by a.attname)
                from pg_attribute as a where a.attrelid = c.oid and a.attnum > 0
                and not a.attisdropped
            ),
            'indexes', (
                select jsonb_agg(pg_get_indexdef(i.indexrelid) order by 1)
                from pg_index as i where i.indrelid = c.oid
            ),
            'checks', (
                select jsonb_agg(pg_get_constraintdef(k.oid) order by pg_get_constraintdef(k.oid))
                from pg_constraint as k where k.conrelid = c.oid
            ),
            'triggers', (
                select jsonb_agg(t.tgname order by t.tgname)
                from pg_trigger as t where t.tgrelid = c.oid
            ),
            'said', obj_description(c.oid), 'acl', c.relacl::text, 'owner', c.relowner::regrole,
            'read by', (
                select jsonb_agg(distinct r.ev_class::regclass::text)
                from pg_rewrite as r inner join pg_depend as d on r.oid = d.objid
                where d.refobjid = c.oid
            ),
            'jobs', (
                select jsonb_agg(j.proc_name order by j.proc_name)
                from timescaledb_information.jobs as j
                where j.hypertable_schema = 'feature' and j.hypertable_name = c.relname
            ),
            'chunks', (
                select d.time_interval from timescaledb_information.dimensions as d
                where d.hypertable_schema = 'feature' and d.hypertable_name = c.relname
            )
        )
        from pg_class as c where c.oid = ('feature.' || %s)::regclass
    """
    names = ["log", "momentum_1m_log", "daily_log"]
    before = [value(past.world, made, name) for name in names]
    rebuild(past.world)
    assert [value(past.world, made, name) for name in names] == before
    assert value(past.world, "select to_regclass('feature.log_next')") is None


HOLD = 2719
SLICE = (
    "pg_get_functiondef('feature.rebuild_slice(integer, text, integer[], text[], timestamptz,"
    " timestamptz)'::regprocedure)"
)


class Beside:
    """A rebuild in a session of its own, which stops at each slice that it is not let by."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.failed: list[psycopg.Error] = []
        self.text = value(world, f"select {SLICE}")
        held = f"begin\n    perform pg_catalog.pg_advisory_xact_lock_shared({HOLD});"
        world.connection.execute(self.text.replace("begin", held, 1))
        world.connection.execute("select pg_advisory_lock(%s)", [HOLD])
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        try:
            with psycopg.connect(self.world.url, autocommit=True) as connection:
                connection.execute(REBUILD)
        except psycopg.Error as error:
            self.failed.append(error)

    def wait(self) -> None:
        """Until it stands at a slice, or has ended."""
        waits = "select exists (select from pg_locks where locktype = 'advisory' and not granted)"
        while self.thread.is_alive() and not value(self.world, waits):
            pass

    def go_on(self) -> None:
        """By one slice, or a few."""
        self.world.connection.execute("select pg_advisory_unlock(%s)", [HOLD])
        self.world.connection.execute("select pg_advisory_lock(%s)", [HOLD])

    def end(self) -> None:
        self.world.connection.execute("select pg_advisory_unlock_all()")
        self.thread.join()
        self.world.connection.execute(self.text)


@contextmanager
def beside(world: World) -> Iterator[Beside]:
    """A rebuild that stands at its first slice."""
    made = Beside(world)
    made.thread.start()
    try:
        made.wait()
        yield made
    finally:
        made.end()


def test_publishes_and_questions_go_on_beside_it(databases: Databases, past: Past) -> None:
    if databases.kind == "embedded":
        pytest.skip("one backend: nothing runs beside a rebuild")
    past.bars(5)
    past.backfill()
    was = generation(past.world), digest(past, 6)
    with beside(past.world) as rebuilt:
        first = past.live + MINUTE
        past.trade(first + timedelta(seconds=30), 200)
        past.publish(3)
        assert past.ask(first + MINUTE, first + 3 * MINUTE)["close"] == 200
        assert digest(past, 6) == was[1]
        rebuilt.go_on()
        rebuilt.wait()
        past.trade(past.at(2, 45), 300, past.live + 3.5 * MINUTE)
        past.publish(4)
        with pytest.raises(psycopg.errors.LockNotAvailable, match=r"another call .* is running"):
            rebuild(past.world)
    assert rebuilt.failed == []
    assert generation(past.world) == was[0] + 1
    assert past.log("bucket, known_at, close")[2:] == [
        (past.at(2), past.at(3), 100.5),
        (past.at(2), past.live + 3.5 * MINUTE, 300),
        (past.at(3), past.at(4), 100.75),
        (past.at(4), past.at(5), 101),
        (first, first + MINUTE, 200),
    ]


def wrong(market: Market, at: datetime, known: datetime) -> list[str]:
    """How all sets' answers of what was known differ from what the ticks give."""
    found = []
    for tenant, symbol in market.streams:
        found += sets.wrong(market.world, market.oracle, (tenant, symbol), known, live=False)
        row = market.world.ask([symbol], at, known, tenant)[0]
        found += differences(row, market.oracle.snapshot(tenant, symbol, at, known))
    return found


@settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
@given(seed=seeds)
def test_what_was_known_is_what_its_ticks_give(
    databases: Databases, small_world: World, seed: int
) -> None:
    """Whatever was published before, meanwhile and later; and live goes on from it."""
    market = Market(small_world, seed)
    for _ in range(2):
        market.some(1)
        market.published()
    if databases.kind == "embedded":
        rebuild(small_world)
    else:
        with beside(small_world) as rebuilt:
            for _ in range(3):
                market.some(1)
                market.published()
                rebuilt.go_on()
                rebuilt.wait()
        assert rebuilt.failed == []
    switched = market.oracle.stamps[-1]
    moments = [e.known_at for e in market.events if e.known_at <= switched]
    for known in market.rng.sample(moments, min(len(moments), 12)):
        at = floor_minute(known) + market.rng.choice([0, 1]) * MINUTE
        assert wrong(market, min(at, switched), known) == []
    market.some(1)
    market.published()
    for name in ("log", "momentum_1m_log", "daily_log"):
        assert market.wrong(name, market.oracle.stamps[-1]) == []
    was = market.log("log", market.tenants)
    rebuild(small_world)
    # what is known by the first switch it says again, to the bit
    again = market.log("log", market.tenants)
    bound = switched.isoformat()
    assert [v for v in again if v["known_at"] <= bound] == [
        v for v in was if v["known_at"] <= bound
    ]
