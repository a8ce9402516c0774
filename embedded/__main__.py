"""Command line: `python -m embedded start|stop|status` for the database."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from embedded import database
from embedded.errors import UserError


def add_database_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register start, stop and status of the database."""
    for name, run, text in (
        ("start", _start, "start the database and print its URL"),
        ("stop", _stop, "stop the database; its rows stay"),
        ("status", _status, "print the URL of the running database (exit code 3: none)"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--data-dir", type=Path, default=database.DEFAULT_DATA_DIR)
        command.set_defaults(run=run)
        if name == "start":
            command.add_argument("--port", type=int, default=0, help="0 (default): a free one")
            command.add_argument("--log-file", type=Path)


def _start(args: argparse.Namespace) -> int:
    print(database.start(args.data_dir, args.port, args.log_file).url)
    return 0


def _stop(args: argparse.Namespace) -> int:
    stopped = database.stop(args.data_dir)
    print("database stopped" if stopped else f"no database is running on {args.data_dir}")
    return 0


def _status(args: argparse.Namespace) -> int:
    running = database.status(args.data_dir)
    print(running.url if running else f"no database is running on {args.data_dir}")
    return 0 if running else 3


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code (1: refused, with the reason on stderr)."""
    parser = argparse.ArgumentParser(prog="python -m embedded")
    add_database_commands(parser.add_subparsers(required=True, metavar="COMMAND"))
    args = parser.parse_args(argv)
    try:
        return int(args.run(args))
    except UserError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
