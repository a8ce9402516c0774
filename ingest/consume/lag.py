"""How far ingest is behind: python -m ingest lag."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import closing

from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from engine.settings import Env
from ingest.config import Config
from ingest.database import Database
from ingest.errors import KafkaUnavailableError
from ingest.wire.topics import ANSWER_S, CLIENT

NEXT = "select topic, partition, next_offset from market.kafka_offset"

GROUP_IS_ALIVE = (
    ConsumerGroupState.STABLE,
    ConsumerGroupState.PREPARING_REBALANCING,
    ConsumerGroupState.COMPLETING_REBALANCING,
)


def main(argv: list[str], env: Env, database_url: Callable[[], str]) -> int:
    """Print a line: how many messages wait, and whether anybody takes them; returns 0."""
    argparse.ArgumentParser(
        prog="python -m ingest lag", description="How many messages wait, and for whom."
    ).parse_args(argv)
    config = Config.from_env({**env, "DATABASE_URL": database_url()})
    with closing(Database(config.database_url, retry_s=0)) as database:
        taken = {
            (topic, partition): offset
            for topic, partition, offset in database.transact(
                lambda connection, _: connection.execute(NEXT).fetchall()
            )
        }
    waiting = _ends(config)
    lag = sum(max(0, end - taken.get(at, 0)) for at, end in waiting.items())
    said = f"ingest: {lag:,} messages wait"
    if _runs(config):
        print(f"{said}, an ingester runs")
    else:
        print(f"{said}, none runs: .venv/bin/python -m ingest run takes what comes")
    return 0


def _ends(config: Config) -> dict[tuple[str, int], int]:
    """The end of each partition that is there. Raises KafkaUnavailableError."""
    asking = Consumer(
        {
            **CLIENT,
            "bootstrap.servers": config.kafka_bootstrap,
            "group.id": f"{config.kafka_group}-lag",
        }
    )
    try:
        topics = asking.list_topics(timeout=ANSWER_S).topics
        ends = {}
        for topic in config.topics.values():
            for partition in topics[topic].partitions if topic in topics else ():
                at = TopicPartition(topic, partition)
                _, ends[topic, partition] = asking.get_watermark_offsets(at, timeout=ANSWER_S)
        return ends
    except KafkaException as error:
        raise KafkaUnavailableError.at(config.kafka_bootstrap, error.args[0].str()) from None
    finally:
        asking.close()


def _runs(config: Config) -> bool:
    """Whether anybody is in the group; one that was killed counts for some seconds more."""
    admin = AdminClient({"bootstrap.servers": config.kafka_bootstrap, **CLIENT})
    try:
        found = admin.describe_consumer_groups([config.kafka_group], request_timeout=ANSWER_S)
        # the embedded broker names no members
        return found[config.kafka_group].result().state in GROUP_IS_ALIVE
    except KafkaException:
        return False  # nobody has ever joined it
