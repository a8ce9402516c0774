"""A database whose jobs change nothing that a test looks at."""

import time
from typing import Any

import psycopg

PATIENCE_S = 60.0
PAUSE = "select alter_job(job_id, scheduled => false) from timescaledb_information.jobs"
# a job's own session has its number at the end; on the embedded engine jobs have none, and one that
# is paused does not begin
UNDER_WAY = r"""
    select exists (
        select from pg_stat_activity
        where datname = current_database() and backend_type ~ '\[[0-9]+\]$'
    )
"""


def pause_jobs(connection: psycopg.Connection[Any]) -> None:
    """Pause all jobs of this database, and wait for those that had begun.

    connection: autocommit, of who may. A new database's scheduler starts them at once.
    """
    connection.execute(PAUSE)
    deadline = time.monotonic() + PATIENCE_S
    while connection.execute(UNDER_WAY).fetchone() == (True,):
        assert time.monotonic() < deadline, "a job does not end"
        time.sleep(0.02)
