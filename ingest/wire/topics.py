"""Topics on the broker: create what is missing, name the dead-letter topic."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from ingest.errors import KafkaUnavailableError

ANSWER_S = 10.0
FIRST_ANSWER_S = 3.0
POLL_S = 0.05
BROKER_DEFAULT = -1
CLIENT: dict[str, Any] = {"logger": logging.getLogger("ingest.kafka"), "client.id": "ingest"}


def dead_letter_topic(topic: str) -> str:
    """Return where the refused messages of a topic go: <topic>.dlq."""
    return f"{topic}.dlq"


def ensure_topics(bootstrap: str, topics: Iterable[str], partitions: int) -> dict[str, int]:
    """Create the topics, and their dead-letter topics, that are missing.

    partitions: of a new topic; a dead-letter topic gets one. Returns the number of partitions of
    each of `topics`. Raises KafkaUnavailableError.
    """
    wanted = dict.fromkeys(topics, partitions)
    dead = {dead_letter_topic(topic): 1 for topic in wanted}
    admin = AdminClient({"bootstrap.servers": bootstrap, **CLIENT})
    try:
        there = admin.list_topics(timeout=FIRST_ANSWER_S).topics
        missing = [
            NewTopic(topic, number, BROKER_DEFAULT)
            for topic, number in {**wanted, **dead}.items()
            if topic not in there
        ]
        if missing:
            _create(admin, missing)
            there = admin.list_topics(timeout=ANSWER_S).topics
        # a broker lists a topic only some time after it said that it made it
        until = time.monotonic() + ANSWER_S
        while not there.keys() >= wanted.keys():
            if time.monotonic() > until:
                raise KafkaUnavailableError.at(bootstrap, "topics it has made do not appear")
            time.sleep(POLL_S)
            there = admin.list_topics(timeout=ANSWER_S).topics
    except KafkaException as error:
        raise KafkaUnavailableError.at(bootstrap, error.args[0].str()) from None
    return {topic: len(there[topic].partitions) for topic in wanted}


def _create(admin: AdminClient, topics: list[NewTopic]) -> None:
    for future in admin.create_topics(topics).values():
        try:
            future.result(ANSWER_S)
        except KafkaException as error:
            # another process came first
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def topic_ids(bootstrap: str, topics: Iterable[str]) -> dict[str, str]:
    """Return Kafka's id of each topic, which a topic that is made again does not keep.

    Raises KafkaUnavailableError.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap, **CLIENT})
    try:
        asked = admin.describe_topics(TopicCollection(list(topics)), request_timeout=ANSWER_S)
        return {topic: str(answer.result(ANSWER_S).topic_id) for topic, answer in asked.items()}
    except KafkaException as error:
        raise KafkaUnavailableError.at(bootstrap, error.args[0].str()) from None
