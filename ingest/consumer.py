"""From Kafka to the database: batches in order, offsets kept by the database."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from ingest.backoff import Backoff
from ingest.batch import Batch, KafkaMessage, Partition, build
from ingest.config import Config
from ingest.counts import Counts
from ingest.deadletter import DeadLetters
from ingest.errors import IngestError, KafkaUnavailableError, OffsetLostError
from ingest.poison import PoisonGuard
from ingest.reference import Reference
from ingest.registry import schemas
from ingest.sink import Sink, Source
from ingest.topics import ANSWER_S, CLIENT, ensure_topics, topic_ids
from telemetry.hooks import Telemetry

log = logging.getLogger("ingest.consumer")

FIRST_FETCH_S = 1.0
SLOW_S = 1.0
POLL_S = 0.1
FINISH_S = 5.0
ABORT_S = 2.0
FIRST_SCHEMA_WAIT_S = 1.0
LONGEST_SCHEMA_WAIT_S = 30.0
QUEUE_KB = 64 * 1024
BATCH_BYTES = 64 * 1024 * 1024

Progress = Callable[[int, int], None]


@dataclass
class Waiting:
    """What a paused partition waits with: its messages at hand, until when, how long at most."""

    messages: list[KafkaMessage]
    until: float
    wait_s: float


class Ingester:
    """Consumes the topics of trades and quotes; a context manager that closes its connections.

    While one batch is written, the next one is read. The group's offsets in Kafka only tell
    monitoring how far it is: what counts is market.kafka_offset.
    """

    def __init__(self, config: Config, telemetry: Telemetry | None = None) -> None:
        """Connect to both sides. Raises KafkaUnavailableError, DatabaseUnavailableError."""
        self.counts = Counts()
        self._telemetry = telemetry or Telemetry()
        self._config = config
        self._kinds = {topic: kind for kind, topic in config.topics.items()}
        self._positions: dict[Partition, int] = {}
        self._written: dict[Partition, int] = {}
        self._waiting: dict[Partition, Waiting] = {}
        self._biggest = 1
        self._generation = 0
        self._slow = False
        self._stash: list[KafkaMessage] = []
        self._stopping = threading.Event()
        self._pending: Future[Counts] | None = None
        self._writer = ThreadPoolExecutor(1, "ingest-writer")
        self._schemas = schemas(config.schema_registry_url)
        self._guard = PoisonGuard(config.poison_ratio, config.poison_run)
        self._sink = Sink(config.database_url, config.retry_s, self._stopping, self._retries)
        self._sink.connect()
        # a connection of its own: it is asked while a batch is written
        self._lookup = Sink(config.database_url, config.retry_s, self._stopping, self._retries)
        self._known = Reference(self._lookup)
        self._partitions = ensure_topics(config.kafka_bootstrap, self._kinds, config.partitions)
        self._dead_letters = DeadLetters(config.kafka_bootstrap, self._stopping)
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
                "queued.max.messages.kbytes": QUEUE_KB,
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
        self._stopping.set()
        self._abandon()
        self._writer.shutdown()
        self._consumer.close()
        self._sink.close()
        self._lookup.close()

    def _retries(self, what: str) -> None:
        self._telemetry.retry(what)
        self._telemetry.health.beat()
        self._telemetry.health.ready(False, f"the {what} fails and is tried again")

    def stop(self) -> None:
        """Ask run to return after the batch at hand; for other threads, see ingest/signals.py."""
        self._stopping.set()

    def run(self) -> None:
        """Share the partitions with the group's other members and consume until stop.

        Raises FencedError, OffsetLostError, PoisonedStreamError, DatabaseUnavailableError,
        DeliveryError.
        """
        self._consumer.subscribe(
            list(self._kinds), on_assign=self._on_assign, on_revoke=self._on_revoke
        )
        while not self._stopping.is_set():
            self.step()
        self._finish()

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
        while not self._stopping.is_set():
            taken = self.step()
            done += taken
            if progress is not None:
                progress(done, max(total, done))
            # tansu names an end that lies within its last batch of messages; that batch has come
            # as a whole when a step is not filled
            settled = done > 0 or time.monotonic() > fetched_by
            if settled and taken < self._config.batch_size and self._reached(ends):
                break
        self._finish()

    def _reached(self, ends: dict[Partition, int]) -> bool:
        return all(self._positions[at] >= end for at, end in ends.items())

    def step(self) -> int:
        """Read one batch, at most linger_s long, and have it written; return its messages.

        The batch before it is written meanwhile, and its failure is raised here.
        """
        config = self._config
        self._telemetry.health.beat()
        started_ns = time.time_ns()
        self._try_again_when_due()
        messages = self._consume()
        if self._waiting:
            messages = self._hold_back(messages)
        now_us = time.time_ns() // 1000
        tolerance_us = int(config.future_tolerance_s * 1_000_000)
        batch = build(
            messages, self._kinds, self._positions, self._known, now_us, tolerance_us, self._schemas
        )
        for at in batch.ranges.keys() & self._waiting.keys():
            del self._waiting[at]
            self._consumer.resume([TopicPartition(*at)])
            self._telemetry.resumed(*at)
        for at, (held, error) in batch.blocked.items():
            self._wait_for_schema(at, held, error)
        generation = self._generation
        # what a rebalance took away meanwhile is read again from where the database is
        if self._settle() and batch.messages and generation == self._generation:
            self._pending = self._writer.submit(self._write, batch, started_ns)
        return len(batch.messages)

    def _consume(self) -> list[KafkaMessage]:
        """Take messages until a batch is full by number or bytes, or linger_s has gone by."""
        config = self._config
        until = time.monotonic() + config.linger_s
        messages, self._stash = self._stash, []
        size = 0
        while len(messages) < config.batch_size and size < BATCH_BYTES:
            room = max(1, (BATCH_BYTES - size) // self._biggest)
            left_s = until - time.monotonic()
            if messages and left_s <= 0:
                break
            more = self._consumer.consume(
                min(config.batch_size - len(messages), room), max(left_s, 0.0)
            )
            sizes = [len(message) for message in more]
            size += sum(sizes)
            self._biggest = max(self._biggest // 2, *sizes, 1) if sizes else self._biggest
            messages += [message for message in more if not self._is_error(message)]
            if not more or time.monotonic() >= until:
                break
        return messages

    def _write(self, batch: Batch, started_ns: int) -> Counts:
        telemetry = self._telemetry
        with telemetry.span("batch", since_ns=started_ns, messages=len(batch.messages)):
            self._guard.check(batch, self._kinds)
            with telemetry.span("write", messages=len(batch.messages)):
                counts = self._sink.write(batch, self._dead_letters)
        for at, (_, end) in batch.ranges.items():
            self._written[at] = end
        if telemetry.on:
            now_s = time.time()
            ages = [
                now_s - rows["ts"].dt.epoch("us").to_numpy() / 1e6 for rows in batch.rows.values()
            ]
            telemetry.batch(
                counts.kinds,
                counts.duplicates,
                counts.refused,
                batch.size,
                now_s - started_ns / 1e9,
                np.concatenate(ages) if ages else (),
            )
        return counts

    def _settle(self) -> bool:
        """Wait for the batch that is being written, polling Kafka so that it keeps us.

        Returns whether it is written, or there was none. Raises what went wrong with it.
        """
        if self._pending is None:
            return True
        wait_for([self._pending], SLOW_S)
        while self._pending is not None and not self._pending.done():
            if self._stopping.is_set():
                return False
            if not self._slow:
                self._slow = True
                self._consumer.pause(self._consumer.assignment())
                log.warning("a batch takes longer than %.0f s: reading pauses", SLOW_S)
                for topic, partition in self._positions:
                    self._telemetry.paused(topic, partition, "database")
            self._telemetry.health.beat()
            message = self._consumer.poll(POLL_S)
            if message is not None and not self._is_error(message):
                self._stash.append(message)
        if self._slow:
            self._slow = False
            held = self._consumer.assignment()
            self._consumer.resume(
                [at for at in held if (at.topic, at.partition) not in self._waiting]
            )
            log.warning("the batch is written: reading goes on")
            for topic, partition in self._positions.keys() - self._waiting.keys():
                self._telemetry.resumed(topic, partition)
        self._collect()
        return True

    def _collect(self) -> None:
        """Take the result of the batch that is written. Raises what went wrong with it."""
        pending, self._pending = self._pending, None
        if pending is not None:
            self.counts.add(pending.result())
            self._report(wait=False)
            self._telemetry.health.ready(True)
            self._show_lag()

    def _show_lag(self) -> None:
        if not self._telemetry.on:
            return
        for at, written in self._written.items():
            _, end = self._consumer.get_watermark_offsets(TopicPartition(*at), cached=True)
            if end >= 0:
                self._telemetry.lag(*at, max(0, end - written))

    def _drain(self) -> None:
        """Before partitions change hands: what is being written ends, one way or the other."""
        while self._pending is not None and not self._pending.done():
            if self._stopping.is_set():
                self._abandon()
                return
            wait_for([self._pending], POLL_S)

    def _finish(self) -> None:
        """Let the batch at hand be written, or roll it back when that takes too long."""
        if self._pending is not None:
            wait_for([self._pending], FINISH_S)
        if self._abandon():
            log.warning("the batch at hand was rolled back: the next start reads it again")
        self._collect()
        self._report(wait=True)

    def _abandon(self) -> bool:
        """Roll back what is still being written; returns whether something was."""
        pending = self._pending
        if pending is None or pending.done():
            return False
        self._stopping.set()
        self._sink.abort()
        wait_for([pending], ABORT_S)
        self._pending = pending if pending.done() and pending.exception() is None else None
        return self._pending is None

    def _wait_for_schema(
        self, at: Partition, messages: list[KafkaMessage], error: IngestError
    ) -> None:
        """Pause a partition whose next messages cannot be read yet, and keep those at hand."""
        before = self._waiting.get(at)
        wait_s = FIRST_SCHEMA_WAIT_S
        if before is not None:
            wait_s = min(2 * before.wait_s, LONGEST_SCHEMA_WAIT_S)
        # apart, so that many ingesters do not all ask at the same moment
        pause_s = wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        self._waiting[at] = Waiting(messages, time.monotonic() + pause_s, wait_s)
        self._consumer.pause([TopicPartition(*at)])
        self._telemetry.retry("registry")
        self._telemetry.paused(*at, "schema")
        log.warning(
            "partition %d of %s stands at offset %s: %s; trying again in %.1f s",
            at[1],
            at[0],
            messages[0].offset(),
            error,
            pause_s,
        )

    def _hold_back(self, messages: list[KafkaMessage]) -> list[KafkaMessage]:
        """Leave out what came after messages that wait: a pause takes a moment to work."""
        ready = []
        for message in messages:
            waiting = self._waiting.get((str(message.topic()), message.partition() or 0))
            if waiting is not None and waiting.messages:
                waiting.messages.append(message)
            else:
                ready.append(message)
        return ready

    def _try_again_when_due(self) -> None:
        now = time.monotonic()
        for waiting in self._waiting.values():
            if waiting.messages and waiting.until <= now:
                self._stash += waiting.messages
                waiting.messages = []

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
        self._drain()
        self._generation += 1
        for at in partitions:
            self._positions.pop((at.topic, at.partition), None)
            self._waiting.pop((at.topic, at.partition), None)
            self._written.pop((at.topic, at.partition), None)
            self._telemetry.revoked(at.topic, at.partition)
        self._telemetry.health.ready(False, "a rebalance has taken the partitions")

    def _take(self, partitions: Iterable[TopicPartition]) -> None:
        """Become the one who may write these partitions, and seek to the database's offsets."""
        self._drain()
        self._generation += 1
        self._positions = self._sink.claim(self._sources(list(partitions)))
        self._written = {}
        self._waiting = {}
        self._stash = []
        places = [TopicPartition(*at, offset) for at, offset in self._positions.items()]
        self._consumer.assign(places)
        # a partition that was paused before it changed hands still is
        (self._consumer.pause if self._slow else self._consumer.resume)(places)
        self._telemetry.health.ready(bool(places), "the group gave no partitions to this one")

    def _sources(self, partitions: list[TopicPartition]) -> dict[Partition, Source]:
        """Ask Kafka what is in these partitions; it may be on its way back."""
        backoff = Backoff(self._config.retry_s, self._stopping)
        while True:
            try:
                ids = topic_ids(self._config.kafka_bootstrap, self._kinds)
                return {
                    (at.topic, at.partition): Source(ids[at.topic], self._watermarks(at)[0])
                    for at in partitions
                }
            except KafkaUnavailableError as error:
                if self._stopping.is_set() or backoff.spent:
                    raise
                backoff.pause(str(error))
                self._retries("kafka")

    def _watermarks(self, at: TopicPartition) -> tuple[int, int]:
        """Return the first offset that the broker has, and the next one it will give."""
        try:
            first, end = self._consumer.get_watermark_offsets(at, timeout=ANSWER_S, cached=False)
        except KafkaException as error:
            raise KafkaUnavailableError.at(
                self._config.kafka_bootstrap, error.args[0].str()
            ) from None
        return first, end

    def _ends(self) -> dict[Partition, int]:
        return {
            (topic, partition): self._watermarks(TopicPartition(topic, partition))[1]
            for topic, number in self._partitions.items()
            for partition in range(number)
        }

    def _report(self, *, wait: bool) -> None:
        """Tell Kafka how far the group is. Failing to is no loss: see the class."""
        offsets = [TopicPartition(*at, offset) for at, offset in self._written.items()]
        if not offsets:
            return
        try:
            if wait:
                self._consumer.commit(offsets=offsets, asynchronous=False)
            else:
                self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            log.info("Kafka did not take the group's offsets: %s", error.args[0].str())
