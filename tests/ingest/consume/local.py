"""Both sides of the loop in memory: a broker, a database, a clock that nobody waits for."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from ingest.clock import Clock
from ingest.consume.batch import Batch, Partition, Source
from ingest.consume.counts import Counts
from ingest.errors import FencedError, KafkaUnavailableError, UnknownSchemaError
from ingest.wire.registry import FILES
from tests.ingest.conftest import NOON_US

Rebalanced = Callable[[Any, list[TopicPartition]], None]

HOUR_NS = 3_600_000_000_000


class LocalClock(Clock):
    """Stands still but for what is waited, which takes no time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.on_wait: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def time_ns(self) -> int:
        return NOON_US * 1000 + HOUR_NS + int(self.now * 1e9)

    def pause(self, seconds: float, stopping: threading.Event) -> None:  # noqa: ARG002 - as Clock
        self.now += seconds

    def wait(self, pending: Future[Any], seconds: float) -> None:
        if not pending.done():
            self.now += seconds
            self.on_wait()


@dataclass(frozen=True)
class LocalMessage:
    """A message as confluent_kafka hands it out; fault: it is an error, no message."""

    at: Partition
    place: int
    payload: bytes | None
    fault: KafkaError | None = None

    def topic(self) -> str:
        return self.at[0]

    def partition(self) -> int:
        return self.at[1]

    def offset(self) -> int:
        return self.place

    def key(self) -> bytes:
        return b"1:SYN_ES"

    def value(self) -> bytes | None:
        return self.payload

    def headers(self) -> list[tuple[str, bytes]]:
        return []

    def error(self) -> KafkaError | None:
        return self.fault

    def __len__(self) -> int:  # noqa: D105
        return len(self.payload or b"")


class LocalBroker:
    """Topics of a broker; away: it answers no question for so many times."""

    def __init__(self, partitions: Mapping[str, int]) -> None:
        self.partitions = partitions
        self.log: dict[Partition, list[LocalMessage]] = {
            (topic, number): [] for topic, count in partitions.items() for number in range(count)
        }
        self.away = 0

    def send(self, at: Partition, *payloads: bytes | None) -> None:
        for payload in payloads:
            self.log[at].append(LocalMessage(at, len(self.log[at]), payload))

    def ids(self) -> dict[str, str]:
        if self.away:
            self.away -= 1
            raise KafkaUnavailableError.at("local", "away")
        return {topic: f"id of {topic}" for topic in self.partitions}


class LocalConsumer:
    """One member of a group. At the next poll the test may rebalance, or have something happen."""

    def __init__(self, broker: LocalBroker, clock: LocalClock) -> None:
        self.broker = broker
        self.clock = clock
        self.positions: dict[Partition, int] = {}
        self.paused: set[Partition] = set()
        self.ignores_pauses = False  # what was fetched before a pause is still handed out
        self.rebalance: Sequence[Partition] | None = None
        self.on_poll: Callable[[], None] = lambda: None
        self.committed: dict[Partition, int] = {}
        self.faults: list[LocalMessage] = []
        self.closed = False

    def subscribe(self, _: list[str], on_assign: Rebalanced, on_revoke: Rebalanced) -> None:
        self.callbacks = on_assign, on_revoke

    def assign(self, places: list[TopicPartition]) -> None:
        self.positions = {(at.topic, at.partition): at.offset for at in places}

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition(*at) for at in self.positions]

    def pause(self, places: list[TopicPartition]) -> None:
        self.paused |= {(at.topic, at.partition) for at in places}

    def resume(self, places: list[TopicPartition]) -> None:
        self.paused -= {(at.topic, at.partition) for at in places}

    def consume(self, most: int, seconds: float) -> list[LocalMessage]:
        self._rebalances()
        found, self.faults = self.faults, []
        for at, position in self.positions.items():
            if at not in self.paused or self.ignores_pauses:
                found += self.broker.log[at][position:][: most - len(found)]
        for message in found:
            if message.error() is None:
                self.positions[message.at] = message.place + 1
        if not found:
            self.clock.now += seconds
        return found

    def poll(self, seconds: float) -> LocalMessage | None:
        self.on_poll()
        return next(iter(self.consume(1, seconds)), None)

    def commit(self, offsets: list[TopicPartition], asynchronous: bool) -> None:  # noqa: ARG002
        self.committed |= {(at.topic, at.partition): at.offset for at in offsets}

    def get_watermark_offsets(self, at: TopicPartition, **_: object) -> tuple[int, int]:
        if self.broker.away:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return 0, len(self.broker.log[at.topic, at.partition])

    def close(self) -> None:
        self.closed = True

    def _rebalances(self) -> None:
        given, self.rebalance = self.rebalance, None
        if given is not None:
            on_assign, on_revoke = self.callbacks
            if self.positions:
                on_revoke(self, self.assignment())
                self.positions = {}
            on_assign(self, [TopicPartition(*at) for at in given])


class LocalDatabase:
    """What market.kafka_offset and the tables hold: offsets, epochs, the seq of each tick."""

    def __init__(self) -> None:
        self.offsets: defaultdict[Partition, int] = defaultdict(int)
        self.epochs: defaultdict[Partition, int] = defaultdict(int)
        self.seqs: list[int] = []


class LocalSink:
    """A sink with the real one's promises: all or nothing, in order, fenced by the epoch."""

    def __init__(self, database: LocalDatabase) -> None:
        self.database = database
        self.epochs: dict[Partition, int] = {}
        self.aborted = False

    def claim(self, partitions: Mapping[Partition, Source]) -> dict[Partition, int]:
        for at in partitions:
            self.database.epochs[at] += 1
            self.epochs[at] = self.database.epochs[at]
        return {at: self.database.offsets[at] for at in partitions}

    def write(self, batch: Batch) -> Counts:
        for at, (first, _) in batch.ranges.items():
            if (self.database.offsets[at], self.database.epochs[at]) != (first, self.epochs[at]):
                raise FencedError(f"{at} was taken over")
        self.database.offsets |= {at: end for at, (_, end) in batch.ranges.items()}
        for rows in batch.rows.values():
            self.database.seqs += rows["seq"].to_list()
        applied = sum(rows.height for rows in batch.rows.values())
        refused = Counts().refused
        refused.update(refusal.reason for refusal in batch.refusals.values())
        return Counts(applied, 0, refused)

    def abort(self) -> None:
        self.aborted = True


class LocalWriter(Executor):
    """Does a write at once; slow: only when finish() is called."""

    def __init__(self) -> None:
        self.slow = False
        self.held: list[Callable[[], None]] = []

    def submit(self, work: Callable[..., Any], /, *values: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(work(*values, **named))
            except Exception as error:
                future.set_exception(error)

        self.held.append(run)
        if not self.slow:
            self.finish()
        return future

    def finish(self) -> None:
        held, self.held = self.held, []
        for run in held:
            run()


class LocalSchemas:
    """Our schemas under ids of a registry, which has them from 100 on; missing: not yet."""

    def __init__(self) -> None:
        self.missing: set[int] = set()
        self.asked = 0

    def id_for(self, kind: str, topic: str) -> int:
        return 100 + FILES.id_for(kind, topic)

    def writer(self, schema_id: int) -> dict[str, Any]:
        self.asked += 1
        if schema_id in self.missing:
            raise UnknownSchemaError(schema_id)
        return FILES.writer(schema_id - 100)
