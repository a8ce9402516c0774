"""A database whose jobs change nothing that a test looks at."""

from typing import Any

import psycopg

PAUSE = "select alter_job(job_id, scheduled => false) from timescaledb_information.jobs"
# ends the scheduler with its jobs, waits for them, and begins it anew: a job that the former one
# was just starting is in no list yet, but has an end
RESTART = "select _timescaledb_functions.restart_background_workers()"


def pause_jobs(connection: psycopg.Connection[Any]) -> None:
    """Pause all jobs of this database, and end those that had begun.

    connection: autocommit, of who may. A new database's scheduler starts them at once.
    """
    connection.execute(PAUSE)
    connection.execute(RESTART)
