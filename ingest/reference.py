"""What ticks are judged by that the database says: tenants, symbols, how far back it keeps them."""

from __future__ import annotations

import time
from collections.abc import Collection

import psycopg

from ingest.database import Database
from ingest.kinds import KINDS
from ingest.validate import Known

REREAD_S = 1.0
# a retention may have been changed, and its edge moves with the time
RENEW_S = 10.0


class Reference:
    """What is known, read again each 10 s, and at once when a tick asks for more, once a second."""

    def __init__(self, database: Database) -> None:
        """database: where to read it."""
        self._database = database
        self._known = read_known(database)
        self._read = time.monotonic()

    def __call__(
        self, tenants: Collection[int], symbols: Collection[str], signed: Collection[str]
    ) -> Known:
        """Return what ticks are judged by. signed: symbols of which some have negative prices."""
        known = self._known
        there = (
            known.tenants.issuperset(tenants)
            and known.symbols.issuperset(symbols)
            and known.signed.issuperset(signed)
        )
        if time.monotonic() - self._read > (RENEW_S if there else REREAD_S):
            self._known, self._read = read_known(self._database), time.monotonic()
        return self._known


def read_known(database: Database) -> Known:
    """Read tenants, symbols and the earliest times. Raises DatabaseUnavailableError."""

    def work(connection: psycopg.Connection, _: bool) -> Known:
        tenants = connection.execute("select tenant_id from market.tenant").fetchall()
        symbols = connection.execute(
            "select symbol, allows_negative_price from market.instrument"
        ).fetchall()
        earliest = connection.execute(
            "select k.kind, floor(1000000 * extract(epoch from e.ts))::bigint"
            " from unnest(%s::text[]) as k (kind)"
            " cross join lateral market.earliest_accepted(k.kind) as e (ts)",
            [list(KINDS)],
        ).fetchall()
        return Known(
            frozenset(row[0] for row in tenants),
            frozenset(row[0] for row in symbols),
            frozenset(row[0] for row in symbols if row[1]),
            dict(earliest),
        )

    return database.transact(work)
