"""COPY in both directions, text and binary, whole and broken."""

from __future__ import annotations

import io

import numpy as np
import psycopg
import psycopg2
import pytest

ROWS = [(1, "plain", 0.5), (2, "tab\tnew\nline\\", None), (3, None, -1e300)]
TRADES = 1_000_000


@pytest.fixture
def table(connection: psycopg.Connection) -> psycopg.Connection:
    connection.execute("create table item (n int primary key, name text, value float8)")
    return connection


@pytest.mark.parametrize("options", ["", "(format binary)"])
def test_copy_in_and_out(table: psycopg.Connection, options: str) -> None:
    types = ["int4", "text", "float8"]
    with table.cursor() as cursor:
        with cursor.copy(f"copy item from stdin {options}") as copy:
            if options:
                copy.set_types(types)
            for row in ROWS:
                copy.write_row(row)
        assert cursor.rowcount == 3
        with cursor.copy(f"copy (select * from item order by n) to stdout {options}") as copy:
            copy.set_types(types)
            assert list(copy.rows()) == ROWS


def test_copy_within_a_transaction_rolls_back(table: psycopg.Connection) -> None:
    with table.transaction(force_rollback=True), table.cursor() as cursor:
        with cursor.copy("copy item from stdin") as copy:
            copy.write_row(ROWS[0])
        assert cursor.execute("select count(*) from item").fetchone() == (1,)
    assert table.execute("select count(*) from item").fetchone() == (0,)


def test_bad_row_fails_the_copy_and_nothing_else(table: psycopg.Connection) -> None:
    def load() -> None:
        with table.cursor().copy("copy item from stdin") as copy:
            copy.write("one\ta\t1\n")
            for number in range(100_000):
                copy.write(f"{number}\ta\t1\n")

    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        load()
    assert table.execute("select count(*) from item").fetchone() == (0,)


def test_client_gives_up_a_copy(table: psycopg.Connection) -> None:
    def load() -> None:
        with table.cursor().copy("copy item from stdin") as copy:
            copy.write_row(ROWS[0])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        load()
    assert table.execute("select count(*) from item").fetchone() == (0,)


def test_copy_into_a_missing_table(table: psycopg.Connection) -> None:
    statement = "copy nowhere from stdin"
    with pytest.raises(psycopg.errors.UndefinedTable), table.cursor().copy(statement):
        pass
    assert table.execute("select 1").fetchone() == (1,)


def test_copy_from_is_recognised_in_any_spelling(table: psycopg.Connection) -> None:
    spelling = "/* from x */ -- to stdout\n  CoPy item (n)\nFROM\tSTDIN"
    with table.cursor().copy(spelling) as copy:
        copy.write("9\n")
    assert table.execute("select n from item").fetchall() == [(9,)]


def test_client_vanishes_in_the_middle_of_a_copy(url: str, table: psycopg.Connection) -> None:
    other = psycopg.connect(url)
    other.pgconn.exec_(b"copy item from stdin")
    other.pgconn.put_copy_data(b"1\ta\t1\n")
    other.pgconn.flush()
    other.pgconn.finish()
    table.execute("begin; lock table item; commit")
    assert table.execute("select count(*) from item").fetchone() == (0,)


@pytest.mark.usefixtures("table")
def test_psycopg2_copy(url: str) -> None:
    client = psycopg2.connect(url)
    try:
        with client, client.cursor() as cursor:
            cursor.copy_expert("copy item from stdin", io.StringIO("1\ta\t0.5\n2\t\\N\t\\N\n"))
            out = io.StringIO()
            cursor.copy_expert("copy item to stdout", out)
        assert out.getvalue() == "1\ta\t0.5\n2\t\\N\t\\N\n"
    finally:
        client.close()


def test_one_million_trades_by_binary_copy(connection: psycopg.Connection) -> None:
    connection.execute(
        "create table trade (tenant_id int, symbol text, ts timestamptz, seq bigint, price float8)"
    )
    connection.execute("select create_hypertable('trade', 'ts')")
    layout = [("fields", ">i2")]
    kinds = {"tenant": ">i4", "symbol": "S4", "ts": ">i8", "seq": ">i8", "price": ">f8"}
    for name, kind in kinds.items():
        layout += [(f"{name}_size", ">i4"), (name, kind)]
    rows = np.zeros(TRADES, dtype=np.dtype(layout))
    rows["fields"] = 5
    for name, kind in kinds.items():
        rows[f"{name}_size"] = np.dtype(kind).itemsize
    rows["tenant"] = np.arange(TRADES) % 2 + 1
    rows["symbol"] = np.array([b"AAPL", b"MSFT"])[np.arange(TRADES) % 2]
    rows["ts"] = 757_382_400_000_000 + np.arange(TRADES) * 86_400
    rows["seq"] = np.arange(TRADES)
    rows["price"] = 100 + np.arange(TRADES) % 1000
    body = rows.tobytes()
    with connection.cursor().copy("copy trade from stdin (format binary)") as copy:
        copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
        copy.write(body)
        copy.write(b"\xff\xff")
    found = connection.execute(
        "select count(*), sum(price), sum(seq), count(distinct symbol), min(ts) from trade"
    ).fetchone()
    first = connection.execute("select timestamptz '2024-01-01 00:00:00+00'").fetchone()
    assert first is not None
    assert found == (TRADES, float(rows["price"].sum()), int(rows["seq"].sum()), 2, first[0])
