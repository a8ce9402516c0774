"""Command line: `python -m ingest run|inspect|replay|synthetic|dlq|lag`."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable
from difflib import get_close_matches

from embedded import database
from embedded.errors import INTERRUPTED, UserError
from engine.resolve import STATE_DIR, choice, database_url, kafka_bootstrap
from engine.settings import ENVIRONMENT, Env
from ingest.signals import is_interrupt
from ingest.texts import quoted

Command = Callable[[list[str], Env], int]

USAGE = """python -m ingest COMMAND ...

commands:
  run        consume trades, quotes and bars from Kafka into the database
  inspect    find out what a captured file is, and write its mapping
  replay     send captured files to Kafka
  synthetic  send a made-up day to Kafka
  dlq        look at refused messages, mend them, send them back
  lag        say how many messages wait, and whether anybody takes them

`python -m ingest COMMAND --help` says more. Settings come from the environment:
see docs/ingest.md.
"""


def _plain(module: str) -> Command:
    """A command that needs no database."""

    def command(argv: list[str], env: Env) -> int:
        main: Command = importlib.import_module(module).main
        return main(argv, env)

    return command


def _with_database(module: str) -> Command:
    """A command that asks for the database where it needs one: then the engine is started."""

    def command(argv: list[str], env: Env) -> int:
        main: Callable[..., int] = importlib.import_module(module).main
        return main(argv, env, lambda: database_url(env))

    return command


def _with_running_database(module: str) -> Command:
    """A command that asks a database where one is there, and does without where none is."""

    def running(env: Env) -> str | None:
        # a container is started or found running; the embedded one is not started for this
        if choice(env) != "embedded":
            return database_url(env)
        found = database.status(STATE_DIR / "timescaledb")
        return found.url if found else None

    def command(argv: list[str], env: Env) -> int:
        main: Callable[..., int] = importlib.import_module(module).main
        return main(argv, env, lambda: running(env))

    return command


# imported when asked for: each brings what the others do without
COMMANDS = {
    "run": _with_database("ingest.consume.run"),
    "inspect": _plain("ingest.replay.inspect"),
    "replay": _with_running_database("ingest.replay.replay"),
    "synthetic": _plain("ingest.replay.synthetic"),
    "dlq": _with_database("ingest.deadletters.dlq"),
    "lag": _with_database("ingest.consume.lag"),
}
# what is true of a command that Ctrl-C has ended
SENT = "; the same command sends what was not, and what was counts once"
LEFT = {"replay": SENT, "synthetic": SENT}


def _no_such(command: str) -> str:
    close = get_close_matches(command, COMMANDS, 1)
    meant = f": did you mean {close[0]}?" if close else ""
    return f"there is no command {quoted(command)}{meant}"


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code (1: refused, with the reason on stderr)."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] in (["-h"], ["--help"]):
        print(USAGE, end="")
        return 0
    if not arguments or arguments[0] not in COMMANDS:
        if arguments:
            print(_no_such(arguments[0]), file=sys.stderr)
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
    except (KeyboardInterrupt, SystemError) as error:
        if not is_interrupt(error):
            raise
        print(f"\n{arguments[0]}: interrupted{LEFT.get(arguments[0], '')}", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
