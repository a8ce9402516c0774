"""The server that benchmarks run on, and databases of their own in it."""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from engine.errors import EngineUnsuitable
from engine.migrate import MIGRATIONS
from engine.resolve import choice, start
from engine.server import has_many_backends


def server() -> str:
    """The address of a real server. Errors: EngineUnsuitable for the embedded engine."""
    refusal = EngineUnsuitable(
        "the embedded engine's figures are not a server's: set DATABASE_URL to a TimescaleDB "
        "where you may create databases and are superuser"
    )
    if choice() == "embedded":
        raise refusal
    url = start().url
    with psycopg.connect(url, autocommit=True) as connection:
        if not has_many_backends(connection):
            raise refusal
        row = connection.execute("select current_setting('is_superuser') = 'on'").fetchone()
    if row is None or not row[0]:
        raise EngineUnsuitable("the login is no superuser: the log is filled directly, past it")
    return url


def say(what: str) -> None:
    """Progress, on stderr."""
    print(f"{datetime.now():%H:%M:%S} {what}", file=sys.stderr, flush=True)


@contextmanager
def database(url: str, name: str, keep: bool = False) -> Iterator[tuple[str, bool]]:
    """The address of a database of the benchmark's own, and whether it is new and empty.

    With keep it stays afterwards, and a later run finds it while the migrations are the same.
    """
    target = sql.Identifier(name)
    label = f"migrations={_digest()}"
    with psycopg.connect(url, autocommit=True) as server:
        found = server.execute(
            "select shobj_description(oid, 'pg_database') from pg_database where datname = %s",
            (name,),
        ).fetchone()
        is_new = not (keep and found and found[0] == label)
        if is_new:
            server.execute(sql.SQL("drop database if exists {} with (force)").format(target))
            server.execute(sql.SQL("create database {}").format(target))
    is_done = False
    try:
        yield make_conninfo(url, dbname=name), is_new
        is_done = True
    finally:
        with psycopg.connect(url, autocommit=True) as server:
            if keep and is_done:
                server.execute(
                    sql.SQL("comment on database {} is {}").format(target, sql.Literal(label))
                )
            elif is_new:
                server.execute(sql.SQL("drop database if exists {} with (force)").format(target))


def stop_jobs(url: str) -> None:
    """Let the database do nothing by itself."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "select alter_job(job_id, scheduled => false) from timescaledb_information.jobs"
        )


def _digest() -> str:
    files = sorted(Path(MIGRATIONS).rglob("*.sql"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
