"""Consume trades, quotes and bars from Kafka into the database: python -m ingest run."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from engine import history
from engine.settings import Env
from ingest.config import Config
from ingest.consume.ingester import Ingester, on_retry
from ingest.consume.kafka import Kafka
from ingest.consume.sink import Sink
from ingest.database import Database
from ingest.deadletters.publish import DeadLetters
from ingest.errors import PoisonedStreamError
from ingest.kinds import KINDS
from ingest.reference import Reference
from ingest.signals import stop_on_signals
from ingest.validate import reasons
from ingest.wire.registry import schemas
from telemetry import start
from telemetry.hooks import Telemetry
from telemetry.settings import TelemetryConfig

TELL_S = 60.0


@contextmanager
def open_ingester(
    config: Config, telemetry: Telemetry | None = None, database: Database | None = None
) -> Iterator[Ingester]:
    """Connect to both sides, hand the loop what it works with, and close all at the end.

    database: the one to write with; absent: one of its own. Raises KafkaUnavailableError,
    DatabaseUnavailableError, ConfigError.
    """
    telemetry = telemetry or Telemetry()
    stopping = threading.Event()

    def connection() -> Database:
        return Database(config.database_url, config.retry_s, stopping, on_retry(telemetry))

    # two: tenants and symbols are asked for while a batch is written
    with closing(database or connection()) as writing, closing(connection()) as asking:
        source = schemas(config.schema_registry_url)
        writing.connect()
        known = Reference(asking)
        kafka = Kafka.connect(
            config.kafka_bootstrap, config.kafka_group, config.topics.values(), config.partitions
        )
        sink = Sink(writing, DeadLetters(config.kafka_bootstrap, stopping))
        with Ingester(
            config, kafka, sink, known, source, telemetry=telemetry, stopping=stopping
        ) as ingester:
            yield ingester


def main(argv: list[str], env: Env, database_url: Callable[[], str]) -> int:
    """Consume until a signal, or with --until-end until the topics' present ends.

    database_url: asked once the arguments are good; it may start the engine.
    """
    parser = argparse.ArgumentParser(
        prog="python -m ingest run",
        description="Consume trades, quotes and bars into the database.",
    )
    parser.add_argument(
        "--until-end",
        action="store_true",
        help="take all partitions over, consume what is in Kafka now, print the numbers and what "
        "history waits for a backfill, and exit",
    )
    args = parser.parse_args(argv)
    config = Config.from_env({**env, "DATABASE_URL": database_url()})
    *others, last = config.topics.values()
    _say(
        f"takes {', '.join(others)} and {last} from {config.kafka_bootstrap}, as group "
        f"{config.kafka_group}; Ctrl-C ends it with what it did"
    )
    outputs = TelemetryConfig.from_env(env, service_name="ingest")
    telemetry = start.ingest(outputs, config.kafka_group, KINDS, reasons())
    telemetry.publishing(config.database_url)
    with closing(telemetry), open_ingester(config, telemetry) as ingester:
        stop_on_signals(ingester.stop)
        try:
            if not args.until_end:
                with _told_every_minute(ingester):
                    ingester.run()
            else:
                _run_until_end(ingester)
        except PoisonedStreamError:
            print(ingester.counts)
            raise
        print(ingester.counts)
    if args.until_end:
        with closing(Database(config.database_url, config.retry_s)) as database:
            for line in database.transact(lambda connection, _: history.waiting(connection)):
                print(line)
    return 0


def _say(text: str) -> None:
    print(f"ingest: {text}", file=sys.stderr, flush=True)


@contextmanager
def _told_every_minute(ingester: Ingester) -> Iterator[None]:
    """Say how far it is, at most once a minute, and only when something came."""
    ended = threading.Event()

    def tell() -> None:
        told = 0
        while not ended.wait(TELL_S):
            if ingester.counts.messages != told:
                told = ingester.counts.messages
                _say(f"{datetime.now(UTC):%H:%M:%S} {str(ingester.counts).partition(chr(10))[0]}")

    threading.Thread(target=tell, name="told", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _run_until_end(ingester: Ingester) -> None:
    console = Console(stderr=True)
    columns = (TextColumn("consume"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("consume", total=None)
        ingester.run_until_end(
            lambda done, total: progress.update(task, completed=done, total=total)
        )
