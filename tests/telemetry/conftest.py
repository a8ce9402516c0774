"""Telemetry that is closed in the end, and collectors to push to."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from telemetry import outputs
from telemetry import start as starting
from telemetry.hooks import Telemetry
from telemetry.settings import TelemetryConfig
from tests.telemetry.collector import Collector
from tests.telemetry.scrape import HANGS_S

GROUP = "test"
KINDS = ("trade", "quote")
REASONS = ("undecodable", "conflict")
Start = Callable[..., Telemetry]


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """One that answers: what is closed waits for it as long as that takes."""
    monkeypatch.setattr(outputs, "FLUSH_S", HANGS_S)
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def silent() -> Iterator[str]:
    """URL of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def start() -> Iterator[Start]:
    """start(**settings): ingest's telemetry, closed in the end."""
    started = []

    def make(**settings: Any) -> Telemetry:
        started.append(starting.ingest(TelemetryConfig(**settings), GROUP, KINDS, REASONS))
        return started[-1]

    yield make
    for telemetry in started:
        telemetry.close()
