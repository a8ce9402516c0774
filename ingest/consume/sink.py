"""The database's side: one transaction holds a batch's rows, its refusals and its offsets."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from ingest.backoff import Backoff
from ingest.consume.batch import Batch, Partition
from ingest.consume.counts import Counts
from ingest.consume.ticks import Ticks
from ingest.deadletters.publish import DeadLetters
from ingest.errors import DatabaseUnavailableError, DeliveryError, FencedError, StoppedError
from ingest.kinds import KINDS
from ingest.validate import Known

log = logging.getLogger("ingest.sink")
T = TypeVar("T")

CONNECT_S = 10
CANCEL_S = 1.0

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
    insert into market.dead_letter (topic, partition, "offset", reason, message)
    values (%s, %s, %s, %s, %s)
    on conflict (topic, partition, "offset") do update set
        reason = excluded.reason, message = excluded.message, recorded_at = excluded.recorded_at
"""


@dataclass(frozen=True)
class Source:
    """A partition as the broker has it. topic_id: changes when the topic is made again."""

    topic_id: str
    first_offset: int


class Sink:
    """A connection that comes back after a failure, and the epochs of the partitions held."""

    def __init__(
        self,
        url: str,
        retry_s: float = 60.0,
        stopping: threading.Event | None = None,
        on_retry: Callable[[str], None] = lambda _: None,
    ) -> None:
        """url: the migrated database; retry_s: how long a failing one is tried again.

        stopping: once set, nothing is tried again. on_retry: called before each new try, with
        what failed: database or kafka.
        """
        self.url = url
        self.retry_s = retry_s
        self._stopping = stopping or threading.Event()
        self._on_retry = on_retry
        self._connection: psycopg.Connection | None = None
        self._epochs: dict[Partition, int] = {}
        self._ticks = Ticks()

    def connect(self) -> None:
        """Connect now, without trying again. Raises DatabaseUnavailableError."""
        try:
            self._open().execute("select from market.kafka_offset limit 0")
            self._open().rollback()
        except psycopg.Error as error:
            raise self._unavailable(error) from None

    def close(self) -> None:
        """Close the connection; a later call opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def abort(self) -> None:
        """End what another thread does here: its transaction is rolled back."""
        connection = self._connection
        if connection is None or connection.closed:
            return
        with suppress(psycopg.Error):
            connection.cancel_safe(timeout=CANCEL_S)
        if connection.info.transaction_status is not TransactionStatus.ACTIVE:
            return
        # a server that does not answer either: its end of the connection is left alone
        with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)

    def _open(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self.url, connect_timeout=CONNECT_S, application_name="ingest"
            )
            self._connection.execute("set client_min_messages = warning")
            self._connection.execute("set datestyle = 'ISO'")
            self._connection.commit()
        return self._connection

    def _unavailable(self, error: psycopg.Error) -> DatabaseUnavailableError:
        said = " ".join(str(error).split()) or type(error).__name__
        return DatabaseUnavailableError(f"database {address(self.url)}: {said}; {_remedy(error)}")

    def _retried(self, work: Callable[[psycopg.Connection, bool], T]) -> T:
        """Do work(connection, again) in a transaction; a passing failure is tried again.

        Also one of Kafka, which has to have the dead letters before the transaction commits.
        """
        backoff = Backoff(self.retry_s, self._stopping)
        again = False
        while True:
            try:
                connection = self._open()
                with connection.transaction():
                    return work(connection, again)
            except (psycopg.OperationalError, psycopg.InterfaceError, DeliveryError) as error:
                if self._stopping.is_set():
                    raise StoppedError("asked to stop while the database failed") from error
                what, said = "kafka", str(error)
                if not isinstance(error, DeliveryError):
                    what = "database"
                    said = f"database {address(self.url)}: {' '.join(said.split())}"
                if backoff.spent:
                    if isinstance(error, DeliveryError):
                        raise
                    raise self._unavailable(error) from error
                backoff.pause(said)
                if self._connection is not None and self._connection.broken:
                    self.close()
                self._on_retry(what)
                again = True
            except psycopg.Error as error:
                raise self._unavailable(error) from error

    def known(self) -> Known:
        """Read the tenants and symbols that ticks may name."""
        return self._retried(lambda connection, _: _known(connection))

    def claim(self, partitions: Mapping[Partition, Source]) -> dict[Partition, int]:
        """Take partitions over and return from where to read each.

        Whoever held them before can commit no more. A partition that is new here, or whose topic
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

        claimed = self._retried(work)
        self._epochs.update({at: epoch for at, (_, epoch) in claimed.items()})
        return {at: next_offset for at, (next_offset, _) in claimed.items()}

    def write(self, batch: Batch, dead_letters: DeadLetters) -> Counts:
        """Write a batch, all or nothing, and return what became of its messages.

        Dead letters are in Kafka before the transaction commits. Raises FencedError,
        DatabaseUnavailableError, DeliveryError.
        """
        dead_letters.begin()
        last = Counts()

        def work(connection: psycopg.Connection, again: bool) -> Counts:
            nonlocal last
            if again and self._has_committed(connection, batch):
                return last  # the connection broke between the commit and its answer
            last = self._write(connection, batch, dead_letters)
            return last

        return self._retried(work)

    def _has_committed(self, connection: psycopg.Connection, batch: Batch) -> bool:
        (topic, partition), (_, end) = next(iter(batch.ranges.items()))
        row = connection.execute(
            "select next_offset, epoch from market.kafka_offset"
            " where topic = %s and partition = %s",
            (topic, partition),
        ).fetchone()
        return row == (end, self._epochs[topic, partition])

    def _write(
        self, connection: psycopg.Connection, batch: Batch, dead_letters: DeadLetters
    ) -> Counts:
        refusals = dict(batch.refusals)
        duplicates = 0
        applied: Counter[str] = Counter()
        for kind in KINDS:
            if kind not in batch.rows:
                continue
            others = self._ticks.write(connection, kind, batch.rows[kind])
            applied[kind] = batch.rows[kind].height - len(others)
            for ordinal, outcome in others:
                if outcome == "duplicate":
                    duplicates += 1
                else:
                    refusals[ordinal] = batch.not_current(kind, ordinal)
        if refusals:
            letters = [batch.letter(ordinal, refusals[ordinal]) for ordinal in sorted(refusals)]
            with connection.cursor() as cursor:
                cursor.executemany(
                    REFUSED,
                    [(x.topic, x.partition, x.offset, x.reason, x.message) for x in letters],
                )
            self._advance(connection, batch)
            dead_letters.publish(letters)
        else:
            self._advance(connection, batch)
        reasons = Counter(refusal.reason for refusal in refusals.values())
        return Counts(applied.total(), duplicates, reasons, applied)

    def _advance(self, connection: psycopg.Connection, batch: Batch) -> None:
        for (topic, partition), (first, end) in sorted(batch.ranges.items()):
            epoch = self._epochs[topic, partition]
            moved = connection.execute(ADVANCE, (end, topic, partition, first, epoch)).rowcount
            if moved != 1:
                raise FencedError(
                    f"partition {partition} of {topic} was taken over by another consumer since "
                    f"epoch {epoch}: this one wrote nothing of its batch and stops; let one of "
                    "them run, or start this one again to take over"
                )


def _known(connection: psycopg.Connection) -> Known:
    tenants = connection.execute("select tenant_id from market.tenant").fetchall()
    symbols = connection.execute("select symbol from market.instrument").fetchall()
    return Known(frozenset(row[0] for row in tenants), frozenset(row[0] for row in symbols))


def address(url: str) -> str:
    """Name a server without its password: host:port/database."""
    info = conninfo_to_dict(url)
    return f"{info.get('host', 'localhost')}:{info.get('port', 5432)}/{info.get('dbname', '')}"


def _remedy(error: psycopg.Error) -> str:
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.InvalidSchemaName):
        return "the tables are missing: run make migrate"
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return "log in with a role that may write market.*: check DATABASE_URL"
    return "check that the server runs and DATABASE_URL names it and a login it takes"
