"""The audit chain: what it records, that it stays whole, and that no alteration passes unseen."""

import hashlib
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from engine.migrate import migrate, rollback
from tests.conftest import Databases
from tests.migrations.test_migrations import names

Connection = psycopg.Connection[Any]
Rows = list[tuple[Any, ...]]

KINDS = ["entitlement", "role", "contract", "ddl", "backfill"]
NOTHING = bytes(32)
# of each column, a value that it does not have
EDITS = {
    "recorded_at": "recorded_at + interval '1 microsecond'",
    "actor": "'somebody'",
    "acting_as": "'somebody'",
    "client": "'192.0.2.1'",
    "application": "application || ' '",
    "kind": "case kind when 'ddl' then 'role' else 'ddl' end",
    "action": "action || ' '",
    "object": "object || ' '",
    "detail": "jsonb_build_array(detail)",
    "previous_hash": "set_byte(previous_hash, 31, get_byte(previous_hash, 31) # 1)",
    "hash": "set_byte(hash, 0, get_byte(hash, 0) # 128)",
}

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner | texts, max_size=3),
    max_leaves=6,
)
recorded = st.tuples(
    st.sampled_from(KINDS), texts.filter(bool), texts.filter(bool), values.map(Jsonb)
)


@pytest.fixture(scope="module")
def connection(database: str) -> Iterator[Connection]:
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


def record(connection: Connection, *event: object) -> int:
    row = connection.execute("select audit.record(%s, %s, %s, %s)", event).fetchone()
    assert row is not None
    return int(row[0])


def head(connection: Connection) -> tuple[int, bytes]:
    row = connection.execute("select seq, hash from audit.head").fetchone()
    assert row is not None
    return row[0], row[1]


def problems(connection: Connection, *published: object) -> Rows:
    arguments = ", ".join(["%s"] * len(published))
    return connection.execute(f"select * from audit.verify({arguments})", published).fetchall()


def since(connection: Connection, seq: int) -> Rows:
    """What was recorded after seq: (kind, action, object, detail)."""
    return connection.execute(
        "select kind, action, object, detail from audit.event where seq > %s order by seq", [seq]
    ).fetchall()


def run_as(connection: Connection, role: str, statement: str) -> None:
    """Run one statement as a role, in a transaction of its own."""
    with connection.transaction():
        connection.execute(f"set local role {role}".encode())
        connection.execute(statement.encode())


def disarm(connection: Connection) -> None:
    """As a superuser can: no trigger fires any more in this transaction."""
    connection.execute("set local session_replication_role = replica")


