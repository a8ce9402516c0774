"""What one transaction writes: a batch's rows, its refusals and its offsets."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping

import psycopg

from ingest.consume.batch import Batch, Partition, Source
from ingest.consume.counts import Counts
from ingest.consume.ticks import Ticks
from ingest.database import Database
from ingest.deadletters.publish import DeadLetter, DeadLetters
from ingest.errors import FencedError
from ingest.kinds import KINDS

log = logging.getLogger("ingest.sink")

CLAIM = """
    with before as (
        select next_offset, topic_id
        from market.kafka_offset
        where topic = %(topic)s and partition = %(part)s
    )
    insert into market.kafka_offset as o (topic, partition, next_offset, epoch, topic_id)
    values (%(topic)s, %(part)s, %(first)s, 1, %(topic_id)s)
    on conflict (topic, partition) do update set
        next_offset = case
            when o.topic_id is null or o.topic_id = excluded.topic_id then o.next_offset
            else excluded.next_offset
        end,
        epoch = o.epoch + 1,
        topic_id = excluded.topic_id
    returning
        next_offset, epoch, (select next_offset from before), (select topic_id from before)
"""
ADVANCE = """
    update market.kafka_offset set next_offset = %s
    where topic = %s and partition = %s and next_offset = %s and epoch = %s
"""
# an embedded broker that was restarted counts its offsets from 0 again: the newest refusal stays
REFUSED = """
    insert into market.dead_letter
    (topic, partition, "offset", reason, message, tenant_id, symbol, file)
    values (%s, %s, %s, %s, %s, %s, %s, %s)
    on conflict (topic, partition, "offset") do update set
        reason = excluded.reason,
        message = excluded.message,
        recorded_at = excluded.recorded_at,
        tenant_id = excluded.tenant_id,
        symbol = excluded.symbol,
        file = excluded.file,
        settled_at = null
"""


class Sink:
    """Writes batches, and keeps the epochs of the partitions held."""

    def __init__(self, database: Database, dead_letters: DeadLetters) -> None:
        """database: the migrated one, this sink's own. dead_letters: where refusals are told."""
        self._database = database
        self._dead_letters = dead_letters
        self._epochs: dict[Partition, int] = {}
        self._ticks = Ticks()

    def abort(self) -> None:
        """End a write of another thread: its transaction is rolled back."""
        self._database.abort()

    def claim(self, partitions: Mapping[Partition, Source]) -> dict[Partition, int]:
        """Take partitions over and return from where to read each.

        Fencing: each takeover raises the partition's epoch, and whoever held it before can commit
        no more with the one it knows. A partition that is new here, or whose topic
        was made again, is read from the first message that the broker has.
        """

        def work(connection: psycopg.Connection, _: bool) -> dict[Partition, tuple[int, int]]:
            claimed = {}
            for (topic, part), source in sorted(partitions.items()):
                values = {
                    "topic": topic,
                    "part": part,
                    "first": source.first_offset,
                    "topic_id": source.topic_id,
                }
                row = connection.execute(CLAIM, values).fetchone()
                assert row is not None  # noqa: S101 - the statement returns one
                claimed[topic, part] = row[0], row[1]
                if row[3] not in (None, source.topic_id):
                    log.warning(
                        "%s is not the topic of which %d messages of partition %d were consumed: "
                        "it was made again, or is another broker's. Reading it from its first "
                        "message; ticks that are stored already count as duplicates",
                        topic,
                        row[2],
                        part,
                    )
            return claimed

        claimed = self._database.transact(work)
        self._epochs.update({at: epoch for at, (_, epoch) in claimed.items()})
        return {at: next_offset for at, (next_offset, _) in claimed.items()}

    def write(self, batch: Batch) -> Counts:
        """Write a batch, all or nothing, and return what became of its messages.

        Dead letters are in Kafka before the transaction commits. Raises FencedError,
        DatabaseUnavailableError, DeliveryError.
        """
        self._dead_letters.begin()
        last = Counts()

        def work(connection: psycopg.Connection, again: bool) -> Counts:
            nonlocal last
            if again and self._has_committed(connection, batch):
                return last  # the connection broke between the commit and its answer
            last = self._write(connection, batch)
            return last

        return self._database.transact(work)

    def _has_committed(self, connection: psycopg.Connection, batch: Batch) -> bool:
        (topic, partition), (_, end) = next(iter(batch.ranges.items()))
        row = connection.execute(
            "select next_offset, epoch from market.kafka_offset"
            " where topic = %s and partition = %s",
            (topic, partition),
        ).fetchone()
        return row == (end, self._epochs[topic, partition])

    def _write(self, connection: psycopg.Connection, batch: Batch) -> Counts:
        refusals = dict(batch.refusals)
        letters: list[DeadLetter] = []
        duplicates = waiting = 0
        applied: Counter[str] = Counter()
        for kind in KINDS:
            if kind not in batch.rows:
                continue
            others = self._ticks.write(connection, kind, batch.rows[kind])
            applied[kind] = batch.rows[kind].height - len(others)
            for ordinal, outcome, was in others:
                if outcome == "duplicate":
                    duplicates += 1
                elif outcome == "waiting":
                    waiting += 1
                else:
                    refusals[ordinal] = batch.conflict(kind, ordinal, was or {})
        if refusals:
            letters = [batch.letter(ordinal, refusals[ordinal]) for ordinal in sorted(refusals)]
            with connection.cursor() as cursor:
                cursor.executemany(
                    REFUSED,
                    [(*letter.place, letter.reason, *letter.about) for letter in letters],
                )
            self._advance(connection, batch)
            self._dead_letters.publish(letters)
        else:
            self._advance(connection, batch)
        reasons = Counter(refusal.reason for refusal in refusals.values())
        whose = Counter((x.reason, x.tenant_id, x.symbol, x.file) for x in letters)
        return Counts(applied.total(), duplicates, reasons, applied, waiting, whose)

    def _advance(self, connection: psycopg.Connection, batch: Batch) -> None:
        """Move the offsets, where they and the epoch are still ours: what fences a zombie off."""
        for (topic, partition), (first, end) in sorted(batch.ranges.items()):
            epoch = self._epochs[topic, partition]
            moved = connection.execute(ADVANCE, (end, topic, partition, first, epoch)).rowcount
            if moved != 1:
                raise FencedError(
                    f"partition {partition} of {topic} was taken over by another consumer since "
                    f"epoch {epoch}: this one wrote nothing of its batch and stops; let one of "
                    "them run, or start this one again to take over"
                )
