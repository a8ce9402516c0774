"""Policies run by themselves while the server is up."""

from __future__ import annotations

import time

import psycopg

from tests.embedded.conftest import StartEngine

WAIT_S = 30.0
RAISED = "'on purpose' using errcode = '22023', detail = 'The test wants it', hint = 'Wait'"
WORDS = "on purpose. The test wants it. Wait"
STATS = """
    select
        last_run_status, total_runs >= 1, total_successes >= 1,
        total_failures = 0 and isfinite(last_successful_finish),
        total_runs = total_successes + total_failures and next_start > last_run_started_at
            and last_run_duration < interval '1 minute'
    from timescaledb_information.job_stats where job_id = {}
"""
ERRORS = """
    select proc_schema, proc_name, sqlerrcode, err_message, finish_time >= start_time
    from timescaledb_information.job_errors where job_id = {} order by start_time limit 1
"""


def _wait_for(client: psycopg.Connection, query: str, wanted: tuple[object, ...]) -> None:
    deadline = time.monotonic() + WAIT_S
    while (found := client.execute(query).fetchone()) != wanted:
        assert time.monotonic() < deadline, f"{found} after {WAIT_S} s"
        time.sleep(0.2)


def test_refresh_policy_runs_by_itself(connection: psycopg.Connection) -> None:
    connection.execute("create table trade (ts timestamptz not null, price float8)")
    connection.execute("select create_hypertable('trade', 'ts')")
    connection.execute(
        "insert into trade select now() - n * interval '1 minute', n from generate_series(1, 600) n"
    )
    connection.execute(
        "create materialized view hourly "
        "with (timescaledb.continuous, timescaledb.materialized_only) as "
        "select time_bucket('1 hour', ts) as bucket, count(*) as trades from trade group by 1 "
        "with no data"
    )
    connection.execute(
        "select add_continuous_aggregate_policy('hourly', start_offset => interval '1 day', "
        "end_offset => interval '1 minute', schedule_interval => interval '1 hour')"
    )
    _wait_for(connection, "select count(*) > 5 from hourly", (True,))


def test_failing_job_stops_nothing_else(connection: psycopg.Connection) -> None:
    connection.execute("create table beat (n int)")
    schema = connection.execute("select current_schema()").fetchone()
    assert schema is not None
    for name, body in (
        ("fails", f"begin raise exception {RAISED}; end"),
        ("beats", f"begin insert into {schema[0]}.beat values (1); end"),
    ):
        connection.execute(
            f"create procedure {name}(job_id int, config jsonb) language plpgsql as $$ {body} $$"
        )
    fails, beats = (
        connection.execute(f"select add_job('{schema[0]}.{name}', '1 second')").fetchone()
        for name in ("fails", "beats")
    )
    assert fails is not None
    assert beats is not None
    try:
        _wait_for(connection, "select count(*) >= 2 from beat", (True,))
        _wait_for(connection, STATS.format(beats[0]), ("Success", True, True, True, True))
        _wait_for(connection, STATS.format(fails[0]), ("Failed", True, False, False, True))
        _wait_for(connection, ERRORS.format(fails[0]), (schema[0], "fails", "22023", WORDS, True))
        assert connection.execute(ERRORS.format(beats[0])).fetchone() is None
    finally:
        for job in (fails, beats):
            connection.execute("select delete_job(%s)", job)


def test_a_job_that_deletes_itself_stops_nothing(start_engine: StartEngine) -> None:
    running = start_engine(jobs_every_s=0.2)
    with psycopg.connect(running.url, autocommit=True) as client:
        client.execute("create table beat (name text)")
        client.execute(
            "create procedure once(job_id int, config jsonb) language plpgsql as $$ begin"
            " insert into public.beat values ('once'); perform public.delete_job(job_id); end $$"
        )
        client.execute(
            "create procedure beats(job_id int, config jsonb) language sql"
            " as $$ insert into public.beat values ('beats') $$"
        )
        for name in ("once", "beats"):
            client.execute("select add_job(%s::regproc, '1 second')", [name])
        _wait_for(client, "select count(*) >= 2 from beat where name = 'beats'", (True,))
        left = "select proc_name from timescaledb_information.jobs where job_id >= 1000"
        assert client.execute(left).fetchall() == [("beats",)]
        assert client.execute("select count(*) from beat where name = 'once'").fetchone() == (1,)


def test_unscheduled_jobs_stay_idle(start_engine: StartEngine) -> None:
    running = start_engine(jobs_every_s=0.2)
    with psycopg.connect(running.url, autocommit=True) as client:
        client.execute("create table beat (name text)")
        client.execute(
            "create procedure beats(job_id int, config jsonb) language sql "
            "as $$ insert into public.beat values (config ->> 'name') $$"
        )
        for name, scheduled in (("idle", False), ("busy", True)):
            client.execute(
                "select add_job('beats', '1 second', scheduled => %s, "
                "config => jsonb_build_object('name', %s::text))",
                (scheduled, name),
            )
        _wait_for(client, "select count(*) >= 2 from beat", (True,))
        assert client.execute("select distinct name from beat").fetchall() == [("busy",)]
