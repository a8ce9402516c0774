"""Refused messages: their bytes and the reason go to <topic>.dlq before the database commits."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from time import time

from ingest.wire.codec import schema_id_of
from ingest.wire.producer import Headers, Sender
from ingest.wire.topics import dead_letter_topic


@dataclass(frozen=True)
class DeadLetter:
    """A refused message as it came, where from, and why (a Reason's name and a text)."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    payload: bytes | None
    reason: str
    message: str


class DeadLetters:
    """Publishes dead letters. A crash before the database commits sends them again."""

    def __init__(self, bootstrap: str, stopping: threading.Event | None = None) -> None:
        """bootstrap: host:port of the broker. stopping: once set, publish waits no longer."""
        self._sender = Sender(bootstrap, stopping)
        self._batch: set[tuple[str, int, int]] = set()

    def begin(self) -> None:
        """A new batch starts; within one, publish is idempotent: a retry sends no letter twice."""
        self._batch.clear()

    def publish(self, letters: Sequence[DeadLetter]) -> None:
        """Return when Kafka has all letters. Raises DeliveryError."""
        fresh = [x for x in letters if (x.topic, x.partition, x.offset) not in self._batch]
        for letter in fresh:
            schema_id = schema_id_of(letter.payload)
            written_with: Headers = [] if schema_id is None else [("schema_id", str(schema_id))]
            self._sender.produce(
                dead_letter_topic(letter.topic),
                letter.key,
                letter.payload,
                [
                    ("topic", letter.topic),
                    ("partition", str(letter.partition)),
                    ("offset", str(letter.offset)),
                    ("reason", letter.reason),
                    ("message", letter.message),
                    *written_with,
                    ("time", str(int(time() * 1_000_000))),
                ],
            )
        if fresh:
            self._sender.flush()
            self._batch.update((x.topic, x.partition, x.offset) for x in fresh)
