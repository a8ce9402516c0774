"""What one publish costs: by symbols, and by the history that lies behind it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from bench.pit.data import END, MINUTE

TICKS = 60
STAMP_AFTER = timedelta(seconds=2)
CORRECTED = END - timedelta(hours=3)

# A trade and a quote each 60/n seconds for every symbol, each known 50 ms later.
TRADES = """
    insert into market.trade (tenant_id, symbol, ts, seq, price, size, side, known_at)
    select
        1, i.symbol, t.ts, n, 100 + 0.05 * random_normal(), 1 + floor(10 * random()),
        (array['buy', 'sell'])[1 + n %% 2], t.ts + interval '50 ms'
    from generate_series(1, %(ticks)s) as n
    cross join lateral (
        select %(minute)s + (n - 1) * interval '1 minute' / %(ticks)s as ts
    ) as t
    inner join market.instrument as i on i.symbol = any(%(symbols)s)
    order by t.ts, i.symbol
"""
QUOTES = """
    insert into market.quote
        (tenant_id, symbol, ts, seq, bid, bid_size, ask, ask_size, known_at)
    select
        1, i.symbol, t.ts, n, 99.99 - 0.01 * random(), 5, 100.01 + 0.01 * random(), 5,
        t.ts + interval '50 ms'
    from generate_series(1, %(ticks)s) as n
    cross join lateral (
        select %(minute)s + (n - 1) * interval '1 minute' / %(ticks)s as ts
    ) as t
    inner join market.instrument as i on i.symbol = any(%(symbols)s)
    order by t.ts, i.symbol
"""
CORRECTION = """
    insert into incoming_trade (ordinal, action, tenant_id, symbol, ts, seq, price, size, side,
        known_at)
    select 1, 'correction', tenant_id, symbol, ts, seq, price * 1.01, size, side, %s
    from market.trade
    where tenant_id = 1 and symbol = %s and ts >= %s and ts < %s + interval '1 minute'
    order by ts desc
    limit 1
"""


@dataclass(frozen=True)
class Published:
    """Durations in seconds and versions written: each minute's publish, then the correction's."""

    insert_s: list[float]
    publish_s: list[float]
    versions: list[int]
    correction_s: float
    correction_versions: int


def measure(url: str, symbols: list[str], days: int, minutes: int) -> Published:
    """Ticks of some minutes after END, a publish after each, then one correction 3 hours back.

    The log holds `days` of history; so do the tick tables, thinly: six trades and quotes a day and
    symbol, so that they have as many chunks, and the corrected bar whole.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        for day in range(days):
            _ticks(connection, symbols, END - timedelta(days=day + 1), 6)
        _ticks(connection, symbols[:1], CORRECTED, TICKS)
        # all of that was published long ago
        connection.execute("truncate feature.changed_bar")
        connection.execute("vacuum analyze market.trade, market.quote")
    insert_s, publish_s, versions = [], [], []
    minute = END
    for _ in range(minutes):
        with psycopg.connect(url, autocommit=True) as connection:
            started = time.perf_counter()
            _ticks(connection, symbols, minute, TICKS)
            insert_s.append(time.perf_counter() - started)
        seconds, count = _publish(url, minute + MINUTE + STAMP_AFTER)
        publish_s.append(seconds)
        versions.append(count)
        minute += MINUTE
    stamp = minute + STAMP_AFTER + timedelta(seconds=30)
    with psycopg.connect(url) as connection:
        connection.execute(
            "create temp table incoming_trade (ordinal bigint, action text,"
            " own_clock boolean not null default false, like market.trade)"
        )
        symbol = symbols[0]
        connection.execute(
            CORRECTION, (stamp - timedelta(seconds=10), symbol, CORRECTED, CORRECTED)
        )
        connection.execute("select * from market.apply_trades()")
    correction_s, correction_versions = _publish(url, stamp)
    return Published(insert_s, publish_s, versions, correction_s, correction_versions)


def _ticks(
    connection: psycopg.Connection[Any], symbols: list[str], minute: datetime, ticks: int
) -> None:
    values = {"symbols": symbols, "minute": minute, "ticks": ticks}
    connection.execute(TRADES, values)
    connection.execute(QUOTES, values)


def _publish(url: str, stamp: datetime) -> tuple[float, int]:
    """One publish on a new connection, as the scheduler's job has one."""
    with _connected(url) as connection:
        started = time.perf_counter()
        row = connection.execute("call feature.publish(%s)", (stamp,)).fetchone()
        seconds = time.perf_counter() - started
    return seconds, row[0] if row else 0


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("select 1")
        yield connection
