"""The tenants and symbols a tick may name, as the database lists them."""

from __future__ import annotations

import time
from collections.abc import Collection

from ingest.consume.sink import Sink
from ingest.validate import Known

REREAD_S = 1.0


class Reference:
    """Tenants and symbols, read again when a tick names another one, at most once a second."""

    def __init__(self, sink: Sink) -> None:
        """sink: where to read them."""
        self._sink = sink
        self._known = sink.known()
        self._read = time.monotonic()

    def __call__(self, tenants: Collection[int], symbols: Collection[str]) -> Known:
        """Return what ticks that name these are to be judged by."""
        known = self._known
        there = known.tenants.issuperset(tenants) and known.symbols.issuperset(symbols)
        if not there and time.monotonic() - self._read > REREAD_S:
            self._known, self._read = self._sink.known(), time.monotonic()
        return self._known
