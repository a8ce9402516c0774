"""The tenants and symbols a tick may name, as the database lists them."""

from __future__ import annotations

import time
from collections.abc import Collection

import psycopg

from ingest.database import Database
from ingest.validate import Known

REREAD_S = 1.0


class Reference:
    """Tenants and symbols, read again when a tick asks for more, at most once a second."""

    def __init__(self, database: Database) -> None:
        """database: where to read them."""
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
        if not there and time.monotonic() - self._read > REREAD_S:
            self._known, self._read = read_known(self._database), time.monotonic()
        return self._known


def read_known(database: Database) -> Known:
    """Read the tenants and symbols that ticks may name. Raises DatabaseUnavailableError."""

    def work(connection: psycopg.Connection, _: bool) -> Known:
        tenants = connection.execute("select tenant_id from market.tenant").fetchall()
        symbols = connection.execute(
            "select symbol, allows_negative_price from market.instrument"
        ).fetchall()
        return Known(
            frozenset(row[0] for row in tenants),
            frozenset(row[0] for row in symbols),
            frozenset(row[0] for row in symbols if row[1]),
        )

    return database.transact(work)
