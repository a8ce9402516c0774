"""Copied or applied: ticks end up alike, whatever repeats and however batches are cut."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.consume.ticks import Ticks, create_incoming
from tests.conftest import Databases

START = datetime(2024, 3, 11, 12, tzinfo=UTC).replace(tzinfo=None)
Event = tuple[str, int, str, int, int]  # action, seconds of ts, symbol, price, seconds of known_at
COLUMNS: dict[str, Any] = {
    "ordinal": pl.Int64,
    "action": pl.String,
    "own_clock": pl.Boolean,
    "tenant_id": pl.Int64,
    "symbol": pl.String,
    "ts": pl.Datetime("us"),
    "seq": pl.Int64,
    "price": pl.Float64,
    "size": pl.Float64,
    "side": pl.String,
    "known_at": pl.Datetime("us"),
    "source_topic": pl.String,
    "source_partition": pl.Int32,
    "source_offset": pl.Int64,
}
EVENTS = st.tuples(
    st.sampled_from(["new"] * 3 + ["correction", "cancel"]),
    st.integers(0, 5),
    st.sampled_from(["SYN_ES", "SYN_NQ"]),
    st.integers(1, 3),
    st.integers(0, 3),
)


@pytest.fixture(scope="module")
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as opened:
        opened.execute("set client_min_messages = warning")
        yield opened


def rows_of(events: list[Event], first: int) -> pl.DataFrame:
    """The events as rows of incoming_trade; first: offset of the first."""
    rows = []
    for place, (action, ts_s, symbol, price, delay_s) in enumerate(events):
        ts = START + timedelta(seconds=ts_s)
        key = place, action, False, 1, symbol, ts, 0
        known_at = ts + timedelta(seconds=delay_s)
        rows.append((*key, float(price), 1.0, None, known_at, "trades", 0, first + place))
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def written(
    connection: psycopg.Connection[Any], ticks: Ticks, rows: pl.DataFrame
) -> list[tuple[int, str]]:
    """Write and end the batch as a commit does, without one."""
    others = [other[:2] for other in ticks.write(connection, "trade", rows)]
    create_incoming(connection, "trade")
    connection.execute("delete from pg_temp.incoming_trade")
    return others


def outcome_of(
    connection: psycopg.Connection[Any], batches: list[list[Event]], *, copies: bool
) -> tuple[Any, ...]:
    """Write the batches; return all that then is there."""
    ticks = Ticks()
    said: list[tuple[int, str]] = []
    with connection.transaction(force_rollback=True):
        first = 0
        for events in batches:
            if not copies:
                ticks.leave_to_apply("trade")
            others = written(connection, ticks, rows_of(events, first))
            said += [(first + at, what) for at, what in others]
            first += len(events)
        current = connection.execute("select * from market.trade order by 1, 2, 3, 4").fetchall()
        replaced = connection.execute(
            "select * from market.trade_superseded order by 1, 2, 3, 4, superseded_at,"
            " superseded_offset"
        ).fetchall()
        bars = connection.execute(
            "select distinct tenant_id, symbol, bucket, cause from feature.changed_bar"
            " order by 1, 2, 3, 4"
        ).fetchall()
    return sorted(said), current, replaced, bars


@settings(max_examples=100, deadline=None)
@given(batches=st.lists(st.lists(EVENTS, min_size=1, max_size=8), max_size=8))
def test_copied_or_applied_makes_no_difference(
    connection: psycopg.Connection[Any], batches: list[list[Event]]
) -> None:
    applied = outcome_of(connection, batches, copies=False)
    assert outcome_of(connection, batches, copies=True) == applied


def test_a_stream_that_repeats_itself_is_copied_again_later(
    connection: psycopg.Connection[Any],
) -> None:
    ticks = Ticks()
    first, *later = [rows_of([("new", at, "SYN_ES", 1, 0)], at) for at in range(60)]
    with connection.transaction(force_rollback=True):

        def batches_until_copied() -> int:
            applied = 0
            while not ticks.copies("trade"):
                written(connection, ticks, later.pop())
                applied += 1
            return applied

        written(connection, ticks, first)
        assert batches_until_copied() == 0
        for wanted in (8, 16):
            assert written(connection, ticks, first) == [(0, "duplicate")]
            assert batches_until_copied() == wanted
        written(connection, ticks, later.pop())
        written(connection, ticks, first)
        assert batches_until_copied() == 8


def test_a_chunk_in_the_columnstore_takes_new_ticks_and_knows_its_own(
    connection: psycopg.Connection[Any],
) -> None:
    stored = [("new", second, "SYN_ES", 1, 0) for second in range(0, 20, 2)]
    more = [("new", second, "SYN_ES", 2, 0) for second in range(1, 20, 2)]
    with connection.transaction(force_rollback=True):
        ticks = Ticks()
        assert written(connection, ticks, rows_of(stored, 0)) == []
        connection.execute("select compress_chunk(c) from show_chunks('market.trade') as c")
        assert written(connection, ticks, rows_of(more, 10)) == []
        both = sorted([*stored, *more], key=lambda event: event[1])
        assert len(written(connection, ticks, rows_of(both, 20))) == len(both)
        prices = connection.execute("select price from market.trade order by ts").fetchall()
    assert prices == [(1.0,), (2.0,)] * 10


def test_a_late_tick_that_is_copied_reaches_its_aggregate(database: str) -> None:
    refresh = (
        "call refresh_continuous_aggregate('market.ohlc_1m', timestamptz '2024-03-11 00:00+00',"
        " timestamptz '2024-03-12 00:00+00')"
    )
    ticks, trades = Ticks(), []
    with psycopg.connect(database, autocommit=True) as connection:
        for second in (0, 30):
            with connection.transaction():
                rows = rows_of([("new", second, "SYN_CL", 1, 0)], second)
                assert ticks.write(connection, "trade", rows) == []
            connection.execute(refresh)
            trades += connection.execute(
                "select trades from market.ohlc_1m where symbol = 'SYN_CL'"
            ).fetchall()
    assert trades == [(1,), (2,)]
    assert ticks.copies("trade")


@pytest.mark.parametrize("copies", [True, False])
def test_a_tick_said_again_while_it_is_cancelled_does_not_come_back(
    database: str, databases: Databases, *, copies: bool
) -> None:
    if databases.kind == "embedded":
        pytest.skip("the embedded engine runs one transaction at a time")
    symbol = f"SYN_{copies}"
    said, again = (rows_of([("new", 0, symbol, 1, 0)], offset) for offset in (0, 2))
    cancel = rows_of([("cancel", 0, symbol, 1, 5)], 1)
    with psycopg.connect(database) as first, psycopg.connect(database) as second:
        assert Ticks().write(first, "trade", said) == []
        first.commit()
        assert Ticks().write(first, "trade", cancel) == []
        ticks = Ticks()
        if not copies:
            ticks.leave_to_apply("trade")
        with ThreadPoolExecutor(1) as thread:
            waiting = thread.submit(ticks.write, second, "trade", again)
            while not first.execute(
                "select 1 from pg_locks where not granted and pid = %s", [second.info.backend_pid]
            ).fetchone():
                time.sleep(0.01)
            first.commit()
            assert waiting.result(10) == [(0, "duplicate", None)]
        second.commit()
        found = first.execute(
            "select price from market.trade where symbol = %s", [symbol]
        ).fetchall()
    assert found == []
