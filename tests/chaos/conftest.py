"""Brokers and a database for the storms, and storms that clean up after themselves."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from embedded import broker as embedded_broker
from embedded.jvm import kafka
from tests.chaos import own
from tests.chaos.storm import Storm
from tests.conftest import Databases


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of the broker of most storms: KAFKA_BOOTSTRAP, or an embedded one."""
    given = os.environ.get("KAFKA_BOOTSTRAP")
    if given:
        yield given
        return
    running = embedded_broker.start(tmp_path_factory.mktemp("kafka"))
    yield running.bootstrap
    os.kill(running.pid, signal.SIGKILL)  # it takes five seconds to stop


@pytest.fixture(params=["broker", "apache_kafka"])
def each_broker(request: pytest.FixtureRequest) -> str:
    """host:port of the broker of most storms, and of Apache Kafka."""
    found: str | kafka.Service = request.getfixturevalue(request.param)
    return found if isinstance(found, str) else found.bootstrap


@pytest.fixture(scope="module")
def own_broker(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[embedded_broker.EmbeddedBroker]:
    """An embedded broker to ill-treat."""
    running = embedded_broker.start(tmp_path_factory.mktemp("own_kafka"))
    yield running
    os.kill(running.pid, signal.SIGKILL)


class OwnKafka:
    """An Apache Kafka to stop, to kill and to start again with its messages."""

    def __init__(self, directory: Path) -> None:
        self._service = kafka.start(directory)
        self.bootstrap = self._service.bootstrap

    def start(self) -> None:
        self._service = kafka.start(self._service.directory)

    def stop(self) -> None:
        kafka.stop(self._service)

    def kill(self) -> None:
        kafka.kill(self._service)


@pytest.fixture(scope="module")
def own_apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnKafka]:
    """An Apache Kafka to ill-treat; skips where there is none to be had."""
    reason = kafka.missing()
    if reason is not None:
        pytest.skip(reason)
    running = OwnKafka(tmp_path_factory.mktemp("own_apache_kafka"))
    yield running
    running.kill()


@pytest.fixture(scope="module")
def own_database(databases: Databases, database: str) -> Iterator[own.OwnDatabase]:
    """A database to ill-treat, of the session's kind; skips where there is none to be had."""
    with ExitStack() as places:
        if databases.template is not None:
            yield own.embedded(databases.template("migrated"), places)
        else:
            yield own.server(database, places)


@pytest.fixture(scope="module")
def new_storm(
    database: str, broker: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Storm]]:
    """new_storm(bootstrap=, url=, batch_size=100): topics and ingesters of its own."""
    storms: list[Storm] = []
    numbers, directory = count(), tmp_path_factory.mktemp("storms")

    def make(bootstrap: str = broker, url: str = database, batch_size: int = 100) -> Storm:
        storms.append(Storm(url, bootstrap, directory, next(numbers), batch_size))
        return storms[-1]

    yield make
    for storm in storms:
        storm.close()
