"""A batch: messages from Kafka, sorted into rows for the database and dead letters. No I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import polars as pl

from ingest.deadletters.publish import DeadLetter, file_of
from ingest.errors import IngestError, SchemaUnavailableError, UndecodableError
from ingest.kinds import KINDS, Record
from ingest.texts import cut
from ingest.validate import CONFLICT, UNDECODABLE, Known, Refusal, passes, refusals, refuse, shown
from ingest.wire import columns
from ingest.wire.codec import decode
from ingest.wire.registry import FILES, SchemaSource

Partition = tuple[str, int]


@dataclass(frozen=True)
class Source:
    """A partition as the broker has it. topic_id: changes when the topic is made again."""

    topic_id: str
    first_offset: int


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

    def headers(self) -> Any:  # noqa: D102
        ...


@dataclass
class Batch:
    """What one transaction writes.

    rows: by kind, the columns of incoming_<kind>; ordinal is the place in messages.
    ranges: (first offset, offset after the last) of each partition.
    blocked: messages of partitions that cannot be read on for now, and why.
    """

    source: SchemaSource
    messages: list[KafkaMessage] = field(default_factory=list)
    rows: dict[str, pl.DataFrame] = field(default_factory=dict)
    refusals: dict[int, Refusal] = field(default_factory=dict)
    ranges: dict[Partition, tuple[int, int]] = field(default_factory=dict)
    blocked: dict[Partition, tuple[list[KafkaMessage], IngestError]] = field(default_factory=dict)
    size: int = 0

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
            refusal.tenant_id,
            refusal.symbol,
            file_of(message.headers()),
        )

    def conflict(self, kind: str, ordinal: int, was: Record) -> Refusal:
        """Make the refusal of an event that contradicts another one of its key.

        was: that one's values, by name.
        """
        record = decode(kind, self.messages[ordinal].value(), self.source)
        values = KINDS[kind].values
        was |= {name: float(was[name]) for name in KINDS[kind].numbers if was[name] is not None}
        what = f"{record['action']} with {shown(record, values)}, but {shown(was, values)} is there"
        return refuse(kind, record, CONFLICT, what)


def place_of(message: KafkaMessage) -> Partition:
    """Return the partition that a message is of."""
    return str(message.topic()), _int(message.partition())


def _int(value: int | None) -> int:
    return -1 if value is None else value


KnownFor = Callable[[Collection[int], Collection[str], Collection[str]], Known]


def build(
    messages: Iterable[KafkaMessage],
    kinds: dict[str, str],
    positions: dict[Partition, int],
    known: KnownFor,
    now_us: int,
    tolerance_us: int,
    source: SchemaSource,
) -> Batch:
    """Sort messages into rows and refusals, and move positions behind them.

    kinds: kind of each topic. positions: next offset of each partition held; messages before it,
    or of other partitions, are left out: a rebalance makes Kafka say them again.
    known: the tenants and symbols to judge records by, given those that they name, and the symbols
    at prices of zero and below.
    A partition whose next message has a schema that source does not have now is blocked there.
    """
    batch = Batch(source)
    groups: dict[tuple[str, bytes], list[int]] = defaultdict(list)
    ready: dict[bytes, IngestError | None] = {}
    for message in messages:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        at: Partition = topic, partition  # type: ignore[assignment]
        position = positions.get(at)
        if position is None or offset < position:  # type: ignore[operator]
            continue
        if at in batch.blocked:
            batch.blocked[at][0].append(message)
            continue
        payload = message.value()
        frame = payload[: columns.FRAME] if payload else b""
        if frame not in ready:
            ready[frame] = _availability(frame, source)
        missing = ready[frame]
        if missing is not None:
            batch.blocked[at] = [message], missing
            continue
        positions[at] = end = _int(offset) + 1
        first = batch.ranges[at][0] if at in batch.ranges else position
        batch.ranges[at] = first, end
        groups[kinds[topic], frame].append(len(batch.messages))  # type: ignore[index]
        batch.messages.append(message)
        batch.size += len(payload or b"")
    for kind in KINDS:
        frames = [
            _judged(batch, kind, ordinals, known, now_us, tolerance_us)
            for (of, _), ordinals in groups.items()
            if of == kind
        ]
        frames = [frame for frame in frames if frame.height]
        if frames:
            batch.rows[kind] = pl.concat(frames) if len(frames) > 1 else frames[0]
    return batch


def _availability(frame: bytes, source: SchemaSource) -> IngestError | None:
    """Return why messages with this frame cannot be judged now; None when they can."""
    if source is FILES or len(frame) < columns.FRAME or frame[0] != 0:
        return None
    try:
        source.writer(int.from_bytes(frame[1:], "big"))
    except SchemaUnavailableError as error:
        return error
    except UndecodableError:
        return None  # nothing to wait for
    return None


def _judged(
    batch: Batch,
    kind: str,
    ordinals: list[int],
    known_for: KnownFor,
    now_us: int,
    tolerance_us: int,
) -> pl.DataFrame:
    """Refuse what must be, and return the rows of the rest."""
    payloads = [batch.messages[ordinal].value() for ordinal in ordinals]
    records, places, faults = columns.read(kind, payloads, batch.source)
    for place, error in faults.items():
        batch.refusals[ordinals[place]] = Refusal(UNDECODABLE.name, cut(str(error), 1000))
    low = pl.any_horizontal(pl.lit(value=False), *(pl.col(p) <= 0 for p in KINDS[kind].prices))
    known = known_for(
        set(records["tenant_id"].unique().to_list()),
        set(records["symbol"].unique().to_list()),
        set(records.filter(low)["symbol"].unique().to_list()),
    )
    records = records.with_columns(
        pl.Series("ordinal", [ordinals[place] for place in places], pl.Int64)
    )
    good = records.select(passes(kind, known, now_us, tolerance_us)).to_series()
    if not good.all():
        bad = records.filter(~good)
        why = refusals(kind, bad, known, now_us, tolerance_us)
        batch.refusals.update(zip(bad["ordinal"], why, strict=True))
        records = records.filter(good)
    return _rows(batch, kind, records, now_us)


def _rows(batch: Batch, kind: str, records: pl.DataFrame, now_us: int) -> pl.DataFrame:
    """Return the columns of incoming_<kind>; known_at is never before it has happened."""
    messages = [batch.messages[ordinal] for ordinal in records["ordinal"]]
    happened_us = pl.col("ts") + KINDS[kind].takes_us
    known_us = pl.max_horizontal(pl.col("known_at").fill_null(now_us), happened_us)
    return records.select(
        "ordinal",
        "action",
        pl.col("known_at").is_null().alias("own_clock"),
        "tenant_id",
        "symbol",
        pl.from_epoch("ts", time_unit="us"),
        "seq",
        *KINDS[kind].values,
        pl.from_epoch(known_us, time_unit="us").alias("known_at"),
        pl.lit(str(messages[0].topic()) if messages else "").alias("source_topic"),
        pl.Series("source_partition", [m.partition() for m in messages], pl.Int32),
        pl.Series("source_offset", [m.offset() for m in messages], pl.Int64),
    )
