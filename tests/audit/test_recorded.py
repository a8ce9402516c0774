"""What the audit chain records, and what it does not."""

import uuid
from collections.abc import Callable

import psycopg
import pytest

from engine import reference
from engine.migrate import migrate, rollback
from tests.audit.chain import Connection, disarm, head, problems, since
from tests.conftest import Databases
from tests.migrations.test_migrations import names


def test_a_load_without_a_change_records_nothing(database: str, connection: Connection) -> None:
    before, _ = head(connection)
    reference.load(database)
    assert since(connection, before) == []
    connection.execute("update market.tenant set name = 'other' where tenant_id = 2")
    connection.execute("delete from market.contract where field = 'vwap'")  # of market_1m
    connection.execute("update market.feature_set set reach_bars = 5 where feature_set = 'daily'")
    before, _ = head(connection)
    reference.load(database)
    found = sorted(since(connection, before), reverse=True)
    assert [row[:3] for row in found] == [
        ("entitlement", "update", "market.tenant"),
        ("contract", "update", "market.feature_set"),
        ("contract", "insert", "market.contract"),
    ]
    assert found[0][3] == {
        "key": {"tenant_id": 2},
        "old": {"name": "other"},
        "new": {"name": "demo_b"},
    }
    assert found[1][3] == {
        "key": {"feature_set": "daily"},
        "old": {"reach_bars": 5},
        "new": {"reach_bars": 20},
    }
    assert found[2][3]["key"] == {"feature_set": "market_1m", "ordinal": 6}
    assert found[2][3]["new"]["field"] == "vwap"


def test_of_a_transaction_the_net_change_is_recorded(connection: Connection) -> None:
    before, _ = head(connection)
    with connection.transaction():
        connection.execute("truncate market.tenant")
        connection.execute("insert into market.tenant values (1, 'demo_a'), (3, 'third')")
        connection.execute("insert into market.tenant values (2, 'x'), (4, 'gone')")
        connection.execute("update market.tenant set name = 'demo_b' where tenant_id = 2")
        connection.execute("delete from market.tenant where tenant_id = 4")
    third = {"tenant_id": 3, "name": "third"}
    key = {"tenant_id": 3}
    expected = ("entitlement", "insert", "market.tenant", {"key": key, "new": third})
    assert since(connection, before) == [expected]
    with connection.transaction(force_rollback=True):
        connection.execute("delete from market.tenant")
        connection.execute("set constraints all immediate")
        assert [row[1] for row in since(connection, before + 1)] == ["delete"] * 3
    connection.execute("delete from market.tenant where tenant_id = 3")
    expected = ("entitlement", "delete", "market.tenant", {"key": key, "old": third})
    assert since(connection, before + 1) == [expected]


def test_of_reference_data_a_change_is_one_event_a_table(connection: Connection) -> None:
    before, _ = head(connection)
    with connection.transaction(force_rollback=True):
        connection.execute("update market.instrument set description = 'x' where symbol ~ '^SYN_'")
        connection.execute("delete from market.calendar_holiday where day = '2025-01-09'")
        connection.execute("set constraints all immediate")
        found = sorted(since(connection, before), key=lambda row: row[2])
        counted = connection.execute(
            "select count(*) from market.instrument where symbol ~ '^SYN_'"
        ).fetchone()
    assert [row[:3] for row in found] == [
        ("reference", "change", "market.calendar_holiday"),
        ("reference", "change", "market.instrument"),
    ]
    assert (found[1][3]["rows"],) == counted
    assert len(found[1][3]["sha256"]) == 64


def test_what_was_changed_unseen_comes_to_light_with_the_next_change(
    connection: Connection,
) -> None:
    before, _ = head(connection)
    with connection.transaction():
        disarm(connection)
        connection.execute("insert into market.tenant values (66, 'smuggled')")
    assert since(connection, before) == []
    connection.execute("update market.tenant set name = name")
    assert [row[3]["key"] for row in since(connection, before)] == [{"tenant_id": 66}]
    connection.execute("delete from market.tenant where tenant_id = 66")


