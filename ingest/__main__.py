"""Command line: `python -m ingest run|replay|synthetic|dlq`."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Callable
from contextlib import closing

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from embedded.errors import UserError
from engine.resolve import database_url, kafka_bootstrap
from engine.settings import ENVIRONMENT, Env
from ingest.codec import KINDS
from ingest.config import Config
from ingest.consumer import Ingester
from ingest.signals import stop_on_signals
from ingest.validate import Reason
from telemetry import start
from telemetry.settings import TelemetryConfig

Command = Callable[[list[str], Env], int]

USAGE = """python -m ingest COMMAND ...

commands:
  run        consume trades and quotes from Kafka into the database
  replay     send captured files to Kafka
  synthetic  send a made-up day to Kafka
  dlq        look at refused messages, mend them, send them back

`python -m ingest COMMAND --help` says more. Settings come from the environment:
see docs/ingest.md.
"""


def run(argv: list[str], env: Env) -> int:
    """Consume until a signal, or with --until-end until the topics' present ends.

    Starts the engine where no database is given.
    """
    parser = argparse.ArgumentParser(
        prog="python -m ingest run", description="Consume trades and quotes into the database."
    )
    parser.add_argument(
        "--until-end",
        action="store_true",
        help="take all partitions over, consume what is in Kafka now, print the numbers and exit",
    )
    args = parser.parse_args(argv)
    config = Config.from_env({**env, "DATABASE_URL": database_url(env)})
    outputs = TelemetryConfig.from_env(env, service_name="ingest")
    telemetry = start.ingest(outputs, config.kafka_group, KINDS, map(str, Reason))
    with closing(telemetry), Ingester(config, telemetry) as ingester:
        stop_on_signals(ingester.stop)
        if not args.until_end:
            ingester.run()
        else:
            _run_until_end(ingester)
        print(ingester.counts)
    return 0


def _run_until_end(ingester: Ingester) -> None:
    console = Console(stderr=True)
    columns = (TextColumn("consume"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("consume", total=None)
        ingester.run_until_end(
            lambda done, total: progress.update(task, completed=done, total=total)
        )


def _dlq(argv: list[str], env: Env) -> int:
    from ingest import dlq

    # dead letters are in Kafka: the engine is started only to mend some
    return dlq.main(argv, env, lambda: database_url(env))


def _module(name: str) -> Command:
    def command(argv: list[str], env: Env) -> int:
        main: Command = importlib.import_module(f"ingest.{name}").main
        return main(argv, env)

    return command


COMMANDS: dict[str, Command] = {
    "run": run,
    "replay": _module("replay"),
    "synthetic": _module("synthetic"),
    "dlq": _dlq,
}


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code (1: refused, with the reason on stderr)."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] in (["-h"], ["--help"]):
        print(USAGE, end="")
        return 0
    if not arguments or arguments[0] not in COMMANDS:
        print(USAGE, end="", file=sys.stderr)
        return 2
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    try:
        # a missing broker is said by the settings, once a command asks for them
        found = {**ENVIRONMENT, "KAFKA_BOOTSTRAP": kafka_bootstrap() or ""}
        return COMMANDS[arguments[0]](arguments[1:], found)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
