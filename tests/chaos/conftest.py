"""A broker for the storms, and storms that clean up after themselves."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from tests.chaos.storm import Storm


@dataclass(frozen=True)
class Broker:
    """A broker: where it listens, and what can be done to it (None: not to this one).

    hang, go_on: it stops answering, and goes on, all connections open.
    stop, start: it ends and comes back at the same address with its messages.
    """

    bootstrap: str
    hang: Callable[[], None] | None = None
    go_on: Callable[[], None] | None = None
    stop: Callable[[], None] | None = None
    start: Callable[[], None] | None = None


def _embedded(directory: Path) -> Iterator[Broker]:
    from embedded import broker

    running = broker.start(directory)
    yield Broker(
        running.bootstrap,
        hang=lambda: os.kill(running.pid, signal.SIGSTOP),
        go_on=lambda: os.kill(running.pid, signal.SIGCONT),
    )
    os.kill(running.pid, signal.SIGCONT)
    broker.stop(directory)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The broker of all storms: KAFKA_BOOTSTRAP, or an embedded one."""
    given = os.environ.get("KAFKA_BOOTSTRAP")
    if given:
        yield Broker(given)
    else:
        yield from _embedded(tmp_path_factory.mktemp("kafka"))


@pytest.fixture(scope="session")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker | None]:
    """A broker to ill-treat; None when KAFKA_BOOTSTRAP names one that is not ours."""
    if os.environ.get("KAFKA_BOOTSTRAP"):
        yield None
    else:
        yield from _embedded(tmp_path_factory.mktemp("own_kafka"))


@pytest.fixture(scope="module")
def new_storm(
    database: str, broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Storm]]:
    """new_storm(bootstrap=the broker's, batch_size=100): topics and ingesters of its own."""
    storms: list[Storm] = []
    numbers, directory = count(), tmp_path_factory.mktemp("storms")

    def make(bootstrap: str = broker.bootstrap, batch_size: int = 100) -> Storm:
        storms.append(Storm(database, bootstrap, directory, next(numbers), batch_size))
        return storms[-1]

    yield make
    for storm in storms:
        storm.close()