def test_the_generic_trigger_records_rows_with_their_key(connection: Connection) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("create table market.pair (a int, b text, c int, primary key (a, b))")
        connection.execute(
            "create trigger audit_change after insert or update or delete on market.pair"
            " for each row execute function audit.record_change('entitlement')"
        )
        before, _ = head(connection)
        connection.execute("insert into market.pair values (1, 'x', 2)")
        connection.execute("update market.pair set c = c")
        connection.execute("update market.pair set c = null")
        connection.execute("delete from market.pair")
        found = since(connection, before)
    key = {"a": 1, "b": "x"}
    assert found == [
        ("entitlement", "insert", "market.pair", {"key": key, "new": {**key, "c": 2}}),
        ("entitlement", "update", "market.pair", {"key": key, "old": {"c": 2}, "new": {"c": None}}),
        ("entitlement", "delete", "market.pair", {"key": key, "old": {**key, "c": None}}),
    ]


def test_ddl_is_recorded(connection: Connection) -> None:
    before, _ = head(connection)
    statements = [
        "create table market.made (a int)",
        "alter table market.made add column b int",
        "alter table market.made drop column b",
        "create or replace function public.made() returns int language sql as $$ select 1; $$",
        "do $$ begin execute 'create view market.seen as select a from market.made'; end $$",
        "alter table audit.event disable trigger event_is_append_only",
        "alter table audit.event enable trigger event_is_append_only",
        "drop table market.made cascade",
        "drop function public.made",
    ]
    for statement in statements:
        connection.execute(statement.encode())
    found = since(connection, before)
    column = [{"type": "table column", "object": "market.made.b"}]
    assert [(kind, *rest) for kind, *rest, _ in found] == [
        ("ddl", "CREATE TABLE", "market.made"),
        ("ddl", "ALTER TABLE", "market.made"),
        ("ddl", "ALTER TABLE", "market.made.b"),
        ("ddl", "ALTER TABLE", "market.made"),
        ("ddl", "CREATE FUNCTION", "public.made()"),
        ("ddl", "CREATE VIEW", "market.seen"),
        ("ddl", "ALTER TABLE", "audit.event"),
        ("ddl", "ALTER TABLE", "audit.event"),
        ("ddl", "DROP TABLE", "market.made, market.seen"),
        ("ddl", "DROP FUNCTION", "public.made()"),
    ]
    assert found[2][3] == {"dropped": column, "statement": statements[2]}
    assert [row[3].get("statement") for row in found] == [
        *(statements[0], statements[1], statements[2], statements[2]),
        *(None, None, statements[5], statements[6], statements[7], statements[8]),
    ]


def test_a_password_beside_ddl_is_not_recorded(connection: Connection) -> None:
    before, _ = head(connection)
    role = f"test_{uuid.uuid4().hex[:12]}"
    connection.execute(
        f"create role {role} password 'secret'; create table market.made (a int);"
        f" drop table market.made; drop role {role}".encode()
    )
    found = since(connection, before)
    assert [row[1] for row in found] == ["CREATE TABLE", "DROP TABLE"]
    assert "secret" not in str(found)


def test_rights_are_recorded_however_they_were_given(connection: Connection) -> None:
    before, _ = head(connection)
    connection.execute(
        "do $$ begin execute 'grant select on audit.last_recorded to public'; end $$"
    )
    connection.execute("revoke select on audit.last_recorded from public")
    connection.execute(
        "grant select on audit.last_recorded to market_owner"
    )  # it has it: no change
    relation = {"object": "relation audit.last_recorded"}
    assert [row[:3] for row in since(connection, before)] == [
        ("ddl", "insert", "audit.privilege"),
        ("ddl", "update", "audit.privilege"),
    ]
    given, taken = (row[3] for row in since(connection, before))
    assert given["key"] == taken["key"] == relation
    assert "=r/market_owner" in given["new"]["acl"]
    assert "=r/market_owner" in taken["old"]["acl"]
    assert "=r/market_owner" not in taken["new"]["acl"]


