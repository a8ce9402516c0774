"""The services as fixtures, one of each a session; tests/conftest.py names this file a plugin."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from embedded.jvm import kafka, registry


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kafka.Service]:
    """A running Apache Kafka; skips where there is none to be had."""
    reason = kafka.missing()
    if reason is not None:
        pytest.skip(reason)
    service = kafka.start(tmp_path_factory.mktemp("apache_kafka"))
    yield service
    kafka.stop(service)


@pytest.fixture(scope="session")
def apicurio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[registry.Service]:
    """A running Apicurio Registry; skips where there is none to be had."""
    reason = registry.missing()
    if reason is not None:
        pytest.skip(reason)
    service = registry.start(tmp_path_factory.mktemp("apicurio"))
    yield service
    registry.stop(service)
