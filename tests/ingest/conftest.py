"""A broker, and topics and a database of each test's own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from ingest.config import Config
from ingest.kinds import MINUTE_US
from ingest.wire.topics import dead_letter_topic

NOON_US = 1_700_049_600_000_000  # 2023-11-15 12:00 UTC


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of the broker: KAFKA_BOOTSTRAP, or an embedded one."""
    given = os.environ.get("KAFKA_BOOTSTRAP")
    if given:
        yield given
        return
    from embedded import broker as embedded_broker

    directory = tmp_path_factory.mktemp("kafka")
    yield embedded_broker.start(directory).bootstrap
    embedded_broker.stop(directory)


@pytest.fixture
def config(broker: str, database: str) -> Config:
    """Settings with topics and a group of this test's own."""
    name = uuid.uuid4().hex[:12]
    return Config(
        database_url=database,
        kafka_bootstrap=broker,
        kafka_group=f"test_{name}",
        topics={"trade": f"trades_{name}", "quote": f"quotes_{name}"},
        partitions=2,
        linger_s=0.2,
        retry_s=5,
    )


@pytest.fixture
def query(database: str) -> Callable[..., list[tuple[Any, ...]]]:
    """query(sql, *values): rows from the module's database."""

    def run(statement: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(database, autocommit=True) as connection:
            return connection.execute(statement, values).fetchall()

    return run


@pytest.fixture
def dead_letters(broker: str) -> Callable[[str], list[Message]]:
    """dead_letters(topic): all messages of <topic>.dlq, oldest first."""

    def read(topic: str) -> list[Message]:
        consumer = Consumer(
            {
                "bootstrap.servers": broker,
                "group.id": "reader",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 100,
            }
        )
        consumer.assign([TopicPartition(dead_letter_topic(topic), 0, 0)])
        found: list[Message] = []
        while more := consumer.consume(1000, 0.5):
            found += more
        consumer.close()
        return found

    return read


@pytest.fixture
def trade() -> Callable[..., dict[str, Any]]:
    """trade(seq, **changes): a valid trade record."""

    def make(seq: int = 0, **changes: object) -> dict[str, Any]:
        return {
            "tenant_id": 1,
            "symbol": "SYN_ES",
            "ts": NOON_US + seq * 1_000_000,
            "seq": seq,
            "price": 4500.25,
            "size": 2.0,
            "side": "buy",
            "action": "new",
            "known_at": NOON_US + seq * 1_000_000 + 3_000,
        } | changes

    return make


@pytest.fixture
def bar() -> Callable[..., dict[str, Any]]:
    """bar(number, **changes): a valid record of the number-th minute after noon."""

    def make(number: int = 0, **changes: object) -> dict[str, Any]:
        ts = NOON_US + number * MINUTE_US
        return {
            **{"tenant_id": 1, "symbol": "SYN_ES", "ts": ts, "seq": 0},
            **{"open": 4500.25, "high": 4501.0, "low": 4499.5, "close": 4500.5},
            **{"volume": 12.0, "vwap": 4500.3, "action": "new", "known_at": ts + MINUTE_US},
        } | changes

    return make


@pytest.fixture
def quote() -> Callable[..., dict[str, Any]]:
    """quote(seq, **changes): a valid quote record."""

    def make(seq: int = 0, **changes: object) -> dict[str, Any]:
        return {
            "tenant_id": 1,
            "symbol": "SYN_ES",
            "ts": NOON_US + seq * 1_000_000,
            "seq": seq,
            "bid": 4500.0,
            "bid_size": 5.0,
            "ask": 4500.25,
            "ask_size": 7.0,
            "action": "new",
            "known_at": NOON_US + seq * 1_000_000 + 3_000,
        } | changes

    return make
