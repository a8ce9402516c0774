"""What is in the database and no reader of feature.log sees: said where ticks were loaded."""

from datetime import timedelta
from typing import Any

import psycopg

NAMED = 5
WAITS = """
    select count(*), coalesce(sum(bars), 0)::bigint, min(first_day), max(last_day)
    from feature.history_waits()
"""
UNTRADED = "select tenant_id, symbol from feature.untraded_series()"


def waiting(connection: psycopg.Connection[Any]) -> list[str]:
    """Lines about history that waits for a backfill, and quotes that make no bar; none: no lines.

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
    if untraded:
        named = [f"{symbol} of tenant {tenant}" for tenant, symbol in untraded[:NAMED]]
        more = ", ..." if len(untraded) > NAMED else ""
        lines.append(f"quotes alone make no bar: without a trade so far: {', '.join(named)}{more}")
    return lines
