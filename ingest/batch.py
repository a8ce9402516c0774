"""A batch: messages from Kafka, sorted into rows for the database and dead letters. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from ingest.codec import KINDS, Record, decode
from ingest.deadletter import DeadLetter
from ingest.errors import UndecodableError
from ingest.validate import EPOCH, Known, Reason, Refusal, refuse, validate

Partition = tuple[str, int]
Row = tuple[Any, ...]

VALUES = {
    "trade": ("price", "size", "side"),
    "quote": ("bid", "bid_size", "ask", "ask_size"),
}


class KafkaMessage(Protocol):
    """What is needed of a confluent_kafka.Message."""

    def topic(self) -> str | None:  # noqa: D102
        ...

    def partition(self) -> int | None:  # noqa: D102
        ...

    def offset(self) -> int | None:  # noqa: D102
        ...

    def key(self) -> Any:  # noqa: D102
        ...

    def value(self) -> Any:  # noqa: D102
        ...


@dataclass
class Batch:
    """What one transaction writes. rows: by kind; their first value is the place in messages.

    ranges: (first offset, offset after the last) of each partition.
    """

    messages: list[KafkaMessage] = field(default_factory=list)
    records: list[Record | None] = field(default_factory=list)
    rows: dict[str, list[Row]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    refusals: dict[int, Refusal] = field(default_factory=dict)
    ranges: dict[Partition, tuple[int, int]] = field(default_factory=dict)

    def letter(self, ordinal: int, refusal: Refusal) -> DeadLetter:
        """Make the dead letter of one of the messages."""
        message = self.messages[ordinal]
        return DeadLetter(
            str(message.topic()),
            _int(message.partition()),
            _int(message.offset()),
            message.key(),
            message.value(),
            refusal.reason,
            refusal.message,
        )

    def not_current(self, kind: str, ordinal: int) -> Refusal:
        """Make the refusal of a correction or cancel whose target is not there."""
        record = self.records[ordinal]
        assert record is not None  # noqa: S101 - it became a row
        return refuse(kind, record, Reason(f"unknown_{kind}"), record["action"])


def _int(value: int | None) -> int:
    return -1 if value is None else value


def row_of(
    kind: str, ordinal: int, record: Record, now_us: int, source: tuple[str, int, int]
) -> Row:
    """Return the record as a row of incoming_<kind>; known_at is never before ts."""
    known_at = record["known_at"]
    known_us = max(now_us if known_at is None else known_at, record["ts"])
    return (
        ordinal,
        record["action"],
        record["tenant_id"],
        record["symbol"],
        EPOCH + timedelta(microseconds=record["ts"]),
        record["seq"],
        *(record[name] for name in VALUES[kind]),
        EPOCH + timedelta(microseconds=known_us),
        *source,
    )


def build(
    messages: Iterable[KafkaMessage],
    kinds: dict[str, str],
    positions: dict[Partition, int],
    known: Callable[[Record], Known],
    now_us: int,
    tolerance_us: int,
) -> Batch:
    """Sort messages into rows and refusals, and move positions behind them.

    kinds: kind of each topic. positions: next offset of each partition held; messages before it,
    or of other partitions, are left out: a rebalance makes Kafka say them again.
    known: the tenants and symbols to judge a record by.
    """
    batch = Batch()
    for message in messages:
        source = str(message.topic()), _int(message.partition()), _int(message.offset())
        at, offset = source[:2], source[2]
        position = positions.get(at)
        if position is None or offset < position:
            continue
        positions[at] = offset + 1
        if at in batch.ranges:
            position = batch.ranges[at][0]
        batch.ranges[at] = position, offset + 1
        ordinal, kind = len(batch.messages), kinds[source[0]]
        batch.messages.append(message)
        try:
            record = decode(kind, message.value())
        except UndecodableError as error:
            batch.records.append(None)
            batch.refusals[ordinal] = Refusal(Reason.UNDECODABLE, str(error))
            continue
        batch.records.append(record)
        refusal = validate(kind, record, known(record), now_us, tolerance_us)
        if refusal is not None:
            batch.refusals[ordinal] = refusal
        else:
            batch.rows[kind].append(row_of(kind, ordinal, record, now_us, source))
    return batch
