"""A database of an earlier release upgrades without losing a row, a grant or an answer."""

import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from engine import dbt, reference
from engine import migrate as migrate_module
from engine.errors import MigrationFailed
from engine.migrate import MIGRATIONS, migrate, rollback
from tests.conftest import Databases
from tests.migrations import catalog
from tests.pit.oracle import Event, Quote, Trade
from tests.pit.world import World

RELEASED = Path(__file__).parent / "released"
LAST = "0038_mend_publish_job"
BRIDGE = "0038_to_0017"
DAY = datetime(2024, 3, 4, 10, tzinfo=UTC)
TENANT = 7001
LOGIN = "upgraded_reader"
SYMBOLS = ["SYN_BTCUSD", "SYN_ETHUSD"]

DROP_LOGIN = """
    do $$ begin
        if exists (select from pg_roles where rolname = 'upgraded_reader') then
            drop owned by upgraded_reader;
            drop role upgraded_reader;
        end if;
    end $$
"""

# everything that a user may have asked: the answers stay
QUESTIONS: tuple[LiteralString, ...] = (
    "select to_jsonb(l) - 'definition' from feature.log as l"
    " order by l.tenant_id, l.symbol, l.bucket, l.known_at",
    "select * from feature.restatement order by 1, 2, 3, 4",
    "select live_from, published_at from feature.clock",
    "select * from feature_pit_snapshot(array['SYN_BTCUSD', 'SYN_ETHUSD'],"
    " '2024-03-04 10:40+00'::timestamptz, null, 7001)",
    "select feature_pit_hash(array['SYN_BTCUSD', 'SYN_ETHUSD'],"
    " '2024-03-04 10:35+00'::timestamptz, null, 7001)",
    "select * from feature.leakage(array['SYN_BTCUSD'], array['2024-03-04 10:20+00'::timestamptz],"
    " 7001)",
    "select version, known_at, cause, changes, events"
    " from feature.explain_restatement('SYN_BTCUSD', '2024-03-04 10:05+00', 7001)",
    "select * from feature.feature_1m order by 1, 2, 3",
    "select * from market.trade order by 1, 2, 3, 4",
    "select * from market.quote order by 1, 2, 3, 4",
    "select * from market.trade_superseded order by 1, 2, 3, 4, 8",
    "select * from market.kafka_offset order by 1, 2",
    'select topic, partition, "offset", reason, message, recorded_at from market.dead_letter'
    " order by 1, 2, 3",
    "select * from access.login order by 1",
    "select * from api.tenant order by 1",
    "select * from api.watchlist order by 1, 2",
    "select key_id, tenant_id, login, hash from api.api_key order by 1",
    "select seq, hash from audit.event where seq <= %(seq)s order by 1",
    "select * from audit.verify(%(seq)s, (select hash from audit.event where seq = %(seq)s))",
)
AS_TENANT: tuple[LiteralString, ...] = (
    "select * from api.feature_1m order by 1, 2, 3",
    "select * from api.trade order by 1, 2, 3, 4",
    "select * from api.ohlc_1m order by 1, 2, 3",
    "select * from api.latest_trade(array['SYN_BTCUSD'])",
    "select * from api.feature_pit_snapshot(array['SYN_BTCUSD'],"
    " '2024-03-04 10:40+00'::timestamptz)",
    "select * from api.tenant",
)
TRADES = [
    Event("new", TENANT, symbol, at, minute, Trade(100 + minute / 8, 2.0, "buy"), at)
    for symbol in SYMBOLS
    for minute in range(45)
    for at in [DAY + timedelta(minutes=minute, seconds=20)]
]
LATER = DAY + timedelta(minutes=30, seconds=30)
AMENDED = [
    replace(TRADES[5], action="correction", values=Trade(120.0, 2.0, "buy"), known_at=LATER),
    replace(TRADES[9], action="cancel", known_at=LATER),
]


@dataclass
class Old:
    """A database that the earlier release has made and used, and what it answered."""

    world: World
    arguments: dict[str, Any]
    answers: list[list[tuple[Any, ...]]]


