"""Kafka deletes old messages: what that means for who was slower. On Apache Kafka: tansu cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from embedded.jvm.kafka import Service
from ingest.config import Config
from ingest.consume.counts import Counts
from ingest.consume.run import open_ingester
from ingest.errors import OffsetLostError
from ingest.wire.producer import TickProducer

Query = Callable[..., list[tuple[Any, ...]]]
Make = Callable[..., dict[str, Any]]


@pytest.fixture
def config(config: Config, apache_kafka: Service) -> Config:
    """One partition, on Apache Kafka."""
    return replace(config, kafka_bootstrap=apache_kafka.bootstrap, partitions=1)


def _produce(config: Config, *trades: dict[str, Any]) -> None:
    with TickProducer(config.kafka_bootstrap, config.topics, config.partitions) as producer:
        for trade in trades:
            producer.send("trade", trade)


def _consume(config: Config) -> Counts:
    with open_ingester(config) as ingester:
        ingester.run_until_end()
        return ingester.counts


def _delete_before(config: Config, offset: int) -> None:
    admin = AdminClient({"bootstrap.servers": config.kafka_bootstrap})
    partition = TopicPartition(config.topics["trade"], 0, offset)
    for future in admin.delete_records([partition]).values():
        future.result(10)


def test_a_new_group_starts_at_the_first_message_that_is_left(config: Config, trade: Make) -> None:
    _produce(config, *(trade(seq) for seq in range(10)))
    _delete_before(config, 6)
    assert _consume(config) == Counts(applied=4)


def test_messages_deleted_before_they_were_consumed_stop_it(
    config: Config, trade: Make, query: Query
) -> None:
    _produce(config, *(trade(seq) for seq in range(100, 110)))
    assert _consume(config).applied == 10
    _produce(config, *(trade(seq) for seq in range(110, 120)))
    _delete_before(config, 15)
    with pytest.raises(OffsetLostError, match=r"no message at offset 10 .* delete the partition's"):
        _consume(config)
    # what the error says to do
    query("delete from market.kafka_offset where topic = %s returning 1", config.topics["trade"])
    assert _consume(config) == Counts(applied=5)
