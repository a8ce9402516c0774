"""Apply migrations/: numbered files by yoyo, guarded by checksums, then functions and views."""

import hashlib
import io
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from yoyo import get_backend, read_migrations
from yoyo.backends import DatabaseBackend
from yoyo.migrations import Migration, MigrationList

from engine import bridge, lock, objects
from engine.errors import MigrationFailed, RollbackRefused
from engine.server import connect, extension_schema

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
AGAIN_S = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
DISTURBED = re.compile("tuple concurrently (updated|deleted)|cache lookup failed for database")
T = TypeVar("T")
BOOKKEEPING = ("_yoyo_log", "_yoyo_version", "_yoyo_migration", "yoyo_lock", "migration_checksum")


def migrate(url: str, tell: Callable[[str], None] = lambda _: None) -> list[str]:
    """Apply what is pending, replace what has changed, lock the database down (again).

    The reference rows that functions and views are made from are loaded with these; the others are
    reference.load()'s. tell: called with the name of each numbered file before it is applied, and
    with what has changed of these rows. Returns the names: of numbered files, then the paths of
    functions and views. With nothing to do, and the extension not updated since, nothing changes.
    Errors: EngineUnavailable, EngineUnsuitable, MigrationFailed, ReferenceRefused. Migrations
    before the one that failed stay applied; the next call goes on there.
    """
    with _session(url) as (backend, migrations, schema):
        connection = backend.connection
        bridged = bridge.cross(connection, migrations, MIGRATIONS / "bridges")
        _check_manifest(connection, migrations)
        pending = backend.to_apply(migrations)
        for migration in pending:
            tell(migration.id)
            _run(backend, migration, "apply")
        left = [m.id for m in backend.to_apply(migrations)]
        if left:
            raise MigrationFailed(
                f"still pending: {', '.join(left)}; check the -- headers of these files"
            )
        # here, where no other migration runs
        replaced = _undisturbed(lambda: objects.replace(connection, MIGRATIONS, schema, tell))
        _undisturbed(lambda: connection.execute("call access.lockdown()"))
    return [*bridged, *(m.id for m in pending), *replaced]


def pending(connection: psycopg.Connection[Any]) -> list[str]:
    """Names of what migrate() would apply or replace, as it returns them; changes nothing.

    connection: of a login that may read public's tables. Raises MigrationFailed.
    """
    files = sorted(
        path.stem
        for path in MIGRATIONS.glob("[0-9]*.sql")
        if not path.name.endswith(".rollback.sql")
    )
    there = connection.execute("select to_regclass('public.migration_checksum')").fetchone()
    applied: set[str] = set()
    if there != (None,):
        rows = connection.execute("select migration from public.migration_checksum").fetchall()
        applied = {name for (name,) in rows}
    waiting = [name for name in files if name not in applied]
    if waiting and "0001_create_schemas" in waiting:
        return [*waiting, *(one.path for one in objects.read(MIGRATIONS))]
    return [*waiting, *objects.pending(connection, MIGRATIONS)]


def rollback(
    url: str,
    steps: int | None = None,
    agree: Callable[[psycopg.Connection[Any], list[str]], None] = lambda _, __: None,
) -> list[str]:
    """Roll back the last migrations, all without steps, and return the names, newest first.

    agree(connection, names) is asked before anything is changed, and raises where the answer is no.
    Functions and views stay, but for those of what is dropped; the next migrate makes them anew.
    Errors: as migrate; RollbackRefused for steps below 1 or above what is applied. Line 1 of a
    rollback file says what it loses.
    """
    if steps is not None and steps < 1:
        raise RollbackRefused(f"{steps} migrations cannot be rolled back: 1 or more, or all")
    with _session(url) as (backend, migrations, _):
        connection = backend.connection
        applied = list(backend.to_rollback(migrations))
        if steps is not None and steps > max(len(applied), 1):
            raise RollbackRefused(
                f"{steps} migrations cannot be rolled back: {len(applied)} are applied. All of "
                "them: STEPS=all"
            )
        going = applied[:steps]
        agree(connection, [m.id for m in going])
        objects.forget(connection)
        for migration in going:
            _run(backend, migration, "rollback")
        if not backend.to_rollback(migrations):
            for table in BOOKKEEPING:
                connection.execute(
                    sql.SQL("drop table if exists {}").format(sql.Identifier("public", table))
                )
    return [m.id for m in going]


