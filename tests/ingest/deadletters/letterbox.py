"""Ticks in, refusals out: what the tests of dead letters do with a real broker."""

from __future__ import annotations

from typing import Any

from confluent_kafka import Consumer, Message, TopicPartition

from ingest.config import Config
from ingest.consume.counts import Counts
from ingest.consume.run import open_ingester
from ingest.wire.producer import TickProducer


def refuse(config: Config, *ticks: tuple[str, dict[str, Any] | bytes]) -> Counts:
    """Send the ticks, let an ingester consume them and return its counts."""
    with TickProducer(config.kafka_bootstrap, config.topics, config.partitions) as producer:
        for kind, tick in ticks:
            if isinstance(tick, bytes):
                producer.send_raw(kind, b"raw", tick)
            else:
                producer.send(kind, tick)
    return consume(config)


def consume(config: Config) -> Counts:
    with open_ingester(config) as ingester:
        ingester.run_until_end()
        return ingester.counts


def messages(config: Config, topic: str) -> list[Message]:
    """All messages of all partitions of a topic."""
    settings = {"bootstrap.servers": config.kafka_bootstrap, "group.id": "reader"}
    consumer = Consumer({**settings, "enable.partition.eof": True, "fetch.wait.max.ms": 100})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(config.partitions)])
    found: list[Message] = []
    ends = 0
    while ends < config.partitions:
        message = consumer.poll(10)
        assert message is not None, "the end did not come within 10 s"
        if message.error() is None:
            found.append(message)
        else:
            ends += 1
    consumer.close()
    return found


def sent_back(config: Config, topic: str) -> list[Message]:
    return [m for m in messages(config, topic) if dict(m.headers() or []).get("replayed_from")]
