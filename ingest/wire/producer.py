"""Ticks into Kafka, keyed so that an instrument's ticks of one tenant stay in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType

from confluent_kafka import KafkaError, Message, Producer

from ingest.errors import DeliveryError
from ingest.kinds import Record
from ingest.wire.codec import encode
from ingest.wire.registry import FILES, SchemaSource
from ingest.wire.topics import CLIENT, dead_letter_topic, ensure_topics

Headers = list[tuple[str, str | bytes | None]]
Outgoing = tuple[str, bytes | None, bytes | None, Headers]
Delivered = Callable[[KafkaError | None, Message], None]

# header of a message: the captured file it was read from
FILE = "file"
# header of a dead letter that holds only the beginning of its message: how many bytes that has
SIZE = "size"
BEGINNING = 4096
KEY_BEGINNING = 200

POLL_EVERY = 1000
FLUSH_S = 60.0
FLUSH_STEP_S = 0.5
SETTINGS = {
    **CLIENT,
    "acks": "all",
    "enable.idempotence": True,
    "linger.ms": 20,
    "compression.type": "lz4",
    "queue.buffering.max.messages": 500_000,
    "queue.buffering.max.kbytes": 512 * 1024,
    # the broker's limit counts: what it let into a topic must get into the dead letters
    "message.max.bytes": 1_000_000_000,
    "delivery.timeout.ms": int(FLUSH_S * 1000),
}


class Sender:
    """A Kafka producer that remembers what was not delivered, until flush says so."""

    def __init__(self, bootstrap: str, stopping: threading.Event | None = None) -> None:
        """bootstrap: host:port of the broker, which is talked to in the background.

        stopping: once set, flush waits no longer.
        """
        self.bootstrap = bootstrap
        self._stopping = stopping or threading.Event()
        self._producer = Producer({"bootstrap.servers": bootstrap, **SETTINGS})
        self._since_poll = 0
        self._too_large: list[Outgoing] = []
        self._failed = 0
        self._error: KafkaError | None = None

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failed += 1
            self._error = error

    def produce(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers | None = None
    ) -> None:
        """Hand one message to the background; waits while the queue is full."""
        self._hand((topic, key, value, headers or []), self._delivered)

    def letter(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Hand over a dead letter. Where the broker takes none so large, its beginning goes.

        A message at the broker's limit leaves no room for the headers of its letter, which would
        then never arrive, and nothing behind it.
        """
        outgoing = topic, key, value, headers

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                self._too_large.append(outgoing)
            else:
                self._delivered(error, message)

        self._hand(outgoing, delivered)

    def _hand(self, outgoing: Outgoing, delivered: Delivered) -> None:
        topic, key, value, headers = outgoing
        while True:
            try:
                self._producer.produce(
                    topic, value=value, key=key, headers=headers, on_delivery=delivered
                )
                break
            except BufferError:
                self._producer.poll(0.1)
        self._since_poll += 1
        if self._since_poll >= POLL_EVERY:
            self._since_poll = 0
            self._producer.poll(0)

    def flush(self) -> None:
        """Return when the broker has everything. Raises DeliveryError with what it has not."""
        left = self._wait()
        # first once more alone: it may be the batch that was too large
        for made in (_whole, _beginning):
            refused, self._too_large = self._too_large, []
            for outgoing in refused:
                self.letter(*made(outgoing))
                left = self._wait()
        if self._too_large:
            self._failed += len(self._too_large)
            self._error = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)
            self._too_large = []
        failed, error = self._failed + left, self._error
        self._failed, self._error = 0, None
        if failed:
            said = error.str() if error is not None else f"no answer within {FLUSH_S:.0f} s"
            raise DeliveryError(
                f"{failed} messages did not reach Kafka at {self.bootstrap} ({said}): check that "
                "the broker runs and KAFKA_BOOTSTRAP names it, then send again; what arrived twice "
                "is recognised"
            )

    def _wait(self) -> int:
        """Wait until the broker has answered for all; returns for how many it has not."""
        until = time.monotonic() + FLUSH_S
        while left := self._producer.flush(FLUSH_STEP_S):
            if time.monotonic() > until or self._stopping.is_set():
                break
        return left


def _whole(outgoing: Outgoing) -> Outgoing:
    return outgoing


def _beginning(outgoing: Outgoing) -> Outgoing:
    topic, key, value, headers = outgoing
    size = len(value or b"")
    return (
        topic,
        key and key[:KEY_BEGINNING],
        (value or b"")[:BEGINNING],
        [
            *headers,
            (SIZE, str(size)),
        ],
    )


def whose(tenant_id: int | None, symbol: str | None, file: str | None) -> Headers:
    """Return the headers that say whose message a letter is, as far as that is known."""
    known = {"tenant_id": tenant_id, "symbol": symbol, FILE: file}
    return [(name, str(value)) for name, value in known.items() if value is not None]


class TickProducer:
    """Sends trades, quotes and bars; a context manager that flushes at the end of a good block."""

    def __init__(
        self,
        bootstrap: str,
        topics: Mapping[str, str],
        partitions: int = 4,
        source: SchemaSource = FILES,
    ) -> None:
        """topics: topic of each kind; those missing are created, with `partitions`.

        source: where consumers look up the schemas; a registry is told of ours before any message.
        Raises KafkaUnavailableError, SchemaRefusedError, RegistryUnavailableError.
        """
        self._ids = {kind: source.id_for(kind, topic) for kind, topic in topics.items()}
        ensure_topics(bootstrap, topics.values(), partitions)
        self.topics = dict(topics)
        self._sender = Sender(bootstrap)

    def send(self, kind: str, record: Record, headers: Headers | None = None) -> None:
        """Send a record of schemas/<kind>.avsc. Raises UnencodableError.

        headers: for example the FILE that it was read from, which its dead letter would name.
        """
        key = f"{record['tenant_id']}:{record['symbol']}".encode()
        self._sender.produce(self.topics[kind], key, encode(kind, record, self._ids[kind]), headers)

    def send_raw(self, kind: str, key: bytes, payload: bytes) -> None:
        """Send bytes as they are to the topic of a kind."""
        self._sender.produce(self.topics[kind], key, payload)

    def reject(
        self, kind: str, payload: bytes, reason: str, message: str, of: Headers | None = None
    ) -> None:
        """Send bytes that never were a message straight to the dead-letter topic of a kind.

        Its headers are those of the consumer's dead letters, without partition and offset. of:
        whose they are.
        """
        headers: Headers = [
            ("topic", self.topics[kind]),
            ("reason", reason),
            ("message", message),
            *(of or []),
            ("time", str(time.time_ns() // 1000)),
        ]
        self._sender.letter(dead_letter_topic(self.topics[kind]), None, payload, headers)

    def flush(self) -> None:
        """Return when the broker has everything. Raises DeliveryError with what it has not."""
        self._sender.flush()

    def __enter__(self) -> TickProducer:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Flush, unless an error is on its way."""
        if error is None:
            self.flush()
