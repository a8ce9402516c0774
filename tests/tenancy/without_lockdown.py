"""What would leak without access.lockdown(): python -m tests.tenancy.without_lockdown.

Runs the probes against databases of the server of DATABASE_URL that were migrated, and where the
lockdown was undone. Prints a line for each probe that gets more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from engine.migrate import MIGRATIONS
from tests.conftest import Databases, drop_databases, server_databases
from tests.tenancy.probes import PROBES
from tests.tenancy.probes.attempt import (
    SECRET_WORD,
    VICTIM,
    attacker,
    attempt,
    difference,
    fill_in,
    fingerprint,
    hide_secrets,
    names,
    objection,
)
from tests.tenancy.world import World, made_in

ROLES = MIGRATIONS / "0002_create_roles.rollback.sql"
# what gives PUBLIC its rights back; the roles themselves stay
UNDO = f"drop event trigger access_ddl;\n{ROLES.read_text().partition('-- not ')[0]}"


@contextmanager
def _open_world(databases: Databases) -> Iterator[tuple[World, dict[str, str], dict[str, Any]]]:
    url, drop = databases.create("migrated")
    try:
        with made_in(url) as world:
            hide_secrets(world)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(UNDO.encode())
            with attacker(world, True, VICTIM) as victim:
                victim.execute(f"select '{SECRET_WORD}'")
                known = {**names(world), "pid": str(victim.info.backend_pid)}
                yield world, known, fingerprint(url)
            with psycopg.connect(url, autocommit=True) as connection:
                # a role with a job cannot be dropped
                connection.execute(
                    "select delete_job(job_id) from timescaledb_information.jobs"
                    " where owner::text in (select login from access.login)"
                )
    finally:
        drop()


def main() -> None:
    """Run all probes, in a new database after each that changed something."""
    left, leaks = list(PROBES), 0
    url = os.environ["DATABASE_URL"]
    with TemporaryDirectory() as shared:
        databases = server_databases("given", url, Path(shared))
        while left:
            with _open_world(databases) as (world, known, before):
                changed: list[str] = []
                while left and not changed:
                    probe = left.pop(0)
                    with attacker(world, True) as connection:
                        answer = attempt(connection, fill_in(probe.statement, known))
                    changed = difference(before, fingerprint(world.url))
                    wrong = objection(probe, answer) or ""
                    if changed or (wrong and not wrong.startswith("fails")):
                        leaks += 1
                        print(
                            probe.name,
                            wrong,
                            f"changes {changed}" if changed else "",
                            sep=" | ",
                            flush=True,
                        )
        drop_databases(url, Path(shared))
    print(f"{leaks} of {len(PROBES)} probes get more than with the lockdown")


if __name__ == "__main__":
    main()
