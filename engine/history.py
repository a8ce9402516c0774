"""What is in the database and no reader of feature.log sees: said where ticks were loaded."""

from datetime import timedelta
from typing import Any

import psycopg

NAMED = 5
WAITS = """
    select count(*), coalesce(sum(bars), 0)::bigint, min(first_day), max(last_day)
    from feature.history_waits()
"""
FIELDS = """
    select feature_set || '.' || field, series, first_day, last_day from feature.field_waits()
"""
# a database that an older release has migrated
HAS_FIELDS = "select to_regprocedure('feature.field_waits()') is not null"
# by bars_from and whether it has a vendor's bars: what it has, and what would make a bar of it
SET = "in seeds/instrument.csv, run make migrate, then call feature.backfill()"
BARS_UNUSED = f"a vendor's bars make features where bars_from is bar: of {{}} set it so {SET}"
NO_BARS = {
    ("trade", False): "quotes alone make no bar: without a trade so far: {}. For bars of their "
    f"mids set bars_from to quote {SET}",
    ("quote", False): "trades alone make no bar where bars_from is quote: without a quote so far: "
    "{}",
    ("bar", False): "trades and quotes make no bar where bars_from is bar: without a vendor's bar "
    f"so far: {{}}. For bars of its trades set bars_from to trade {SET}",
    ("trade", True): BARS_UNUSED,
    ("quote", True): BARS_UNUSED,
}
UNTRADED = """
    select
        u.tenant_id,
        u.symbol,
        market.bars_from(u.symbol),
        exists (
            select from market.bar as b
            where b.tenant_id = u.tenant_id and b.symbol = u.symbol
        )
    from feature.untraded_series() as u
"""


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
    if connection.execute(HAS_FIELDS).fetchone() == (True,):
        lines += [
            f"history: field {field} of {series:,} series waits for: "
            f"call feature.backfill('{first}', '{last + timedelta(days=1)}')"
            for field, series, first, last in connection.execute(FIELDS)
        ]
    untraded = connection.execute(UNTRADED).fetchall()
    for case, said in NO_BARS.items():
        named = [
            f"{symbol} of tenant {tenant}" for tenant, symbol, *of in untraded if (*of,) == case
        ]
        if named:
            more = ", ..." if len(named) > NAMED else ""
            lines.append(said.format(", ".join(named[:NAMED]) + more))
    return lines