def ask(connection: psycopg.Connection[Any], arguments: dict[str, Any]) -> list[Any]:
    answers = [connection.execute(query, arguments).fetchall() for query in QUESTIONS]
    with connection.transaction():
        connection.execute(f"set local role {LOGIN}".encode())
        answers += [connection.execute(query).fetchall() for query in AS_TENANT]
    return answers


def use(world: World) -> None:
    """A morning: bars, a late trade, a correction, a cancel, quotes, a tenant with a login."""
    connection = world.connection
    connection.execute(
        "call access.set_tenant(7001, 'upgraded', null, array[%s]::name[], %s)", [LOGIN, SYMBOLS]
    )
    connection.execute("insert into market.kafka_offset values ('trades', 0, 17, 3, 'id')")
    connection.execute(
        "insert into market.dead_letter values ('trades', 0, 4, 'bad_side', 'side=x', now())"
    )
    with connection.transaction():
        connection.execute(f"set local role {LOGIN}".encode())
        connection.execute("select api.create_api_key('a program of theirs')")
    world.set_clock(DAY - timedelta(days=1), DAY - timedelta(days=1))
    world.apply(TRADES)
    quoted = DAY + timedelta(minutes=3, seconds=5)
    world.apply([Event("new", TENANT, SYMBOLS[0], quoted, 1, Quote(99, 1.0, 101, 1.0), quoted)])
    world.publish(DAY + timedelta(minutes=30))
    late = DAY + timedelta(minutes=7, seconds=50)
    world.apply([Event("new", TENANT, SYMBOLS[0], late, 900, Trade(90.0, 1.0, "sell"), LATER)])
    world.apply(AMENDED)
    world.publish(DAY + timedelta(minutes=31))
    world.publish(DAY + timedelta(minutes=50))
    connection.execute("call refresh_continuous_aggregate('market.ohlc_1m', null, null)")


