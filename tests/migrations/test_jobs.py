"""Every scheduled job runs the way that the scheduler runs it."""

import psycopg

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
