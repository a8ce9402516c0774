"""Queries, parameters, statements, cursors and errors, as psycopg 3 and psycopg 2 send them."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from datetime import UTC, datetime
from urllib.parse import urlsplit

import psycopg
import psycopg2
import pytest


@pytest.mark.parametrize("binary", [False, True])
def test_values_survive_the_round_trip(connection: psycopg.Connection, binary: bool) -> None:
    noon = datetime(2024, 1, 2, 12, tzinfo=UTC)
    sent = (7, 2**40, 0.1, "naïve ☃", b"\x00\xff", noon, None, [1, 2])
    types = ["int", "bigint", "float8", "text", "bytea", "timestamptz", "text", "int[]"]
    select = "select " + ", ".join(f"%s::{name}" for name in types)
    assert connection.execute(select, sent, binary=binary).fetchone() == sent


def test_named_statement_is_reused(connection: psycopg.Connection) -> None:
    for number in range(20):
        row = connection.execute("select %s::int * 2", (number,), prepare=True).fetchone()
        assert row == (number * 2,)


def test_statement_names_belong_to_their_client(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as one, psycopg.connect(url, autocommit=True) as two:
        one.execute("prepare mine as select 'one'")
        two.execute("prepare mine as select 'two'")
        assert one.execute("execute mine").fetchone() == ("one",)
        assert two.execute("execute mine").fetchone() == ("two",)
        one.execute("deallocate mine")
        with pytest.raises(psycopg.errors.InvalidSqlStatementName):
            one.execute("execute mine")
        assert two.execute("execute mine").fetchone() == ("two",)


def test_deallocate_all_leaves_other_clients_statements(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as one, psycopg.connect(url, autocommit=True) as two:
        for client in (one, two):
            client.prepare_threshold = 0
            client.execute("select %s::int", (1,))
        one.execute("deallocate all")
        assert two.execute("select %s::int", (2,)).fetchone() == (2,)


def test_unnamed_statement_belongs_to_its_client(url: str) -> None:
    with psycopg.connect(url) as one, psycopg.connect(url) as two:
        for number, client in enumerate((one, two)):
            client.pgconn.prepare(b"", b"select %d" % number)
        for number, client in enumerate((one, two)):
            result = client.pgconn.exec_prepared(b"", None)
            assert result.get_value(0, 0) == b"%d" % number


def test_pipeline_mode(connection: psycopg.Connection) -> None:
    connection.execute("create table item (n int)")
    with connection.pipeline() as pipeline:
        cursors = [
            connection.execute("insert into item values (%s) returning n", (n,)) for n in range(100)
        ]
        pipeline.sync()
        assert [cursor.fetchone() for cursor in cursors] == [(n,) for n in range(100)]
    assert connection.execute("select count(*) from item").fetchone() == (100,)


def test_pipeline_error_aborts_up_to_the_next_sync(connection: psycopg.Connection) -> None:
    connection.execute("create table item (n int primary key)")

    def run() -> None:
        with connection.pipeline():
            connection.execute("insert into item values (1)")
            connection.execute("select 1 / 0")
            connection.execute("insert into item values (2)")

    with pytest.raises(psycopg.errors.DivisionByZero):
        run()
    assert connection.execute("select count(*) from item").fetchone() == (0,)


def test_server_side_cursor(url: str) -> None:
    with psycopg.connect(url) as client, client.cursor(name="rows") as cursor:
        cursor.itersize = 100
        cursor.execute("select n from generate_series(1, 1000) as n")
        assert cursor.fetchmany(3) == [(1,), (2,), (3,)]
        assert sum(n for (n,) in cursor) == sum(range(4, 1001))


def test_two_clients_use_the_same_cursor_name(url: str) -> None:
    for _ in range(2):
        with psycopg.connect(url) as client, client.cursor(name="same") as cursor:
            cursor.execute("select 1")
            assert cursor.fetchall() == [(1,)]


def test_large_result_and_large_values(connection: psycopg.Connection) -> None:
    connection.execute("create table wide (n int, body text)")
    body = "0123456789abcdef" * 65536
    for number in range(3):
        connection.execute("insert into wide values (%s, %s)", (number, body))
    assert connection.execute("select body from wide").fetchall() == [(body,)] * 3
    many = "select n, repeat('x', 50) from generate_series(1, 200000) n"
    rows = connection.execute(many).fetchall()
    assert len(rows) == 200_000
    assert rows[-1] == (200_000, "x" * 50)


def test_error_in_autocommit_keeps_the_connection(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable) as caught:
        connection.execute("select * from no_such_table")
    assert caught.value.diag.statement_position == "15"
    assert connection.execute("select 1").fetchone() == (1,)


def test_failed_transaction_recovers_by_rollback_and_savepoint(url: str) -> None:
    with psycopg.connect(url) as client:
        client.execute("create table item (n int)")
        client.execute("savepoint before")
        with pytest.raises(psycopg.errors.DivisionByZero):
            client.execute("select 1 / 0")
        client.execute("rollback to savepoint before")
        client.execute("insert into item values (2)")
        with pytest.raises(psycopg.errors.SyntaxError):
            client.execute("selec")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            client.execute("select 1")
        client.rollback()
        assert client.execute("select to_regclass('item')").fetchone() == (None,)


def test_several_statements_in_one_query(connection: psycopg.Connection) -> None:
    cursor = connection.execute("select 1; select 2; select 3")
    results = [cursor.fetchone()]
    while cursor.nextset():
        results.append(cursor.fetchone())
    assert results == [(1,), (2,), (3,)]


def test_empty_query(connection: psycopg.Connection) -> None:
    assert connection.execute("").statusmessage in (None, "")
    assert connection.execute("select 1").fetchone() == (1,)


def test_notices_arrive(connection: psycopg.Connection) -> None:
    seen: list[str | None] = []
    connection.add_notice_handler(lambda diag: seen.append(diag.message_primary))
    connection.execute("do $$ begin raise notice 'hello'; raise debug 'hidden'; end $$")
    assert seen == ["hello"]


def test_psycopg2(url: str) -> None:
    client = psycopg2.connect(url)
    try:
        with client, client.cursor() as cursor:
            cursor.execute("create table item (n int, name text)")
            cursor.executemany("insert into item values (%s, %s)", [(1, "a"), (2, "b'\\")])
        with client, client.cursor() as cursor:
            cursor.execute("select * from item order by n")
            assert cursor.fetchall() == [(1, "a"), (2, "b'\\")]
        with pytest.raises(psycopg2.errors.DivisionByZero), client, client.cursor() as cursor:
            cursor.execute("select 1 / 0")
        with client, client.cursor("served") as cursor:
            cursor.execute("select n from item order by n")
            assert cursor.fetchall() == [(1,), (2,)]
    finally:
        client.close()


SLOW = "select count(*) from generate_series(1, 50000000)"


@pytest.mark.parametrize("statement", [SLOW, "select pg_sleep(20)"])
def test_statement_timeout(connection: psycopg.Connection, statement: str) -> None:
    connection.execute("set statement_timeout = '200ms'")
    with pytest.raises(psycopg.errors.QueryCanceled, match="statement timeout"):
        connection.execute(statement)
    connection.execute("reset statement_timeout")
    assert connection.execute("select pg_sleep(0.3)::text").fetchone() == ("",)


@pytest.mark.parametrize("statement", [SLOW, "select pg_sleep(20)"])
def test_cancel(connection: psycopg.Connection, statement: str) -> None:
    timer = threading.Timer(0.2, connection.cancel_safe)
    timer.start()
    with pytest.raises(psycopg.errors.QueryCanceled, match="user request"):
        connection.execute(statement)
    timer.join()
    assert connection.execute("select 1").fetchone() == (1,)


def test_cancel_of_nothing_is_harmless(connection: psycopg.Connection) -> None:
    connection.cancel_safe()
    time.sleep(0.1)
    assert connection.execute("select 2").fetchone() == (2,)


def test_uninterruptible_statement_is_harmless(connection: psycopg.Connection) -> None:
    """A loop that neither reads nor waits may run to its end; what follows is not touched."""
    timer = threading.Timer(0.05, connection.cancel_safe)
    timer.start()
    with contextlib.suppress(psycopg.errors.QueryCanceled):
        connection.execute("do $$ begin for i in 1..1000000 loop end loop; end $$")
    timer.join()
    time.sleep(0.1)
    assert connection.execute("select 1").fetchone() == (1,)


def test_statement_timeout_of_a_transaction_ends_with_it(connection: psycopg.Connection) -> None:
    with connection.transaction():
        connection.execute("set local statement_timeout = '100ms'")
    assert connection.execute("select pg_sleep(0.2)::text").fetchone() == ("",)


def _startup(parameters: dict[str, str]) -> bytes:
    pairs = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items())
    body = struct.pack("!i", 196608) + pairs + b"\0"
    return struct.pack("!i", len(body) + 4) + body


def test_garbage_instead_of_messages_harms_nobody(
    server_url: str, connection: psycopg.Connection
) -> None:
    address = urlsplit(server_url)
    where = (address.hostname or "127.0.0.1", address.port or 5432)
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", struct.pack("!ii", 8, 7 << 16), b"\xff" * 64):
        with socket.create_connection(where, timeout=10) as raw:
            raw.sendall(garbage)
    with socket.create_connection(where, timeout=10) as raw:
        raw.sendall(_startup({"user": address.username or "postgres", "database": "postgres"}))
        raw.sendall(b"Q" + struct.pack("!i", 1) + b"broken")
        while raw.recv(4096):
            pass
    assert connection.execute("select 1").fetchone() == (1,)


def test_unknown_role_and_setting_are_refused(server_url: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="no_such_role"):
        psycopg.connect(server_url, user="no_such_role")
    with pytest.raises(psycopg.OperationalError, match="no_such_setting"):
        psycopg.connect(server_url, options="-c no_such_setting=1")
