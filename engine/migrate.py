"""Apply migrations/: numbered files by yoyo, guarded by checksums, then functions and views."""

import hashlib
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from yoyo import get_backend, read_migrations
from yoyo.backends import DatabaseBackend
from yoyo.exceptions import LockTimeout
from yoyo.migrations import Migration, MigrationList

from engine import bridge, objects
from engine.errors import EngineUnavailable, MigrationFailed
from engine.server import connect, extension_schema

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
LOCK_WAIT_S = 120
LOCKDOWN_WAITS_S = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
BOOKKEEPING = ("_yoyo_log", "_yoyo_version", "_yoyo_migration", "yoyo_lock", "migration_checksum")


def migrate(url: str) -> list[str]:
    """Apply what is pending, replace what has changed, lock the database down (again).

    Returns the names: of numbered files, then the paths of functions and views. With nothing to do,
    and the extension not updated since, nothing changes. Errors: EngineUnavailable,
    EngineUnsuitable, MigrationFailed. Migrations before the one that failed stay applied; the next
    call goes on there.
    """
    with _session(url) as (backend, migrations, schema):
        with connect(url) as connection:
            bridged = bridge.cross(connection, migrations, MIGRATIONS / "bridges")
        _check_manifest(url, migrations)
        pending = backend.to_apply(migrations)
        for migration in pending:
            _run(backend.apply_one, migration)
            _remember(url, migration.id)
        left = [m.id for m in backend.to_apply(migrations)]
        if left:
            raise MigrationFailed(
                f"still pending: {', '.join(left)}; check the -- headers of these files"
            )
        # here, where no other migration runs
        with connect(url) as connection:
            replaced = objects.replace(connection, MIGRATIONS, schema)
            _lock_down(connection)
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


def rollback(url: str, steps: int | None = None) -> list[str]:
    """Roll back the last migrations, all without steps, and return the names, newest first.

    Functions and views stay, but for those of what is dropped; the next migrate makes them anew.
    Errors: as migrate. Line 1 of a rollback file says what it loses.
    """
    with _session(url) as (backend, migrations, _):
        with connect(url) as connection:
            objects.forget(connection)
        applied = backend.to_rollback(migrations)[:steps]
        for migration in applied:
            _run(backend.rollback_one, migration)
            _forget(url, migration.id)
        nothing_left = not backend.to_rollback(migrations)
    if nothing_left:
        with connect(url) as connection:
            for table in BOOKKEEPING:
                connection.execute(
                    sql.SQL("drop table if exists {}").format(sql.Identifier("public", table))
                )
    return [m.id for m in applied]


def _lock_down(connection: psycopg.Connection[Any]) -> None:
    """Call access.lockdown(), again where a background job has made a chunk at the same moment."""
    for wait_s in (*LOCKDOWN_WAITS_S, None):
        try:
            connection.execute("call access.lockdown()")
            return
        except psycopg.errors.InternalError_ as error:
            if wait_s is None or "concurrently updated" not in str(error):
                raise
            time.sleep(wait_s * random.uniform(0.5, 1.5))  # noqa: S311  jitter


@contextmanager
def _session(url: str) -> Iterator[tuple[DatabaseBackend, MigrationList, str]]:
    with connect(url) as connection:
        schema = extension_schema(connection)
    backend = get_backend(_yoyo_url(url, schema))
    try:
        with backend.lock(timeout=LOCK_WAIT_S):
            yield backend, read_migrations(str(MIGRATIONS)), schema
    except LockTimeout as error:
        raise EngineUnavailable(
            f"another migration has held the lock for {LOCK_WAIT_S} s; wait for it, or, if it is "
            "dead: delete from yoyo_lock"
        ) from error
    finally:
        backend.connection.close()


def _yoyo_url(url: str, schema: str) -> str:
    """The address as yoyo reads it, with a search path that finds TimescaleDB's functions."""
    info = conninfo_to_dict(url)
    info["options"] = (
        f"{info.get('options', '')} -c search_path=public,{schema} -c client_min_messages=warning"
    ).strip()
    return f"postgresql+psycopg://?{urlencode(info, quote_via=quote)}"


def _run(step: Callable[[Migration], None], migration: Migration) -> None:
    try:
        step(migration)
    except psycopg.Error as error:
        raise MigrationFailed(
            f"{migration.id} stopped and changed nothing: {str(error).strip()}. "
            "Earlier migrations stay applied; correct the cause and run make migrate again."
        ) from error


def _digest(name: str) -> str:
    return hashlib.sha256((MIGRATIONS / f"{name}.sql").read_bytes()).hexdigest()


def _check_manifest(url: str, migrations: MigrationList) -> None:
    """Refuse an applied file that changed since: yoyo compares names only."""
    with connect(url) as connection:
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


def _remember(url: str, name: str) -> None:
    with connect(url) as connection:
        connection.execute(
            "insert into public.migration_checksum (migration, sha256) values (%s, %s)"
            " on conflict (migration) do update set sha256 = excluded.sha256",
            (name, _digest(name)),
        )


def _forget(url: str, name: str) -> None:
    with connect(url) as connection:
        connection.execute("delete from public.migration_checksum where migration = %s", (name,))