def rewrite(connection: Connection) -> None:
    """Hash every event anew, and the head: a chain that is whole in itself."""
    previous = NOTHING
    for (seq,) in connection.execute("select seq from audit.event order by seq").fetchall():
        connection.execute(
            "update audit.event set previous_hash = %s where seq = %s", [previous, seq]
        )
        row = connection.execute(
            "update audit.event as e set hash = audit.event_hash(e) where seq = %s returning hash",
            [seq],
        ).fetchone()
        assert row is not None
        previous = row[0]
    connection.execute(
        "update audit.head set hash = %s, seq = (select max(seq) from audit.event)", [previous]
    )


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(events=st.lists(recorded, min_size=1, max_size=6), data=st.data())
def test_any_chain_is_whole_and_any_single_alteration_is_found(
    connection: Connection, events: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    with connection.transaction(force_rollback=True):
        before, _ = head(connection)
        assert [record(connection, *event) for event in events] == list(
            range(before + 1, before + 1 + len(events))
        )
        last, last_hash = head(connection)
        assert problems(connection) == []
        assert problems(connection, last, last_hash) == []
        disarm(connection)
        seq = data.draw(st.integers(1, last), label="seq")
        how = data.draw(
            st.sampled_from(
                [*EDITS, "seq", "delete", "cut", "reset", "lost head", "cut and reset", "rewrite"]
            ),
            label="how",
        )
        published: tuple[object, ...] = ()
        if how in EDITS:
            connection.execute(f"update audit.event set {how} = {EDITS[how]} where seq = {seq}")
        elif how == "seq":
            connection.execute(f"update audit.event set seq = {last + 1} where seq = {seq}")
        elif how == "delete":
            connection.execute(f"delete from audit.event where seq = {seq}")
        elif how == "cut":
            connection.execute(f"delete from audit.event where seq >= {seq}")
        elif how == "lost head":
            connection.execute("delete from audit.head")
        elif how == "rewrite":
            connection.execute(f"update audit.event set detail = '\"x\"' where seq = {seq}")
            rewrite(connection)
            assert problems(connection) == []  # why the head is published
            published = (last, last_hash)
        else:
            connection.execute(
                "update audit.head set (seq, hash) = (select seq - 1, previous_hash"
                f" from audit.event where seq = {seq})"
            )
            if how == "cut and reset":
                connection.execute(f"delete from audit.event where seq >= {seq}")
                assert problems(connection) == []
                published = (last, last_hash)
        assert problems(connection, *published) != []


def test_the_problem_names_the_place(connection: Connection) -> None:
    with connection.transaction(force_rollback=True):
        first, _ = head(connection)
        for _ in range(5):
            record(connection, "role", "create", "nobody", Jsonb({}))
        disarm(connection)
        connection.execute(f"delete from audit.event where seq in ({first + 2}, {first + 3})")
        connection.execute(f"update audit.event set action = 'drop' where seq = {first + 1}")
        connection.execute(f"delete from audit.event where seq = {first + 5}")
        assert problems(connection) == [
            (first + 1, "altered: its hash is not that of its columns"),
            (first + 4, f"missing before it: {first + 2} to {first + 3}"),
            (first + 5, f"missing at the end: {first + 5} to {first + 5}"),
        ]


def test_an_empty_chain_is_whole_and_holds_its_published_head(connection: Connection) -> None:
    with connection.transaction(force_rollback=True):
        disarm(connection)
        connection.execute("truncate audit.event")
        connection.execute("update audit.head set seq = 0, hash = %s", [NOTHING])
        assert problems(connection) == []
        assert problems(connection, 0, NOTHING) == []
        assert problems(connection, 0, bytes(31) + b"\1") != []


def test_half_a_published_head_is_refused(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.NullValueNotAllowed, match="only one of"):
        problems(connection, 1, None)


def test_the_hash_can_be_worked_out_elsewhere(connection: Connection) -> None:
    """From the formula in the comment of audit.event_hash()."""
    with connection.transaction(force_rollback=True):
        connection.execute("set local timezone = 'Asia/Kolkata'")
        detail = {"long": [1, None, {"é": '\u2028"\\'}], "a": True}
        seq = record(connection, "contract", "update", 'market."Ünï"', Jsonb(detail))
        row = connection.execute(
            "select recorded_at, actor, acting_as, host(client), application, previous_hash, hash"
            " from audit.event where seq = %s",
            [seq],
        ).fetchone()
        published = connection.execute("select * from audit.published_head").fetchone()
    assert row is not None
    at, actor, acting_as, client, application, previous, found = row
    microseconds = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    columns = [
        *(seq, f"{microseconds // 10**6}.{microseconds % 10**6:06d}", actor, acting_as),
        *(client and f"{client}/32", application, "contract", "update", 'market."Ünï"'),
        {"a": True, "long": detail["long"]},  # jsonb: shorter keys first
    ]
    text = json.dumps(columns, ensure_ascii=False)
    assert hashlib.sha256(previous + text.encode()).digest() == found
    assert published == (seq, found.hex(), at)


@pytest.mark.parametrize(
    "change",
    [
        "update audit.event set action = action",
        "delete from audit.event",
        "delete from audit.event where false",
        "truncate audit.event",
    ],
)
def test_the_chain_is_append_only_even_for_its_owner(connection: Connection, change: str) -> None:
    before = head(connection)
    for role in ("market_owner", "postgres"):
        with pytest.raises(
            psycopg.errors.ObjectNotInPrerequisiteState, match=r"(?s)append-only.*audit\.record"
        ):
            run_as(connection, role, change)
    assert head(connection) == before
    assert problems(connection) == []


def test_who_and_where_from(database: str, databases: Databases) -> None:
    with psycopg.connect(database, application_name="a test") as connection:
        record(connection, "role", "grant", "nobody", Jsonb({}))
        connection.execute("set local role market_owner")
        record(connection, "role", "grant", "nobody", None)
        found = connection.execute(
            "select actor, acting_as, host(client), application, detail,"
            " inet_client_addr() is null, recorded_at between now() and clock_timestamp()"
            " from audit.event order by seq desc limit 2"
        ).fetchall()
        local = found[0][5]
    client = None if local else "127.0.0.1"
    assert found == [
        ("postgres", "market_owner", client, "a test", {}, local, True),
        ("postgres", "postgres", client, "a test", {}, local, True),
    ]
    assert local == (databases.kind == "embedded")


def test_what_is_no_event_is_refused_and_leaves_no_gap(connection: Connection) -> None:
    before = head(connection)
    with pytest.raises(psycopg.errors.CheckViolation):
        record(connection, "gossip", "heard", "market.tenant", None)
    with pytest.raises(psycopg.errors.NotNullViolation):
        record(connection, "role", None, "market.tenant", None)
    with connection.transaction(force_rollback=True):
        record(connection, "role", "create", "nobody", None)
    assert head(connection) == before
    assert record(connection, "role", "create", "nobody", None) == before[0] + 1
    assert problems(connection) == []


def test_writers_at_once_leave_one_chain(
    database: str, connection: Connection, databases: Databases
) -> None:
    if databases.kind == "embedded":
        pytest.skip("it runs one transaction at a time")
    before, _ = head(connection)
    errors: list[Exception] = []

    def write(writer: int) -> None:
        try:
            with psycopg.connect(database, autocommit=True) as own:
                for number in range(40):
                    with own.transaction(force_rollback=number % 4 == 0):
                        record(own, "role", f"number {number}", f"writer {writer}", None)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=[n]) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert head(connection)[0] == before + 6 * 30
    assert problems(connection) == []


