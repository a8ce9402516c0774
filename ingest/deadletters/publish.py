"""Refused messages: their bytes and the reason go to <topic>.dlq before the database commits."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from time import time
from typing import Any

from ingest.texts import plain
from ingest.wire.codec import schema_id_of
from ingest.wire.producer import FILE, Headers, Sender, whose
from ingest.wire.topics import dead_letter_topic


@dataclass(frozen=True)
class DeadLetter:
    """A refused message as it came, where from, why (a Reason's name and a text), and whose it was.

    file: the captured file it was replayed from. What is not known is None.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    payload: bytes | None
    reason: str
    message: str
    tenant_id: int | None = None
    symbol: str | None = None
    file: str | None = None

    @property
    def place(self) -> tuple[str, int, int]:
        """Where it was: topic, partition, offset."""
        return self.topic, self.partition, self.offset

    @property
    def about(self) -> tuple[str, int | None, str | None, str | None]:
        """What the table says besides: the text, and whose it was."""
        return self.message, self.tenant_id, self.symbol, self.file


def file_of(headers: Any) -> str | None:
    """Return the file that a message's headers name; None where they name none."""
    for name, value in headers or ():
        if name == FILE and value:
            return plain(value.decode(errors="backslashreplace"))
    return None


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
        fresh = [letter for letter in letters if letter.place not in self._batch]
        for letter in fresh:
            schema_id = schema_id_of(letter.payload)
            written_with: Headers = [] if schema_id is None else [("schema_id", str(schema_id))]
            self._sender.letter(
                dead_letter_topic(letter.topic),
                letter.key,
                letter.payload,
                [
                    ("topic", letter.topic),
                    ("partition", str(letter.partition)),
                    ("offset", str(letter.offset)),
                    ("reason", letter.reason),
                    ("message", letter.message),
                    *whose(letter.tenant_id, letter.symbol, letter.file),
                    *written_with,
                    ("time", str(int(time() * 1_000_000))),
                ],
            )
        if fresh:
            self._sender.flush()
            self._batch.update(letter.place for letter in fresh)
