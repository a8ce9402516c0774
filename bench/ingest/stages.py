"""Where an ingester's time goes: its stages one after another over the same messages."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from confluent_kafka import Consumer, TopicPartition

from bench.ingest import load
from ingest.consume.batch import build
from ingest.consume.ticks import Ticks
from ingest.validate import Known
from ingest.wire.registry import FILES

BATCH = 10_000
TOLERANCE_US = 5_000_000


def measure(url: str, bootstrap: str, name: str, number: int, *, copies: bool) -> dict[str, float]:
    """Microseconds a trade of each stage, without overlap; truncate before.

    copies: new trades are copied straight into their table; otherwise all are applied.
    """
    topics = load.topics(name)
    positions = {(topics["trade"], partition): 0 for partition in range(load.PARTITIONS)}
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"bench_{uuid.uuid4().hex[:8]}",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 100,
        }
    )
    consumer.assign([TopicPartition(topic, partition, 0) for topic, partition in positions])
    kinds = {topic: kind for kind, topic in topics.items()}
    known = Known(
        frozenset({load.TENANT}), frozenset(f"S{n:04}" for n in range(1, load.SYMBOLS + 1))
    )
    seconds: Counter[str] = Counter()

    @contextmanager
    def stage(what: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        seconds[what] += time.perf_counter() - began  # type: ignore[assignment]

    ticks = Ticks()
    done = 0
    with psycopg.connect(url) as connection:
        while done < number:
            with stage("take from Kafka's queue"):
                messages = consumer.consume(BATCH, 5)
            with stage("decode, validate, build"):
                now_us = time.time_ns() // 1000
                batch = build(
                    messages, kinds, positions, lambda *_: known, now_us, TOLERANCE_US, FILES
                )
            rows = batch.rows["trade"]
            if not copies:
                ticks.leave_to_apply("trade")
            with stage("copy" if copies else "copy and apply"):
                ticks.write(connection, "trade", rows)
            with stage("commit"):
                connection.commit()
            done += rows.height
    consumer.close()
    return {what: spent / done * 1e6 for what, spent in seconds.items()}
