"""Bridges: from migrations that were folded into fewer to those that took their place."""

import hashlib
import re
from pathlib import Path
from typing import Any

import psycopg
from yoyo.migrations import Migration, MigrationList

from engine.errors import MigrationFailed

HEADER = re.compile(r"-- folds: (?P<first>\S+) to (?P<last>\S+)\n-- leads: (?P<leads>\S+)\n")
MAKE = re.compile(r"^-- make: (\S+)$", re.MULTILINE)


def cross(
    connection: psycopg.Connection[Any], migrations: MigrationList, directory: Path
) -> list[str]:
    """Bring a database of folded migrations to what the present ones leave; return the bridge.

    connection: autocommit, of whoever migrates. A bridge's header names the first and last of the
    folded migrations, and the present one that it leads to; it runs in one transaction, after which
    the present ones count as applied up to there. Its line `-- make: NAME` stands for the text of a
    present one. A database without the folded ones is left alone.
    Errors: MigrationFailed.
    """
    if connection.execute("select to_regclass('public._yoyo_migration')").fetchone() == (None,):
        return []
    rows = connection.execute("select migration_id from public._yoyo_migration").fetchall()
    applied = {name for (name,) in rows}
    for bridge in sorted(directory.glob("*.sql")):
        header = HEADER.match(bridge.read_text())
        if header is None:
            raise MigrationFailed(f"{bridge.name} does not begin with -- folds: and -- leads:")
        if header["first"] not in applied:
            continue
        if header["last"] not in applied:
            raise MigrationFailed(
                f"the database stands at {max(applied)}, before {header['last']}, from where a "
                f"bridge leads on: check out the last release with {header['last']}, run make "
                "migrate, then come back to this one"
            )
        _cross(connection, bridge, [m for m in migrations if m.id <= header["leads"]])
        return [bridge.stem]
    return []


def _cross(connection: psycopg.Connection[Any], bridge: Path, marked: list[Migration]) -> None:
    try:
        with connection.transaction():
            connection.execute(_text(bridge).encode())
            connection.execute("reset role")
            connection.execute("delete from public._yoyo_migration")
            connection.execute("delete from public.migration_checksum")
            for migration in marked:
                connection.execute(
                    "insert into public._yoyo_migration"
                    " (migration_hash, migration_id, applied_at_utc)"
                    " values (%s, %s, now() at time zone 'utc')",
                    (migration.hash, migration.id),
                )
                connection.execute(
                    "insert into public.migration_checksum (migration, sha256) values (%s, %s)",
                    (migration.id, hashlib.sha256(Path(migration.path).read_bytes()).hexdigest()),
                )
    except psycopg.Error as error:
        raise MigrationFailed(
            f"the bridge {bridge.stem} stopped and changed nothing: {str(error).strip()}"
        ) from error


def _text(bridge: Path) -> str:
    numbered = bridge.parent.parent
    return MAKE.sub(lambda made: (numbered / f"{made[1]}.sql").read_text(), bridge.read_text())
