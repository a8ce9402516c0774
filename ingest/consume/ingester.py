"""The loop from Kafka to the database: batches in order, offsets kept by the database."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from types import TracebackType
from typing import Protocol

import numpy as np

from ingest.clock import Backoff, Clock
from ingest.config import Config
from ingest.consume import culprits
from ingest.consume.batch import Batch, KafkaMessage, KnownFor, Partition, Source, build
from ingest.consume.counts import Counts
from ingest.consume.kafka import Kafka
from ingest.consume.poison import PoisonGuard
from ingest.consume.waiting import Waiting
from ingest.errors import IngestError, KafkaUnavailableError, PoisonedStreamError
from ingest.wire.registry import SchemaSource
from telemetry.hooks import Telemetry

log = logging.getLogger("ingest.consumer")

FIRST_FETCH_S = 1.0
SHORT_STEPS = 10
SLOW_S = 1.0
POLL_S = 0.1
FINISH_S = 5.0
ABORT_S = 2.0
BATCH_BYTES = 64 * 1024 * 1024

Progress = Callable[[int, int], None]


class BatchSink(Protocol):
    """Where batches go: see sink.Sink."""

    def claim(self, partitions: Mapping[Partition, Source]) -> dict[Partition, int]:
        """Become the one who may write these partitions; return from where to read each."""
        ...

    def write(self, batch: Batch) -> Counts:
        """Write all or nothing; called in a thread of its own."""
        ...

    def abort(self) -> None:
        """End a write of another thread."""
        ...


class Ingester:
    """Consumes the topics of all kinds; a context manager that leaves the group at the end.

    While one batch is written, the next one is read. The group's offsets in Kafka only tell
    monitoring how far it is: what counts is market.kafka_offset.
    """

    def __init__(
        self,
        config: Config,
        kafka: Kafka,
        sink: BatchSink,
        known: KnownFor,
        schemas: SchemaSource,
        *,
        telemetry: Telemetry | None = None,
        stopping: threading.Event | None = None,
        clock: Clock | None = None,
        writer: Executor | None = None,
    ) -> None:
        """Take what run.open_ingester has connected; nothing is asked yet.

        stopping: set when it is to stop; the sink's database gives up then, too. writer: runs one
        write at a time, beside the loop.
        """
        self.counts = Counts()
        self._config = config
        self._kafka = kafka
        self._sink = sink
        self._known = known
        self._schemas = schemas
        self._telemetry = telemetry or Telemetry()
        self._retries = on_retry(self._telemetry)
        self._stopping = stopping or threading.Event()
        self._clock = clock or Clock()
        self._writer = writer or ThreadPoolExecutor(1, "ingest-writer")
        self._guard = PoisonGuard(config.poison_ratio, config.poison_run)
        self._kinds = {topic: kind for kind, topic in config.topics.items()}
        self._positions: dict[Partition, int] = {}
        self._written: dict[Partition, int] = {}
        self._waiting = Waiting(self._clock)
        self._unreadable: dict[Partition, str] = {}
        self._biggest = 1
        self._generation = 0
        self._slow = False
        self._stash: list[KafkaMessage] = []
        self._pending: Future[Counts] | None = None

    def __enter__(self) -> Ingester:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Roll back what is being written, and leave the group."""
        self._stopping.set()
        self._abandon()
        self._writer.shutdown()
        self._kafka.close()

    def stop(self) -> None:
        """Ask run to return after the batch at hand; for other threads, see ingest/signals.py."""
        self._stopping.set()

    def run(self) -> None:
        """Share the partitions with the group's other members and consume until stop.

        Raises FencedError, OffsetLostError, DatabaseUnavailableError, DeliveryError, and
        PoisonedStreamError when there is no partition left in which something can be read.
        """
        self.join()
        while not self._stopping.is_set():
            self.step()
        self._finish()

    def join(self) -> None:
        """Become a member of the group: steps from now on take the partitions that it gives."""
        self._kafka.subscribe(self._take, self._on_revoke)

    def run_until_end(self, progress: Progress | None = None) -> None:
        """Take all partitions over and consume what was in Kafka at the start.

        progress: called with (messages taken, messages in all) after each batch. A `run` that
        holds the partitions stops with FencedError. Raises as run; PoisonedStreamError after all
        that can be read was written.
        """
        ends = self._kafka.ends()
        self._take(list(ends))
        start = dict(self._positions)
        total = sum(max(0, end - start[at]) for at, end in ends.items())
        fetched_by = self._clock.monotonic() + FIRST_FETCH_S
        done = short = 0
        while not self._stopping.is_set():
            taken = self.step()
            done += taken
            if progress is not None:
                progress(done, max(total, done))
            # tansu names an end that lies within its last batch of messages; that batch has come
            # as a whole when a step brings nothing more, or, beside a feed that goes on, several
            # are not filled: one alone may be that of a machine that is late
            settled = done > 0 or self._clock.monotonic() > fetched_by
            short += settled and taken < self._config.batch_size and self._reached(ends)
            if short and (taken == 0 or short == SHORT_STEPS):
                break
        self._finish()
        self._raise_unreadable()

    def _reached(self, ends: dict[Partition, int]) -> bool:
        return all(
            self._positions[at] >= end for at, end in ends.items() if at not in self._unreadable
        )

    def step(self) -> int:
        """Read one batch, at most linger_s long, and have it written; return its messages.

        The batch before it is written meanwhile, and its failure is raised here.
        """
        self._telemetry.health.beat()
        started_ns = self._clock.time_ns()
        self._stash += self._waiting.due()
        messages = self._consume()
        if self._waiting:
            messages = self._waiting.hold_back(messages)
        now_us = self._clock.time_ns() // 1000
        tolerance_us = int(self._config.future_tolerance_s * 1_000_000)
        before = dict(self._positions)

        def built(messages: list[KafkaMessage]) -> Batch:
            known, schemas = self._known, self._schemas
            return build(
                messages, self._kinds, self._positions, known, now_us, tolerance_us, schemas
            )

        batch = built(messages)
        unreadable = self._guard.check(batch)
        if unreadable:
            self._positions = before
            self._stop_at(unreadable)
            batch = built(messages)
        for at in batch.ranges.keys() & set(self._waiting):
            self._waiting.forget(at)
            self._kafka.resume([at])
            self._telemetry.resumed(*at)
        for at, (held, error) in batch.blocked.items():
            self._wait_for_schema(at, held, error)
        generation = self._generation
        # what a rebalance took away meanwhile is read again from where the database is
        if self._settle() and batch.messages and generation == self._generation:
            self._pending = self._writer.submit(self._write, batch, started_ns)
        if self._unreadable and not self._positions:
            self._settle()
            self._raise_unreadable()
        return len(batch.messages)

    def _consume(self) -> list[KafkaMessage]:
        """Take messages until a batch is full by number or bytes, or linger_s has gone by."""
        config = self._config
        until = self._clock.monotonic() + config.linger_s
        messages, self._stash = self._stash, []
        size = 0
        while len(messages) < config.batch_size and size < BATCH_BYTES:
            room = max(1, (BATCH_BYTES - size) // self._biggest)
            left_s = until - self._clock.monotonic()
            if messages and left_s <= 0:
                break
            more = self._kafka.consume(
                min(config.batch_size - len(messages), room), max(left_s, 0.0)
            )
            sizes = [len(message) for message in more]
            size += sum(sizes)
            self._biggest = max(self._biggest // 2, *sizes, 1) if sizes else self._biggest
            messages += more
            if not more or self._clock.monotonic() >= until:
                break
        return messages

    def _write(self, batch: Batch, started_ns: int) -> Counts:
        telemetry = self._telemetry
        messages = len(batch.messages)
        with (
            telemetry.span("batch", since_ns=started_ns, messages=messages),
            telemetry.span("write", messages=messages),
        ):
            counts = self._sink.write(batch)
        for at, (_, end) in batch.ranges.items():
            self._written[at] = end
        if telemetry.on:
            now_s = self._clock.time_ns() / 1e9
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
                counts.waiting,
            )
        return counts

    def _settle(self) -> bool:
        """Wait for the batch that is being written, polling Kafka so that it keeps us.

        Backpressure: when that takes long, all partitions are paused until it is done. Returns
        whether it is written, or there was none. Raises what went wrong with it.
        """
        if self._pending is None:
            return True
        self._clock.wait(self._pending, SLOW_S)
        while self._pending is not None and not self._pending.done():
            if self._stopping.is_set():
                return False
            if not self._slow:
                self._slow = True
                self._kafka.pause(self._kafka.assigned())
                log.info("a batch takes longer than %.0f s: reading pauses", SLOW_S)
                for at in self._positions:
                    self._telemetry.paused(*at, "database")
            self._telemetry.health.beat()
            message = self._kafka.poll(POLL_S)
            if message is not None:
                self._stash.append(message)
        if self._slow:
            self._slow = False
            stand = {*self._waiting, *self._unreadable}
            self._kafka.resume([at for at in self._kafka.assigned() if at not in stand])
            log.info("the batch is written: reading goes on")
            for at in self._positions.keys() - set(self._waiting):
                self._telemetry.resumed(*at)
        self._collect()
        return True

    def _collect(self) -> None:
        """Take the result of the batch that is written. Raises what went wrong with it."""
        pending, self._pending = self._pending, None
        if pending is not None:
            counts = pending.result()
            self.counts.add(counts)
            culprits.tell(self.counts.culprits, counts.culprits)
            self._kafka.commit(self._written, wait=False)
            self._telemetry.health.ready(True)
            self._show_lag()

    def _show_lag(self) -> None:
        if not self._telemetry.on:
            return
        for at, written in self._written.items():
            end = self._kafka.last_end(at)
            if end >= 0:
                self._telemetry.lag(*at, max(0, end - written))

    def _drain(self) -> None:
        """Before partitions change hands: what is being written ends, one way or the other."""
        while self._pending is not None and not self._pending.done():
            if self._stopping.is_set():
                self._abandon()
                return
            self._clock.wait(self._pending, POLL_S)

    def _finish(self) -> None:
        """Let the batch at hand be written, or roll it back when that takes too long."""
        if self._pending is not None:
            self._clock.wait(self._pending, FINISH_S)
        if self._abandon():
            log.warning("the batch at hand was rolled back: the next start reads it again")
        self._collect()
        self._kafka.commit(self._written, wait=True)

    def _abandon(self) -> bool:
        """Roll back what is still being written; returns whether something was."""
        pending = self._pending
        if pending is None or pending.done():
            return False
        self._stopping.set()
        self._sink.abort()
        self._clock.wait(pending, ABORT_S)
        self._pending = pending if pending.done() and pending.exception() is None else None
        return self._pending is None

    def _wait_for_schema(
        self, at: Partition, messages: list[KafkaMessage], error: IngestError
    ) -> None:
        """Pause a partition whose next messages cannot be read yet, and keep those at hand."""
        pause_s = self._waiting.hold(at, messages)
        self._kafka.pause([at])
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

    def _stop_at(self, unreadable: Mapping[Partition, str]) -> None:
        """Read these partitions no more, until this one is started again or they change hands."""
        self._kafka.pause(unreadable)
        for at, why in unreadable.items():
            self._positions.pop(at)
            self._waiting.forget(at)
            self._telemetry.paused(*at, "unreadable")
            log.error("%s", why)
        self._unreadable |= unreadable

    def _raise_unreadable(self) -> None:
        if self._unreadable:
            raise PoisonedStreamError("\n".join(self._unreadable.values()))

    def _on_revoke(self, partitions: list[Partition]) -> None:
        self._drain()
        self._generation += 1
        for at in partitions:
            self._positions.pop(at, None)
            self._written.pop(at, None)
            self._waiting.forget(at)
            self._unreadable.pop(at, None)
            self._telemetry.revoked(*at)
        self._telemetry.health.ready(False, "a rebalance has taken the partitions")

    def _take(self, partitions: list[Partition]) -> None:
        """Become the one who may write these partitions, and seek to the database's offsets."""
        self._drain()
        self._generation += 1
        # one who writes these partitions still may take longer than a loop that stands still
        with self._telemetry.health.waiting("database"):
            self._positions = self._sink.claim(self._sources(partitions))
        self._written = {}
        self._waiting.clear()
        self._unreadable = {}
        self._stash = []
        self._kafka.assign(self._positions)
        # a partition that was paused before it changed hands still is
        (self._kafka.pause if self._slow else self._kafka.resume)(self._positions)
        held = bool(self._positions)
        self._telemetry.health.ready(held, "the group gave no partitions to this one")

    def _sources(self, partitions: Iterable[Partition]) -> dict[Partition, Source]:
        """Ask Kafka what is in these partitions; it may be on its way back."""
        backoff = Backoff(self._config.retry_s, self._stopping, self._clock)
        while True:
            try:
                return self._kafka.sources(partitions)
            except KafkaUnavailableError as error:
                if self._stopping.is_set() or backoff.spent:
                    raise
                backoff.pause(str(error))
                self._retries("kafka")


def on_retry(telemetry: Telemetry) -> Callable[[str], None]:
    """Return what is called with what failed before it is tried again.

    A loop that waits for its database or Kafka is alive, so that nobody restarts it, and not ready.
    """

    def retries(what: str) -> None:
        telemetry.retry(what)
        telemetry.health.beat()
        telemetry.health.ready(False, f"the {what} fails and is tried again")

    return retries
