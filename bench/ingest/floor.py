"""What the database takes alone: COPY into a temporary table, then insert ... on conflict."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import psycopg

from bench.ingest import load

BATCH = 10_000
TABLE = "create temporary table incoming (like market.trade) on commit delete rows"
COPY = "copy incoming from stdin (format csv)"
INSERT = """
    insert into market.trade
    select * from incoming
    on conflict (tenant_id, symbol, ts, seq) do nothing
"""
STRAIGHT = "copy market.trade from stdin (format csv)"


def render(number: int) -> list[bytes]:
    """The backlog as batches of CSV, ready for COPY."""
    batches, lines = [], []
    for at, record in enumerate(load.backlog(number), 1):
        ts = f"{datetime.fromtimestamp(record['ts'] / 1e6, UTC):%Y-%m-%d %H:%M:%S.%f}+00"
        values = [record["tenant_id"], record["symbol"], ts, record["seq"], record["price"]]
        values += [record["size"], record["side"], ts, "trades", at % load.PARTITIONS, at]
        lines.append(",".join(map(str, values)) + "\n")
        if at % BATCH == 0 or at == number:
            batches.append("".join(lines).encode())
            lines = []
    return batches


def insert(url: str, batches: list[bytes], *, straight: bool = False) -> float:
    """Insert the batches, a transaction each, and return rows a second; truncate before.

    straight: COPY into market.trade itself, which fails where a key is there already.
    """
    with psycopg.connect(url) as connection:
        connection.execute(TABLE)
        connection.commit()
        began = time.monotonic()
        for batch in batches:
            with connection.cursor().copy(STRAIGHT if straight else COPY) as copy:
                copy.write(batch)
            if not straight:
                connection.execute(INSERT)
            connection.commit()
        seconds = time.monotonic() - began
        row = connection.execute("select count(*) from market.trade").fetchone()
    if row is None:
        raise AssertionError("count gives a row")
    return float(row[0] / seconds)