def unpack(tmp_path: Path) -> Path:
    with tarfile.open(RELEASED / f"{LAST}.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


@pytest.fixture
def old(
    databases: Databases, empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Old]:
    """The earlier release's database, migrated, seeded, built by dbt and used."""
    released = unpack(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(migrate_module, "MIGRATIONS", released / "migrations")
        assert migrate(empty_database)[-1] == LAST
        for command in ("seed", "run"):
            dbt.run(empty_database, command, "--quiet", quiet=True, project=released)
    world = World(empty_database, databases.kind)
    use(world)
    row = world.connection.execute("select max(seq) from audit.event").fetchone()
    arguments = {"seq": row[0]} if row else {}
    yield Old(world, arguments, ask(world.connection, arguments))
    world.connection.execute(DROP_LOGIN)
    world.close()


def publish_one_more(world: World) -> None:
    at = DAY + timedelta(minutes=50, seconds=1)
    world.apply([Event("new", TENANT, SYMBOLS[0], at, 950, Trade(101.0, 1.0, "buy"), at)])
    world.publish(DAY + timedelta(minutes=51))
    found = world.ask(SYMBOLS[:1], DAY + timedelta(minutes=51), None, TENANT)[0]
    assert (found["close"], found["volume"]) == (101.0, 1.0)
    assert found["sma_20"] is not None


def desk(url: str) -> list[str]:
    """What a schema of somebody else's holds, with its rights and comments."""
    found = [line for line in catalog.lines(url, ["desk"]) if "desk." in line]
    assert len(found) > 6, found
    return found


def definitions(url: str) -> list[tuple[Any, ...]]:
    """Which formulas the sets are computed by, without their numbers."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select d.feature_set, d.hash, d.content, d.fields from feature.definition as d"
            " inner join feature.current_definition as c using (definition) order by 1"
        ).fetchall()
    assert len(found) == 3
    return found


def read_by_others(connection: psycopg.Connection[Any]) -> None:
    """Views of somebody else's on an aggregate that the bridge makes anew."""
    connection.execute("create schema desk")
    connection.execute(
        "create view desk.spread with (security_barrier) as"
        " select symbol, spread_bps_sum / spread_bps_count as bps from market.quote_1h"
    )
    connection.execute("create view desk.wide as select * from desk.spread where bps > 10")
    connection.execute("comment on column desk.wide.bps is 'of an hour'")
    connection.execute("grant select on desk.wide to market_reader")
    connection.execute("grant select (bps) on desk.spread to market_reader")


def refuse_what_cannot_be_kept(world: World) -> None:
    """A tick that no arithmetic can bear is named, and nothing is changed."""
    # without the triggers: it is gone again before anything is made of it
    world.connection.execute("set session_replication_role = replica")
    world.connection.execute(
        "insert into market.trade (tenant_id, symbol, ts, seq, price, size, known_at)"
        " values (1, 'SYN_ES', '2024-03-04 10:00+00', 5, 1.7976931348623157e308, 1,"
        " '2024-03-04 10:00+00')"
    )
    before = catalog.lines(world.url, catalog.OURS)
    with pytest.raises(MigrationFailed, match=r"trade of 'SYN_ES', tenant 1, ts .*, seq 5"):
        migrate(world.url)
    assert catalog.lines(world.url, catalog.OURS) == before
    world.connection.execute("delete from market.trade where seq = 5 and tenant_id = 1")
    world.connection.execute("reset session_replication_role")


def test_an_upgrade_keeps_every_row_and_answer_and_ends_where_a_new_database_does(
    old: Old, databases: Databases, run_dbt: Callable[..., str]
) -> None:
    """In one go, because a database of the earlier release takes long to make."""
    read_by_others(old.world.connection)
    views = desk(old.world.url)
    refuse_what_cannot_be_kept(old.world)
    told: list[str] = []
    assert migrate(old.world.url, told.append)[0] == BRIDGE
    assert told[-1].startswith("contract: ")
    assert ask(old.world.connection, old.arguments) == old.answers
    assert desk(old.world.url) == views
    assert migrate(old.world.url) == []
    # what this release says otherwise, and nothing else
    changed = [line.partition(":")[0] for line in reference.load(old.world.url)]
    assert changed == ["calendar", "calendar_session", "calendar_holiday", "instrument"]
    assert ask(old.world.connection, old.arguments) == old.answers
    assert reference.load(old.world.url) == []

    # corrections and cancels of before are known: said again, they change nothing
    old.world.apply([*AMENDED, *AMENDED[::-1], TRADES[5], TRADES[9]])
    assert ask(old.world.connection, old.arguments) == old.answers

    # before dbt has run, and after
    publish_one_more(old.world)
    answers = ask(old.world.connection, old.arguments)
    run_dbt(old.world.url, "run", "--quiet")
    assert ask(old.world.connection, old.arguments) == answers

    fresh, drop = databases.create("modelled")
    assert catalog.lines(old.world.url, catalog.OURS) == catalog.lines(fresh, catalog.OURS)
    assert definitions(old.world.url) == definitions(fresh)
    drop()

    old.world.connection.execute("drop schema desk cascade")
    rollback(old.world.url)
    assert catalog.lines(old.world.url, catalog.OURS) == []


def test_a_database_before_the_last_folded_migration_is_told_where_to_go(
    empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = unpack(tmp_path) / "migrations"
    for file in released.glob("003[0-8]*"):
        file.unlink()
    # the lockdown that migrate() ends with came with a later one
    (released / "0029_create_lockdown.sql").write_text(
        "-- depends: 0028_create_tenancy\nset local role market_owner;\n"
        "create procedure access.lockdown() language sql as $$ select 1 $$;\n"
    )
    with monkeypatch.context() as patched:
        patched.setattr(migrate_module, "MIGRATIONS", released)
        migrate(empty_database)
    before = catalog.lines(empty_database, catalog.OURS)
    with pytest.raises(MigrationFailed, match=r"stands at 0029_.*before 0037_create_tape"):
        migrate(empty_database)
    assert catalog.lines(empty_database, catalog.OURS) == before


def test_a_bridge_leads_to_a_migration_that_is_there() -> None:
    for bridge in (MIGRATIONS / "bridges").glob("*.sql"):
        leads = bridge.read_text().splitlines()[1].removeprefix("-- leads: ")
        made = re.findall(r"^-- make: (\S+)$", bridge.read_text(), re.MULTILINE)
        for name in (leads, *made):
            assert (MIGRATIONS / f"{name}.sql").exists()
            assert name <= leads
