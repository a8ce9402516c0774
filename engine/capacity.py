"""Whether a server's settings bear this project: background workers, and locks for its chunks."""

from dataclasses import dataclass
from math import ceil
from typing import Any

import psycopg

from engine.server import has_many_backends

# beside TimescaleDB's own: its launcher, and logical replication's
OTHER_WORKERS = 3
LOCKS_STEP = 64
# what a statement over all of it locks of a columnar chunk: it, its index, and the same of the
# table with its columnar rows
LOCKS_A_CHUNK = 4

NAMES = (
    *("max_worker_processes", "max_parallel_workers", "timescaledb.max_background_workers"),
    *("max_locks_per_transaction", "max_connections", "max_prepared_transactions"),
)
SETTINGS = "select name, setting::int from pg_catalog.pg_settings where name = any(%s)"
JOBS = """
    select
        (
            select count(*) from timescaledb_information.jobs as j
            where j.scheduled and j.job_id >= 1000
        ),
        (select count(*) from pg_catalog.pg_database as d where d.datallowconn)
"""

# The table of ticks that has, or will have at the end of its retention, the most chunks.
CHUNKS = """
    select
        'market.' || d.hypertable_name,
        h.num_chunks,
        ceil(extract(epoch from r.span) / extract(epoch from d.time_interval))::bigint,
        d.time_interval::text,
        extract(epoch from r.span)::bigint / 86400
    from timescaledb_information.dimensions as d
    inner join timescaledb_information.hypertables as h
        on d.hypertable_schema = h.hypertable_schema and d.hypertable_name = h.hypertable_name
    left join market.policy_setting as r
        on d.hypertable_name = r.relation and r.policy = 'retention'
    where d.hypertable_schema = 'market' and d.dimension_number = 1
"""


@dataclass(frozen=True)
class Shortage:
    """A setting that is too low: its name, its value, the least that will do, and why."""

    setting: str
    value: int
    needed: int
    why: str

    def __str__(self) -> str:
        """One line, with what to do."""
        return (
            f"{self.setting} is {self.value}: set it to {self.needed} or more ({self.why}). As a "
            f"superuser: alter system set {self.setting} = {self.needed}; then restart the server"
        )


def warnings(connection: psycopg.Connection[Any]) -> list[Shortage]:
    """What is too low on the server of a migrated database; nothing where there is one backend.

    The project runs all the same, until jobs find no worker or a statement no room for its locks.
    """
    if not has_many_backends(connection):
        return []
    return shortages(connection, dict(connection.execute(SETTINGS, (list(NAMES),)).fetchall()))


def shortages(connection: psycopg.Connection[Any], settings: dict[str, int]) -> list[Shortage]:
    """Which of these settings, by name, are too low for the jobs and chunks of a database."""
    return [*_workers(connection, settings), *_locks(connection, settings)]


def _workers(connection: psycopg.Connection[Any], settings: dict[str, int]) -> list[Shortage]:
    row = connection.execute(JOBS).fetchone()
    jobs, databases = row or (0, 0)
    least = jobs + databases
    found = []
    background = settings["timescaledb.max_background_workers"]
    if background < least:
        why = f"{jobs} jobs of this database, and a scheduler for each of {databases} databases"
        found.append(Shortage("timescaledb.max_background_workers", background, least, why))
    parallel = settings["max_parallel_workers"]
    needed = OTHER_WORKERS + max(background, least) + parallel
    if settings["max_worker_processes"] < needed:
        why = (
            f"timescaledb.max_background_workers {max(background, least)}, max_parallel_workers "
            f"{parallel}, and {OTHER_WORKERS} others"
        )
        value = settings["max_worker_processes"]
        found.append(Shortage("max_worker_processes", value, needed, why))
    return found


def _locks(connection: psycopg.Connection[Any], settings: dict[str, int]) -> list[Shortage]:
    rows = connection.execute(CHUNKS).fetchall()
    most = max(rows, key=lambda row: max(row[1], row[2] or 0), default=None)
    if most is None:
        return []
    table, now, at_the_end, length, days = most
    chunks = max(now, at_the_end or 0)
    slots = settings["max_connections"] + settings["max_prepared_transactions"]
    value = settings["max_locks_per_transaction"]
    wanted = chunks * LOCKS_A_CHUNK
    if value * slots >= wanted:
        return []
    needed = ceil(wanted / slots / LOCKS_STEP) * LOCKS_STEP
    why = f"{table} has {now} chunks"
    if chunks > now:
        why += f" and will have {chunks} of {length} in its retention of {days} days"
    why += (
        f": to read all of them takes {wanted} locks, and there is room for {value * slots}. "
        "Longer chunks need fewer: market.policy_setting"
    )
    return [Shortage("max_locks_per_transaction", value, needed, why)]
