"""An ingester between the two sides of local.py."""

from __future__ import annotations

from dataclasses import dataclass, field

from ingest.config import Config
from ingest.consume.batch import Partition
from ingest.consume.ingester import Ingester
from ingest.consume.kafka import Kafka
from ingest.kinds import Record
from ingest.validate import Known
from ingest.wire.codec import encode
from telemetry.hooks import Telemetry
from tests.ingest.consume.local import (
    LocalBroker,
    LocalClock,
    LocalConsumer,
    LocalDatabase,
    LocalSchemas,
    LocalSink,
    LocalWriter,
)

TRADES, MORE_TRADES, QUOTES = ("trades", 0), ("trades", 1), ("quotes", 0)
KNOWN = Known(frozenset({1}), frozenset({"SYN_ES"}))
CONFIG = Config(
    database_url="none",
    kafka_bootstrap="local",
    linger_s=0.2,
    retry_s=60,
    poison_ratio=0.5,
    poison_run=10,
)


class Watched(Telemetry):
    """Hooks that remember what the loop says of itself."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[object, ...]] = []

    def paused(self, topic: str, partition: int, reason: str) -> None:
        self.said.append(("paused", topic, partition, reason))

    def resumed(self, topic: str, partition: int) -> None:
        self.said.append(("resumed", topic, partition))

    def retry(self, what: str) -> None:
        self.said.append(("retry", what))


@dataclass
class World:
    """An ingester and all that it was handed."""

    clock: LocalClock = field(default_factory=LocalClock)
    broker: LocalBroker = field(default_factory=lambda: LocalBroker({"trades": 2, "quotes": 1}))
    database: LocalDatabase = field(default_factory=LocalDatabase)
    schemas: LocalSchemas = field(default_factory=LocalSchemas)
    writer: LocalWriter = field(default_factory=LocalWriter)
    telemetry: Watched = field(default_factory=Watched)

    def __post_init__(self) -> None:  # noqa: D105
        self.sink = LocalSink(self.database)
        self.consumer = LocalConsumer(self.broker, self.clock)
        self.ingester = self.another(self.consumer, self.sink, self.writer)

    def another(self, consumer: LocalConsumer, sink: LocalSink, writer: LocalWriter) -> Ingester:
        return Ingester(
            CONFIG,
            Kafka(consumer, "local", self.broker.partitions, self.broker.ids),
            sink,
            lambda *_: KNOWN,
            self.schemas,
            telemetry=self.telemetry,
            clock=self.clock,
            writer=writer,
        )

    def send(self, at: Partition, *ticks: Record | bytes) -> None:
        kind = at[0].removesuffix("s")
        schema_id = self.schemas.id_for(kind, at[0])
        self.broker.send(
            at,
            *(x if isinstance(x, bytes) else encode(kind, x, schema_id) for x in ticks),
        )

    def run(self, steps: int) -> None:
        """Join the group with all partitions, unless it has, and do so many steps."""
        if not self.consumer.positions:
            self.ingester.join()
            self.consumer.rebalance = list(self.broker.log)
        for _ in range(steps):
            self.ingester.step()
