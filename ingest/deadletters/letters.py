"""Dead letters as they lie in <topic>.dlq: read them, mend their records, send them back once.

What was sent back, or dropped, is noted in the compacted topic <topic>.dlq.replayed: one message a
letter, its key the letter's identity. Not a committed offset of a group, because letters are sent
back in any order and selection. Not a table, because the note must live and die with the letters:
an embedded broker forgets its topics when it stops, and a table would then keep new letters at old
offsets from being sent. The header `replayed_from` of a message that was sent back names its
letter, for whoever finds it in the topic.

A letter is noted after the broker has it. A crash in between makes a later replay send it again;
ingest recognises the second one as a duplicate.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, cast

import psycopg
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from ingest.database import Database
from ingest.errors import IngestError, KafkaUnavailableError, UndecodableError
from ingest.kinds import KINDS, Record
from ingest.texts import plain
from ingest.validate import EPOCH
from ingest.wire.codec import decode
from ingest.wire.producer import FILE, SIZE, Headers, Sender, whose
from ingest.wire.topics import ANSWER_S, BROKER_DEFAULT, CLIENT, FIRST_ANSWER_S, dead_letter_topic

Parcel = tuple["Letter", bytes | None, bytes | None]

FETCH_S = 0.3
BIGINT = 2**63
REPLAYED_FROM = "replayed_from"
DROPPED = b"dropped"
SETTLE = """
    update market.dead_letter as d set settled_at = now()
    from unnest(%s::text[], %s::integer[], %s::bigint[]) as s (topic, partition, "offset")
    where (d.topic, d.partition, d."offset") = (s.topic, s.partition, s."offset")
