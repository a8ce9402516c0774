"""What is in the database and no reader of feature.log sees: said where ticks were loaded."""

from datetime import timedelta
from typing import Any

import psycopg

NAMED = 5
WAITS = """
    select count(*), coalesce(sum(bars), 0)::bigint, min(first_day), max(last_day)
    from feature.history_waits()
"""
# the ticks that each has, and what would make a bar of it
NO_BARS = {
    "trade": "quotes alone make no bar: without a trade so far: {}. For bars of their mids set "
    "bars_from to quote in seeds/instrument.csv, run make migrate, then call feature.backfill()",
    "quote": "trades alone make no bar where bars_from is quote: without a quote so far: {}",
}
UNTRADED = "select tenant_id, symbol, market.bars_from(symbol) from feature.untraded_series()"


def waiting(connection: psycopg.Connection[Any]) -> list[str]:
    """Lines about history that waits for a backfill, and ticks that make no bar; none: no lines.

    Errors: psycopg.Error, of a database that is not migrated or does not let the login ask.
    """
    lines = []
    series, bars, first, last = connection.execute(WAITS).fetchall()[0]
    if series:
        lines.append(
            f"history: {bars:,} bars of {series:,} series wait for: "
            f"call feature.backfill('{first}', '{last + timedelta(days=1)}')"
        )
    untraded = connection.execute(UNTRADED).fetchall()
    for bars_from, said in NO_BARS.items():
        named = [
            f"{symbol} of tenant {tenant}" for tenant, symbol, of in untraded if of == bars_from
        ]
        if named:
            more = ", ..." if len(named) > NAMED else ""
            lines.append(said.format(", ".join(named[:NAMED]) + more))
    return lines
