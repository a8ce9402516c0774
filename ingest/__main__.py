"""Command line: `python -m ingest run|replay|synthetic|dlq`."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable

from embedded.errors import EmbeddedError
from engine.errors import EngineError
from ingest.errors import IngestError

USAGE = """python -m ingest COMMAND ...

commands:
  run        consume trades and quotes from Kafka into the database
  replay     send captured files to Kafka
  synthetic  send a made-up day to Kafka
  dlq        look at refused messages, mend them, send them back

`python -m ingest COMMAND --help` says more. Settings come from the environment:
see docs/ingest.md.
"""
# imported when asked for: each brings what the others do without
COMMANDS = {
    "run": "ingest.consume.run",
    "replay": "ingest.replay.replay",
    "synthetic": "ingest.replay.synthetic",
    "dlq": "ingest.deadletters.dlq",
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
    command: Callable[[list[str]], int] = importlib.import_module(COMMANDS[arguments[0]]).main
    try:
        return command(arguments[1:])
    except (IngestError, EngineError, EmbeddedError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
