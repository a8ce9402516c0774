"""The loop's side of Kafka: one consumer of a group, its partitions as (topic, number)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from ingest.consume.batch import Partition, Source
from ingest.errors import KafkaUnavailableError, OffsetLostError
from ingest.wire.topics import ANSWER_S, CLIENT, ensure_topics, topic_ids

log = logging.getLogger("ingest.consumer")

QUEUE_KB = 64 * 1024
# a dead member's partitions wait so long for another one; one that merely stood still, on a busy
# machine or beside a broker that collects garbage, is not to lose them
SESSION_MS = 10_000
Taken = Callable[[list[Partition]], None]


class KafkaConsumer(Protocol):
    """What is needed of a confluent_kafka.Consumer."""

    def subscribe(self, *args: Any, **options: Any) -> None:  # noqa: D102
        ...

    def assign(self, *args: Any, **options: Any) -> None:  # noqa: D102
        ...

    def assignment(self, *args: Any, **options: Any) -> list[TopicPartition]:  # noqa: D102
        ...

    def pause(self, *args: Any, **options: Any) -> None:  # noqa: D102
        ...

    def resume(self, *args: Any, **options: Any) -> None:  # noqa: D102
        ...

    def consume(self, *args: Any, **options: Any) -> list[Any]:  # noqa: D102
        ...

    def poll(self, *args: Any, **options: Any) -> Any:  # noqa: D102
        ...

    def commit(self, *args: Any, **options: Any) -> Any:  # noqa: D102
        ...

    def get_watermark_offsets(self, *args: Any, **options: Any) -> Any:  # noqa: D102
        ...

    def close(self, *args: Any, **options: Any) -> None:  # noqa: D102
        ...


class Kafka:
    """A consumer whose errors are ours: OffsetLostError and KafkaUnavailableError."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        bootstrap: str,
        partitions: Mapping[str, int],
        ids: Callable[[], Mapping[str, str]],
    ) -> None:
        """bootstrap: where the broker is, for messages. partitions: how many each topic has.

        ids: asks for the id of each topic; raises KafkaUnavailableError.
        """
        self._consumer = consumer
        self._bootstrap = bootstrap
        self._partitions = partitions
        self._ids = ids

    @classmethod
    def connect(
        cls, bootstrap: str, group: str, topics: Iterable[str], new_partitions: int
    ) -> Kafka:
        """Join nothing yet; create topics that are missing. Raises KafkaUnavailableError."""
        names = list(topics)
        partitions = ensure_topics(bootstrap, names, new_partitions)
        consumer = Consumer(
            {
                **CLIENT,
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "session.timeout.ms": SESSION_MS,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 100,
                "queued.max.messages.kbytes": QUEUE_KB,
            }
        )
        return cls(consumer, bootstrap, partitions, lambda: topic_ids(bootstrap, names))

    def subscribe(self, on_assign: Taken, on_revoke: Taken) -> None:
        """Share the topics with the group; a rebalance calls these inside consume and poll."""
        self._consumer.subscribe(
            list(self._partitions),
            on_assign=lambda _, places: on_assign(_named(places)),
            on_revoke=lambda _, places: on_revoke(_named(places)),
        )

    def assign(self, positions: Mapping[Partition, int]) -> None:
        """Read these partitions from these offsets on."""
        self._consumer.assign([TopicPartition(*at, offset) for at, offset in positions.items()])

    def assigned(self) -> list[Partition]:
        """Return the partitions that are read."""
        return _named(self._consumer.assignment())

    def pause(self, partitions: Iterable[Partition]) -> None:
        """Backpressure: fetch no more of these until they are resumed; the group keeps us."""
        self._consumer.pause([TopicPartition(*at) for at in partitions])

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Fetch these again."""
        self._consumer.resume([TopicPartition(*at) for at in partitions])

    def consume(self, most: int, seconds: float) -> list[Message]:
        """Take so many messages at most, waiting so long at most. Raises OffsetLostError."""
        return [message for message in self._consumer.consume(most, seconds) if self._good(message)]

    def poll(self, seconds: float) -> Message | None:
        """Let the group see that we live; returns a message if there is one all the same."""
        message = self._consumer.poll(seconds)
        return message if message is not None and self._good(message) else None

    def sources(self, partitions: Iterable[Partition]) -> dict[Partition, Source]:
        """Ask what is in these partitions. Raises KafkaUnavailableError."""
        ids = self._ids()
        return {at: Source(ids[at[0]], self._watermarks(at)[0]) for at in partitions}

    def ends(self) -> dict[Partition, int]:
        """Return the next offset of every partition. Raises KafkaUnavailableError."""
        return {
            (topic, partition): self._watermarks((topic, partition))[1]
            for topic, number in self._partitions.items()
            for partition in range(number)
        }

    def last_end(self, at: Partition) -> int:
        """Return the next offset of a partition as the last fetch said it; below 0: unknown."""
        _, end = self._consumer.get_watermark_offsets(TopicPartition(*at), cached=True)
        return int(end)

    def commit(self, offsets: Mapping[Partition, int], *, wait: bool) -> None:
        """Tell Kafka how far the group is, for monitoring. Failing to is no loss."""
        if not offsets:
            return
        places = [TopicPartition(*at, offset) for at, offset in offsets.items()]
        try:
            self._consumer.commit(offsets=places, asynchronous=not wait)
        except KafkaException as error:
            log.info("Kafka did not take the group's offsets: %s", error.args[0].str())

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _watermarks(self, at: Partition) -> tuple[int, int]:
        """Return the first offset that the broker has, and the next one it will give."""
        try:
            first, end = self._consumer.get_watermark_offsets(
                TopicPartition(*at), timeout=ANSWER_S, cached=False
            )
        except KafkaException as error:
            raise KafkaUnavailableError.at(self._bootstrap, error.args[0].str()) from None
        return first, end

    def _good(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise OffsetLostError(
                f"partition {message.partition()} of {message.topic()} has no message at offset "
                f"{message.offset()} ({error.str()}): Kafka deleted messages before they were "
                "consumed. Replay them from the captures, delete the partition's row from "
                "market.kafka_offset and start again: what is stored already is recognised"
            )
        if error.fatal() or not error.retriable():
            log.warning("Kafka at %s: %s", self._bootstrap, error.str())
        return False


def _named(places: Iterable[TopicPartition]) -> list[Partition]:
    return [(at.topic, at.partition) for at in places]
