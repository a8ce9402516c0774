"""Quix Streams, the peer: with its own PostgreSQL sink, and with a faster one written for it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = ("tenant_id", "symbol", "ts", "seq", "price", "size", "side", "known_at")
SINKS = {
    "own": "Quix Streams, its PostgreSQLSink",
    "copy": "Quix Streams, a sink written for it (COPY, ON CONFLICT)",
}
TABLE = """
    create table quix_trade as select {columns} from market.trade with no data;
    alter table quix_trade add unique (tenant_id, symbol, ts, seq);
    select create_hypertable('quix_trade', 'ts', chunk_time_interval => interval '1 day')
"""


def create_table(url: str) -> None:
    """Make the peer's table: market.trade's columns, key and chunks, none of its checks."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("drop table if exists quix_trade")
        connection.execute(TABLE.format(columns=", ".join(COLUMNS)))
        connection.execute("checkpoint")


def drain(url: str, bootstrap: str, topic: str, number: int, sink: str) -> float:
    """Have the peer consume `number` trades in a process; return trades a second once they flow.

    sink: of SINKS. Raises RuntimeError when it fails.
    """
    command = [sys.executable, "-m", "bench.ingest.quix", url, bootstrap, topic, str(number), sink]
    running = subprocess.Popen(command, cwd=ROOT)
    first: tuple[float, int] | None = None
    done, now = 0, time.monotonic()
    with psycopg.connect(url, autocommit=True) as connection:
        while done < number and running.poll() is None:
            row = connection.execute("select count(*) from quix_trade").fetchone()
            done, now = (row[0] if row else 0), time.monotonic()
            if done and first is None:
                first = now, done
            time.sleep(0.1)
    if running.wait(60) != 0 or first is None or done < number or done == first[1]:
        raise RuntimeError("the peer failed: see what it said above")
    return float((done - first[1]) / (now - first[0]))
