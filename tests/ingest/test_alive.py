"""An ingester that waits for its database is alive, however long that takes."""

from types import SimpleNamespace

import pytest

from ingest.backoff import Backoff
from ingest.consumer import Ingester
from ingest.errors import DatabaseUnavailableError
from ingest.sink import Sink
from telemetry import health
from telemetry.hooks import Telemetry

PAUSE_S, PAUSES = 100.0, 6


def test_healthz_stays_200_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of the test's own: ten minutes of pauses, each below what counts as hung."""
    now = [0.0]
    monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=lambda: now[0]))
    telemetry = Telemetry()
    ingester = Ingester.__new__(Ingester)  # no broker is there for a whole one
    ingester._telemetry = telemetry
    said = []

    def pause(_: Backoff, __: str) -> None:
        now[0] += PAUSE_S
        said.append(telemetry.health.stalled())

    monkeypatch.setattr(Backoff, "pause", pause)
    monkeypatch.setattr(Backoff, "spent", property(lambda _: len(said) == PAUSES))
    sink = Sink("postgresql://nobody@127.0.0.1:1/none", on_retry=ingester._retries)
    with pytest.raises(DatabaseUnavailableError):
        sink.known()
    assert said == [None] * PAUSES
    assert telemetry.health.unready() == "the database fails and is tried again"
    now[0] += health.STALL_S + 1
    assert "no step of the main loop" in str(telemetry.health.stalled())
