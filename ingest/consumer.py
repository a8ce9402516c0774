"""From Kafka to the database: batches in order, offsets kept by the database."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from types import TracebackType

from confluent_kafka import (
    OFFSET_INVALID,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from ingest.batch import Partition, build
from ingest.config import Config
from ingest.counts import Counts
from ingest.deadletter import DeadLetters
from ingest.errors import KafkaUnavailableError, OffsetLostError
from ingest.reference import Reference
from ingest.sink import Sink
from ingest.topics import ANSWER_S, CLIENT, ensure_topics

log = logging.getLogger("ingest.consumer")

FIRST_FETCH_S = 1.0

Progress = Callable[[int, int], None]


class Ingester:
    """Consumes the topics of trades and quotes; a context manager that closes its connections.

    The group's offsets in Kafka only tell monitoring how far it is, and a recreated topic from a
    known one: what counts is market.kafka_offset.
    """

    def __init__(self, config: Config) -> None:
        """Connect to both sides. Raises KafkaUnavailableError, DatabaseUnavailableError."""
        self.counts = Counts()
        self._config = config
        self._kinds = {topic: kind for kind, topic in config.topics.items()}
        self._positions: dict[Partition, int] = {}
        self._stopping = False
        self._sink = Sink(config.database_url, config.retry_s)
        self._sink.connect()
        self._known = Reference(self._sink)
        self._partitions = ensure_topics(config.kafka_bootstrap, self._kinds, config.partitions)
        self._dead_letters = DeadLetters(config.kafka_bootstrap)
        self._consumer = Consumer(
            {
                **CLIENT,
                "bootstrap.servers": config.kafka_bootstrap,
                "group.id": config.kafka_group,
                "session.timeout.ms": 6000,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 100,
            }
        )

    def __enter__(self) -> Ingester:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the group and close the connections."""
        self._consumer.close()
        self._sink.close()

    def stop(self) -> None:
        """Ask run to return after the batch at hand; safe in a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Share the partitions with the group's other members and consume until stop.

        Raises FencedError, OffsetLostError, DatabaseUnavailableError, DeliveryError.
        """
        self._consumer.subscribe(
            list(self._kinds), on_assign=self._on_assign, on_revoke=self._on_revoke
        )
        while not self._stopping:
            self.step()
        self._report(wait=True)

    def run_until_end(self, progress: Progress | None = None) -> None:
        """Take all partitions over and consume what was in Kafka at the start.

        progress: called with (messages taken, messages in all) after each batch. A `run` that
        holds the partitions stops with FencedError. Raises as run.
        """
        ends = self._ends()
        self._take(TopicPartition(*at) for at in ends)
        start = dict(self._positions)
        total = sum(max(0, end - start[at]) for at, end in ends.items())
        fetched_by = time.monotonic() + FIRST_FETCH_S
        done = 0
        while not self._stopping:
            taken = self.step()
            done += taken
            if progress is not None:
                progress(done, max(total, done))
            # tansu names an end that lies within its last batch of messages; that batch has come
            # as a whole when a step is not filled
            settled = done > 0 or time.monotonic() > fetched_by
            if settled and taken < self._config.batch_size and self._reached(ends):
                break
        self._report(wait=True)

    def _reached(self, ends: dict[Partition, int]) -> bool:
        return all(self._positions[at] >= end for at, end in ends.items())

    def step(self) -> int:
        """Consume and write one batch, at most linger_s long; return its number of messages."""
        config = self._config
        messages = self._consumer.consume(config.batch_size, config.linger_s)
        now_us = time.time_ns() // 1000
        ticks = [message for message in messages if not self._is_error(message)]
        tolerance_us = int(config.future_tolerance_s * 1_000_000)
        batch = build(ticks, self._kinds, self._positions, self._known, now_us, tolerance_us)
        if batch.messages:
            self.counts.add(self._sink.write(batch, self._dead_letters))
            self._report(wait=False)
        return len(batch.messages)

    def _is_error(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return False
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise OffsetLostError(
                f"partition {message.partition()} of {message.topic()} has no message at offset "
                f"{message.offset()} ({error.str()}): Kafka deleted messages before they were "
                "consumed. Replay them from the captures, delete the partition's row from "
                "market.kafka_offset and start again: what is stored already is recognised"
            )
        if error.fatal() or not error.retriable():
            log.warning("Kafka at %s: %s", self._config.kafka_bootstrap, error.str())
        return True

    def _on_assign(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._take(partitions)

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        for at in partitions:
            self._positions.pop((at.topic, at.partition), None)

    def _take(self, partitions: Iterable[TopicPartition]) -> None:
        """Become the one who may write these partitions, and seek to the database's offsets."""
        try:
            reported = self._consumer.committed(list(partitions), timeout=ANSWER_S)
        except KafkaException as error:
            raise KafkaUnavailableError.at(
                self._config.kafka_bootstrap, error.args[0].str()
            ) from None
        taken = self._sink.claim(
            ((at.topic, at.partition), at.offset == OFFSET_INVALID) for at in reported
        )
        self._positions = taken
        self._consumer.assign([TopicPartition(*at, offset) for at, offset in taken.items()])

    def _ends(self) -> dict[Partition, int]:
        return {
            (topic, partition): self._consumer.get_watermark_offsets(
                TopicPartition(topic, partition), timeout=ANSWER_S, cached=False
            )[1]
            for topic, number in self._partitions.items()
            for partition in range(number)
        }

    def _report(self, *, wait: bool) -> None:
        """Tell Kafka how far the group is. Failing to is no loss: see the class."""
        offsets = [TopicPartition(*at, offset) for at, offset in self._positions.items()]
        if not offsets:
            return
        try:
            if wait:
                self._consumer.commit(offsets=offsets, asynchronous=False)
            else:
                self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            log.info("Kafka did not take the group's offsets: %s", error.args[0].str())