def _undisturbed(do: Callable[[], T]) -> T:
    """Do it, and again where another session changed the same row of a catalog at that moment.

    That is a background job that made a chunk, or a migration or end of another database, because
    roles and their rights are the server's. do: changes nothing when it fails.
    """
    for wait_s in AGAIN_S:
        try:
            return do()
        except psycopg.errors.InternalError_ as error:
            if not DISTURBED.search(str(error)):
                raise
            time.sleep(wait_s * random.uniform(0.5, 1.5))  # noqa: S311  jitter
    return do()


@contextmanager
def _session(url: str) -> Iterator[tuple[DatabaseBackend, MigrationList, str]]:
    """One session that does it all, and holds the lock meanwhile."""
    with connect(url) as connection:
        schema = extension_schema(connection)
    backend = get_backend(_yoyo_url(url, schema))
    try:
        with lock.only_one(backend.connection):
            yield backend, read_migrations(str(MIGRATIONS)), schema
    finally:
        backend.connection.close()


def _yoyo_url(url: str, schema: str) -> str:
    """The address as yoyo reads it, with a search path that finds TimescaleDB's functions."""
    info = conninfo_to_dict(url)
    info["options"] = (
        f"{info.get('options', '')} -c search_path=public,{schema} -c client_min_messages=warning"
    ).strip()
    info.setdefault("application_name", "migrate")
    return f"postgresql+psycopg://?{urlencode(info, quote_via=quote)}"


def _run(
    backend: DatabaseBackend, migration: Migration, direction: Literal["apply", "rollback"]
) -> None:
    """Run a file and note that, in one transaction: who is killed has done both or neither.

    yoyo's own apply_one() runs it in a session of its own and notes it afterwards. A file that is
    not transactional cannot be noted with what it did.
    """
    migration.load()
    try:
        _undisturbed(lambda: _run_once(backend, migration, direction))
    except psycopg.Error as error:
        raise MigrationFailed(
            f"{migration.id} stopped and changed nothing: {str(error).strip()}. "
            "Earlier migrations stay applied; correct the cause and run make migrate again."
        ) from error


def _run_once(
    backend: DatabaseBackend, migration: Migration, direction: Literal["apply", "rollback"]
) -> None:
    steps = list(migration.steps or ())
    # yoyo prints what a select returns, such as delete_job()'s nothing
    with (
        redirect_stdout(io.StringIO()),
        backend.transaction() if migration.use_transactions else nullcontext(),
    ):
        if direction == "apply":
            for step in steps:
                step.apply(backend)
        else:
            for step in reversed(steps):
                step.rollback(backend)
        backend.connection.execute("reset role")
        if direction == "apply":
            backend.mark_one(migration, log=False)
            _remember(backend.connection, migration.id)
        else:
            backend.unmark_one(migration, log=False)
            _forget(backend.connection, migration.id)
        backend.log_migration(migration, direction)


def _digest(name: str) -> str:
    return hashlib.sha256((MIGRATIONS / f"{name}.sql").read_bytes()).hexdigest()


def _check_manifest(connection: psycopg.Connection[Any], migrations: MigrationList) -> None:
    """Refuse an applied file that changed since: yoyo compares names only."""
    connection.execute(
        "create table if not exists public.migration_checksum"
        " (migration text primary key, sha256 text not null)"
    )
    applied: dict[str, str] = dict(
        connection.execute("select migration, sha256 from public.migration_checksum").fetchall()
    )
    changed = [m.id for m in migrations if m.id in applied and applied[m.id] != _digest(m.id)]
    if changed:
        raise MigrationFailed(
            f"{', '.join(changed)} changed after it was applied; restore the file and put the "
            "change into a new migration"
        )


def _remember(connection: psycopg.Connection[Any], name: str) -> None:
    connection.execute(
        "insert into public.migration_checksum (migration, sha256) values (%s, %s)"
        " on conflict (migration) do update set sha256 = excluded.sha256",
        (name, _digest(name)),
    )


def _forget(connection: psycopg.Connection[Any], name: str) -> None:
    connection.execute("delete from public.migration_checksum where migration = %s", (name,))
