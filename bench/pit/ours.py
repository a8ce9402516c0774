"""feature_pit_snapshot(), as a service and as a training set are asked for."""

import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import psycopg
import pyarrow as pa

from bench.pit.data import END, Pairs, names

ONE_MOMENT = "select * from feature_pit_snapshot(%s::text[], %s::timestamptz)"
PAIRS = "select * from feature_pit_snapshot(%s::text[], %s::timestamptz[])"
# the arrays lie in the server: what is timed is the function, not their way there
STORE = """
    create table if not exists bench_pair (
        pairs integer primary key, symbols text[], as_of timestamptz[], known_as_of timestamptz[]
    )
"""
STORED = "from bench_pair as p, feature_pit_snapshot(p.symbols, p.as_of) as s where p.pairs = %s"
LATER = """
    from bench_pair as p, feature_pit_snapshot(p.symbols, p.as_of, p.known_as_of) as s
    where p.pairs = $1
"""
PART = """
    select s.*
    from bench_pair as p, feature_pit_snapshot(p.symbols[$2:$3], p.as_of[$2:$3]) as s
    where p.pairs = $1
"""
WARM_UP = 200


def latencies(url: str, symbols: int, asked: int, since: datetime, calls: int) -> list[float]:
    """Seconds of each call for `asked` symbols at a random moment, from request to last row.

    One connection, a prepared statement, binary values, one call after another.
    """
    draw = random.Random(asked)  # noqa: S311
    known = names(symbols)
    span = (END - since).total_seconds() - 3600
    durations = []
    with psycopg.connect(url, autocommit=True, prepare_threshold=0) as connection:
        cursor = connection.cursor(binary=True)
        for _ in range(calls + WARM_UP):
            chosen = draw.sample(known, asked)
            as_of = since + timedelta(seconds=3600 + draw.random() * span)
            started = time.perf_counter()
            rows = cursor.execute(ONE_MOMENT, (chosen, as_of)).fetchall()
            durations.append(time.perf_counter() - started)
            if len(rows) != asked or any(row[-1] for row in rows):
                raise AssertionError(f"stale or missing rows at {as_of}")
    return durations[WARM_UP:]


def store(url: str, pairs: Pairs) -> None:
    """Put the pairs into the server, as two arrays."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(STORE)
        connection.execute(
            "insert into bench_pair values (%s, %s, %s, %s) on conflict (pairs) do update set"
            " symbols = excluded.symbols, as_of = excluded.as_of,"
            " known_as_of = excluded.known_as_of",
            (len(pairs.symbols), pairs.symbols, pairs.as_of, pairs.known_as_of),
        )


def in_server(connection: psycopg.Connection[Any], count: int) -> tuple[int, float]:
    """The whole training set computed, two numbers returned."""
    row = connection.execute(f"select count(*), sum(s.close) {STORED}", (count,)).fetchone()
    if row is None:
        raise AssertionError("no answer")
    return row[0], row[1]


def as_table(connection: psycopg.Connection[Any], count: int) -> None:
    """The whole training set kept as a table in the server."""
    connection.execute("drop table if exists bench_training")
    connection.execute(f"create table bench_training as select s.* {STORED}", (count,))


def as_rows(connection: psycopg.Connection[Any], pairs: Pairs) -> list[tuple[Any, ...]]:
    """Pairs sent, all rows fetched as Python tuples."""
    cursor = connection.cursor(binary=True)
    return cursor.execute(PAIRS, (pairs.symbols, pairs.as_of)).fetchall()


def as_arrow(connection: adbc.Connection, count: int) -> pa.Table:
    """All rows fetched as an Arrow table, by the ADBC driver; the pairs lie in the server."""
    with connection.cursor() as cursor:
        cursor.execute(f"select s.* {STORED % '$1'}", (count,))
        return cursor.fetch_arrow_table()


def as_arrow_later(connection: adbc.Connection, count: int) -> pa.Table:
    """The same with each pair's own known_as_of."""
    with connection.cursor() as cursor:
        cursor.execute(f"select s.* {LATER}", (count,))
        return cursor.fetch_arrow_table()


def as_arrow_parts(connections: Sequence[adbc.Connection], count: int) -> pa.Table:
    """All rows as an Arrow table, a part of the pairs on each connection, in their order.

    What was known at a moment does not change: the parts need no common snapshot.
    """
    share = -(-count // len(connections))

    def part(number: int, connection: adbc.Connection) -> pa.Table:
        first = number * share
        with connection.cursor() as cursor:
            cursor.execute(PART, (count, first + 1, min(first + share, count)))
            return cursor.fetch_arrow_table()

    with ThreadPoolExecutor(len(connections)) as pool:
        return pa.concat_tables(pool.map(part, range(len(connections)), connections))