def test_what_runs_every_day_records_only_the_backfill(
    database: str, connection: Connection, run_dbt: Callable[..., str]
) -> None:
    """New chunks, dropped chunks, temporary tables, publishes and dbt's views are no news."""
    connection.execute("select set_chunk_time_interval('market.trade', interval '1 day')")
    run_dbt(database, "run", "--quiet")  # readers get a right to views that are new
    before, _ = head(connection)
    run_dbt(database, "run", "--quiet")
    connection.execute(
        "insert into market.trade (tenant_id, symbol, ts, seq, price, size, known_at,"
        " source_topic, source_partition, source_offset)"
        " select 1, 'SYN_BTCUSD', t, 1, 100, 1, t, 'trades', 0, extract(epoch from t)::bigint"
        " from generate_series(timestamptz '2024-03-04 10:00Z', '2024-03-07 10:00Z', '4 hours')"
        " as t"
    )
    connection.execute("create temp table mine (a int)")
    connection.execute("drop table pg_temp.mine")
    connection.execute("call feature.publish()")
    chunks = connection.execute("select show_chunks('market.trade')").fetchall()
    assert chunks != []
    assert since(connection, before) == []

    connection.execute("call feature.backfill('2024-03-04Z', '2024-03-08Z')")
    runs = connection.execute("select feature_set, versions from feature.backfill_run").fetchall()
    assert runs == [("market_1m", 19)]
    # of a series that always trades, a day is a session
    row = connection.execute("select count(*) from feature.daily_log").fetchone()
    assert row == (4,)
    begun, ended = since(connection, before)
    assert begun[:3] == ("backfill", "insert", "feature.backfill_run")
    assert begun[3]["new"]["range_to"][:10] == "2024-03-08"
    assert ended[:3] == ("backfill", "update", "feature.backfill_run")
    assert ended[3]["key"] == begun[3]["key"]
    assert ended[3]["old"]["finished_at"] is None
    assert ended[3]["new"]["finished_at"] is not None

    before, _ = head(connection)
    connection.execute(
        "select drop_chunks('market.trade', older_than => timestamptz '2024-03-06Z')"
    )
    assert len(connection.execute("select show_chunks('market.trade')").fetchall()) < len(chunks)
    assert since(connection, before) == []
    assert problems(connection) == []


def test_what_is_not_watched_is_shown_with_its_remedy(connection: Connection) -> None:
    query = "select object, remedy from audit.watched where not is_watched"
    assert connection.execute(query).fetchall() == []
    with connection.transaction(force_rollback=True):
        connection.execute("alter table market.tenant disable trigger audit_change")
        connection.execute("alter event trigger audit_ddl disable")
        connection.execute("drop event trigger audit_drop")
        found = connection.execute(query).fetchall()
        assert [row[0] for row in found] == ["market.tenant", "ddl", "ddl"]
        for _, remedy in found:
            connection.execute(remedy.removeprefix("as superuser: ").encode())
        assert connection.execute(query).fetchall() == []


def test_a_migration_records_the_tenants_it_finds_and_the_schema_changes_after_it(
    databases: Databases,
) -> None:
    url, drop = databases.create("migrated")
    rollback(url, len([name for name in names() if name >= "0015_create_audit"]))
    with psycopg.connect(url, autocommit=True) as connection:
        left = connection.execute(
            "select (select count(*) from pg_event_trigger where evtname like 'audit%'),"
            " to_regnamespace('audit')"
        ).fetchone()
        assert left == (0, None)
        connection.execute("insert into market.tenant values (7, 'early')")
        migrate(url)
        found = since(connection, 0)
        assert [row[3]["key"] for row in found if row[2] == "market.tenant"] == [
            {"tenant_id": 1},
            {"tenant_id": 2},
            {"tenant_id": 7},
        ]
        assert problems(connection) == []
    drop()


@pytest.mark.usefixtures("database")  # with it comes market_owner
def test_a_login_that_is_no_superuser_migrates_without_ddl_watched(databases: Databases) -> None:
    if databases.kind == "embedded":
        pytest.skip("its logins are no security boundary")
    url, drop = databases.create("empty")
    role = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create extension if not exists timescaledb")
        connection.execute(f"create role {role} login createrole".encode())
        connection.execute(f"grant market_owner to {role} with admin option".encode())
        connection.execute(
            f"alter database {connection.info.dbname} owner to {role}".encode(),
        )
        try:
            migrate(url.replace("postgres@", f"{role}@"))
            found = connection.execute(
                "select by_trigger from audit.watched where not is_watched order by 1"
            ).fetchall()
            assert found == [("audit_ddl",), ("audit_drop",)]
            rollback(url.replace("postgres@", f"{role}@"))
        finally:
            connection.execute(f"reassign owned by {role} to postgres".encode())
            connection.execute(f"drop owned by {role}".encode())
            connection.execute(f"drop role {role}".encode())
    drop()
