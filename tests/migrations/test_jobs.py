"""Every scheduled job runs the way that the scheduler runs it."""

import psycopg
import pytest

from engine.migrate import migrate

PUBLISH_JOB = "select job_id from timescaledb_information.jobs where proc_name = 'publish_job'"
JOBS = """
    select job_id, coalesce(hypertable_name, proc_name)
    from timescaledb_information.jobs
    where job_id >= 1000 order by job_id
"""
TICKS = """
    insert into market.trade (tenant_id, symbol, ts, seq, price, size, known_at)
    select 1, 'SYN_BTCUSD', ts, 1, 100, 1, ts
    from generate_series(now() - interval '400 days', now(), interval '1 day') as ts
"""


def test_every_job_runs(modelled_database: str) -> None:
    with psycopg.connect(modelled_database, autocommit=True) as connection:
        connection.execute(TICKS)
        jobs = connection.execute(JOBS).fetchall()
        assert {"publish_job", "trade", "quote", "log", "ohlc_1m", "range_1h"} <= {
            name for _, name in jobs
        }
        for job, _ in jobs:
            connection.execute("call run_job(%s)", [job])
        # the bar of a moment ago is not closed yet; the others were known before it was live
        published = connection.execute("select published_at > live_from from feature.clock")
        assert published.fetchone() == (True,)


@pytest.mark.parametrize(
    ("every", "retry", "kept"),
    [
        ("30 seconds", "5 minutes", False),
        ("45 seconds", "5 minutes", True),
        ("30 seconds", "1 minute", True),
    ],
)
def test_an_upgrade_changes_the_publish_jobs_old_schedule_and_keeps_an_operators(
    modelled_database: str, every: str, retry: str, kept: bool
) -> None:
    with psycopg.connect(modelled_database, autocommit=True) as connection:
        (job,) = connection.execute(PUBLISH_JOB).fetchall()[0]
        connection.execute(
            "select alter_job(%s, schedule_interval => %s::interval, retry_period => %s::interval)",
            [job, every, retry],
        )
        connection.execute("delete from migration_object where path like '%/publish_job'")
        migrate(modelled_database)
        found = connection.execute(
            "select job_id, schedule_interval::text, retry_period::text"
            " from timescaledb_information.jobs where proc_name = 'publish_job'"
        ).fetchall()
        wanted = (every, retry) if kept else ("20 seconds", "10 seconds")
        as_text = connection.execute("select %s::interval::text, %s::interval::text", wanted)
        assert found == [(job, *as_text.fetchall()[0])]