"""


class DeadLetterError(IngestError):
    """A dead letter cannot be found, mended or sent back; the text says which one and what to do.

    Nothing was sent.
    """


@dataclass(frozen=True)
class Letter:
    """A message of a dead-letter topic.

    dlq: that topic; offset: in it; headers: all of them, undecodable bytes escaped; time_us: when
    it was refused, microseconds since 1970.
    """

    dlq: str
    offset: int
    key: bytes | None
    payload: bytes | None
    headers: dict[str, str]
    time_us: int

    @property
    def number(self) -> str:
        """What it is called: `trades.dlq@17`."""
        return f"{self.dlq}@{self.offset}"

    @property
    def topic(self) -> str:
        """The topic it was refused from, and goes back to."""
        return self.headers.get("topic") or self.dlq.removesuffix(".dlq")

    @property
    def reason(self) -> str:
        """Kind of fault: one of validate.reasons(), or `unmappable` of a captured row."""
        return self.headers.get("reason", "")

    @property
    def source(self) -> str:
        """Where it was refused, `trades/3@17`; of a row that never was in Kafka `trades`."""
        if not self.was_message:
            return self.topic
        return f"{self.topic}/{self.headers.get('partition')}@{self.headers['offset']}"

    @property
    def partition(self) -> str | None:
        """The partition it was refused from, `trades/3`."""
        return f"{self.topic}/{self.headers.get('partition')}" if self.was_message else None

    @property
    def file(self) -> str | None:
        """The captured file it was replayed from, where it names one."""
        return self.headers.get(FILE)

    @property
    def tenant(self) -> int | None:
        """The tenant that it names; None where it names none that can be read."""
        said = self._whose[0]
        return int(said) if said is not None and said.lstrip("-").isdecimal() else None

    @property
    def symbol(self) -> str | None:
        """The symbol that it names, cut and escaped as texts.plain does; None as tenant."""
        return self._whose[1]

    @cached_property
    def _whose(self) -> tuple[str | None, str | None]:
        """As the headers say it; of a letter from before they did, its record."""
        tenant, symbol = self.headers.get("tenant_id"), self.headers.get("symbol")
        if tenant is None and symbol is None:
            for kind in KINDS:
                with suppress(UndecodableError):
                    record = decode(kind, self.payload)
                    return str(record["tenant_id"]), plain(record["symbol"])
        return tenant, symbol

    @property
    def size(self) -> int | None:
        """Size of its message in bytes, where the letter holds only the beginning; else None."""
        said = self.headers.get(SIZE)
        return int(said) if said is not None and said.isdecimal() else None

    @property
    def place(self) -> tuple[str, int, int]:
        """Topic, partition and offset of a letter that was a message."""
        return self.topic, int(self.headers["partition"]), int(self.headers["offset"])

    @property
    def was_message(self) -> bool:
        """Whether its bytes came from Kafka; those of an unmappable row of a file did not."""
        return "offset" in self.headers

    @property
    def identity(self) -> bytes:
        """Equal for the letters of one refused message: a crash can make ingest write it twice.

        The bytes count too, because a topic that is created again counts its offsets from 0.
        """
        digest = hashlib.sha256(self.payload or b"").hexdigest()[:32]
        place = self.source if self.was_message else self.number
        return f"{place} {digest}".encode()


@dataclass(frozen=True)
class Notes:
    """The identities of the letters that are settled: each was sent back, or dropped."""

    sent_back: frozenset[bytes]
    dropped: frozenset[bytes]


def read(bootstrap: str, topic: str) -> Iterator[Letter]:
    """Yield the dead letters of a topic, oldest first. Raises KafkaUnavailableError."""
    dlq = dead_letter_topic(topic)
    for message in _messages(bootstrap, dlq):
        given = cast("list[tuple[str, bytes | None]]", message.headers() or [])
        headers = {name: (value or b"").decode(errors="backslashreplace") for name, value in given}
        said = headers.get("time", "")
        time_us = int(said) if said.isdecimal() else 1000 * message.timestamp()[1]
        key, payload = message.key(), message.value()
        yield Letter(dlq, message.offset() or 0, key, payload, headers, time_us)


def noted(bootstrap: str, topic: str) -> Notes:
    """Return which letters of a topic are settled. Raises KafkaUnavailableError."""
    last = {m.key() or b"": m.value() for m in _messages(bootstrap, _notes(topic))}
    dropped = frozenset(key for key, value in last.items() if value == DROPPED)
    return Notes(frozenset(last) - dropped, dropped)


def drop(bootstrap: str, letters: Sequence[Letter]) -> None:
    """Note letters as dropped: nobody sees them again. Their bytes stay while the topic keeps them.

    Raises DeliveryError, KafkaUnavailableError.
    """
    sender = Sender(bootstrap)
    _create_notes(bootstrap, {letter.topic for letter in letters})
    for letter in letters:
        sender.produce(_notes(letter.topic), letter.identity, DROPPED)
    sender.flush()


def settle(database: Database, letters: Sequence[Letter]) -> None:
    """Note in market.dead_letter that these were sent back or dropped.

    Raises DatabaseUnavailableError.
    """
    places = [letter.place for letter in letters if letter.was_message]

    def work(connection: psycopg.Connection, _: bool) -> None:
        connection.execute(SETTLE, [list(values) for values in zip(*places, strict=True)])

    if places:
        database.transact(work)


def send_back(bootstrap: str, letters: Sequence[Parcel]) -> None:
    """Send (letter, key, payload) to their source topics and note each as sent back.

    Raises DeliveryError, KafkaUnavailableError.
    """
    sender = Sender(bootstrap)
    _create_notes(bootstrap, {letter.topic for letter, _, _ in letters})
    for letter, key, payload in letters:
        headers: Headers = [(REPLAYED_FROM, letter.number), *whose(None, None, letter.file)]
        sender.produce(letter.topic, key, payload, headers)
    sender.flush()
    for letter, _, _ in letters:
        sender.produce(_notes(letter.topic), letter.identity, str(letter.offset).encode())
    sender.flush()


def mend(kind: str, record: Record, changes: Mapping[str, str]) -> Record:
    """Return the record with fields replaced; changes: their new values as text.

    Times are microseconds since 1970 or ISO 8601 with a zone; `null` empties a field that may be
    empty. Raises DeadLetterError naming the field.
    """
    types = {field["name"]: field["type"] for field in KINDS[kind].fields}
    mended = dict(record)
    for name, text in changes.items():
        if name not in types:
            raise DeadLetterError(f"a {kind} has no field {name!r}: it has {', '.join(types)}")
        mended[name] = _value(name, types[name], text)
    return mended


def key_after(letter: Letter, before: Record, after: Record) -> bytes | None:
    """Return the letter's own key, or the new instrument's where mending changed it.

    An instrument's ticks of one tenant stay in order only with one key.
    """
    if all(before[name] == after[name] for name in ("tenant_id", "symbol")):
        return letter.key
    return f"{after['tenant_id']}:{after['symbol']}".encode()


def _value(name: str, kind: Any, text: str) -> Any:
    allowed = kind if isinstance(kind, list) else [kind]
    if text == "null" and "null" in allowed:
        return None
    (wanted,) = (one for one in allowed if one != "null")
    is_time = isinstance(wanted, dict)
    parse: Callable[[str], Any] = (
        _micros if is_time else {"int": int, "long": int, "double": float}.get(wanted, str)
    )
    try:
        value = parse(text)
        if isinstance(value, int) and not -BIGINT <= value < BIGINT:
            raise ValueError
        return value
    except ValueError:
        named = "microseconds since 1970 or ISO 8601 with a zone" if is_time else f"a {wanted}"
        empty = " or null" if "null" in allowed else ""
        raise DeadLetterError(f"{name}={text!r}: say {named}{empty}") from None


def _micros(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _notes(topic: str) -> str:
    return f"{dead_letter_topic(topic)}.replayed"


def _create_notes(bootstrap: str, topics: Iterable[str]) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap, **CLIENT})
    try:
        there = admin.list_topics(timeout=FIRST_ANSWER_S).topics
        missing = [
            NewTopic(_notes(topic), 1, BROKER_DEFAULT, config={"cleanup.policy": "compact"})
            for topic in topics
            if _notes(topic) not in there
        ]
        for future in admin.create_topics(missing).values() if missing else ():
            future.result(ANSWER_S)
    except KafkaException as error:
        raise KafkaUnavailableError.at(bootstrap, error.args[0].str()) from None


def _is_end(message: Message) -> bool:
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF


def _messages(bootstrap: str, topic: str) -> Iterator[Message]:
    """Yield what a topic of one partition holds now; nothing when there is no such topic."""
    consumer = Consumer(
        {
            **CLIENT,
            "bootstrap.servers": bootstrap,
            "group.id": "ingest_dlq",  # never joined: partitions are assigned, nothing committed
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 100,
        }
    )
    try:
        if topic not in consumer.list_topics(timeout=FIRST_ANSWER_S).topics:
            return
        first, end = consumer.get_watermark_offsets(
            TopicPartition(topic, 0), timeout=ANSWER_S, cached=False
        )
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        position, give_up = first, time.monotonic() + ANSWER_S
        while True:
            # one at a time: a letter can be as large as the broker lets a message be
            message = consumer.poll(FETCH_S)
            if message is not None and message.error() is None:
                position, give_up = (message.offset() or 0) + 1, time.monotonic() + ANSWER_S
                yield message
            elif position >= end and (message is None or _is_end(message)):
                # not at `end` itself: tansu names an end within its last batch of messages
                return
            elif time.monotonic() > give_up:
                raise KafkaUnavailableError.at(
                    bootstrap, f"{topic} ended at {position}, {end} was announced"
                )
    except KafkaException as error:
        raise KafkaUnavailableError.at(bootstrap, error.args[0].str()) from None
    finally:
        consumer.close()
