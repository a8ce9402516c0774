"""Dead letters as they lie in <topic>.dlq: read them, mend their records, send them back once.

What was sent back is noted in the compacted topic <topic>.dlq.replayed: one message a letter,
its key the letter's identity. Not a committed offset of a group, because letters are sent back in
any order and selection. Not a table, because the note must live and die with the letters: an
embedded broker forgets its topics when it stops, and a table would then keep new letters at old
offsets from being sent. The header `replayed_from` of a message that was sent back names its
letter, for whoever finds it in the topic.

A letter is noted after the broker has it. A crash in between makes a later replay send it again;
ingest recognises the second one as a duplicate.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from ingest.errors import IngestError, KafkaUnavailableError
from ingest.kinds import KINDS, Record
from ingest.validate import EPOCH
from ingest.wire.producer import Headers, Sender
from ingest.wire.topics import ANSWER_S, BROKER_DEFAULT, CLIENT, FIRST_ANSWER_S, dead_letter_topic

Parcel = tuple["Letter", bytes | None, bytes | None]

FETCH_S = 0.3
BIGINT = 2**63
REPLAYED_FROM = "replayed_from"


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
    def was_message(self) -> bool:
        """Whether its bytes came from Kafka; those of an unmappable row of a file did not."""
        return "offset" in self.headers

    @property
    def identity(self) -> bytes:
        """Equal for the letters of one refused message: a crash can make ingest write it twice.

        The bytes count too, because a topic that is created again counts its offsets from 0.
        """
        digest = hashlib.sha256(self.payload or b"").hexdigest()[:32]
        return f"{self.source} {digest}".encode()


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


def replayed(bootstrap: str, topic: str) -> set[bytes]:
    """Return the identities of the letters that were sent back. Raises KafkaUnavailableError."""
    return {message.key() or b"" for message in _messages(bootstrap, _notes(topic))}


def send_back(bootstrap: str, letters: Sequence[Parcel]) -> None:
    """Send (letter, key, payload) to their source topics and note each as sent back.

    Raises DeliveryError, KafkaUnavailableError.
    """
    sender = Sender(bootstrap)
    _create_notes(bootstrap, {letter.topic for letter, _, _ in letters})
    for letter, key, payload in letters:
        headers: Headers = [(REPLAYED_FROM, f"{letter.dlq}@{letter.offset}")]
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
