"""The audit chain stays whole, and no alteration of it passes unseen."""

import hashlib
import json
import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from tests.audit.chain import NOTHING, Connection, disarm, head, problems, record, rewrite, run_as
from tests.conftest import Databases

KINDS = ["entitlement", "role", "contract", "ddl", "backfill"]
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