def test_a_seed_without_a_change_records_nothing(
    database: str, connection: Connection, run_dbt: Callable[..., str]
) -> None:
    before, _ = head(connection)
    run_dbt(database, "seed", "--quiet", "--select", "tenant", "smartdb_contract")
    assert since(connection, before) == []
    connection.execute("update market.tenant set name = 'other' where tenant_id = 2")
    connection.execute("delete from market.contract where field = 'vwap'")
    before, _ = head(connection)
    run_dbt(database, "seed", "--quiet", "--select", "tenant", "smartdb_contract")
    found = sorted(since(connection, before), reverse=True)
    assert [row[:3] for row in found] == [
        ("entitlement", "update", "market.tenant"),
        ("contract", "insert", "market.contract"),
    ]
    assert found[0][3] == {
        "key": {"tenant_id": 2},
        "old": {"name": "other"},
        "new": {"name": "demo_b"},
    }
    assert found[1][3]["key"] == {"ordinal": 6}
    assert found[1][3]["new"]["field"] == "vwap"


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
    versions = connection.execute("select versions from feature.backfill_run").fetchone()
    assert versions == (19,)
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


def test_whoever_is_not_the_owner_can_neither_read_nor_record(connection: Connection) -> None:
    role = f"test_{uuid.uuid4().hex[:12]}"
    # with none of the project's roles it could not even plan a query
    connection.execute(f"create role {role} in role market_ingest".encode())
    try:
        for statement in (
            "select * from audit.event",
            "select audit.record('role', 'create', 'x')",
            "select * from audit.verify()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                run_as(connection, role, statement)
        # the event triggers run for everybody, and let what is no news pass
        run_as(connection, role, "create temp table mine (a int) on commit drop")
    finally:
        connection.execute(f"drop role {role}".encode())


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
    url, drop = databases.create(True)
    rollback(url, len([name for name in names() if name >= "0030"]))
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
    url, drop = databases.create(False)
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
