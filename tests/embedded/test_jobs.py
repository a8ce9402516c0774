"""Policies run by themselves while the server is up."""

from __future__ import annotations

import time

import psycopg

from tests.embedded.conftest import StartEngine

WAIT_S = 30.0


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
        ("fails", "begin raise exception 'on purpose'; end"),
        ("beats", f"begin insert into {schema[0]}.beat values (1); end"),
    ):
        connection.execute(
            f"create procedure {name}(job_id int, config jsonb) language plpgsql as $$ {body} $$"
        )
    jobs = [
        connection.execute(f"select add_job('{schema[0]}.{name}', '1 second')").fetchone()
        for name in ("fails", "beats")
    ]
    try:
        _wait_for(connection, "select count(*) >= 2 from beat", (True,))
    finally:
        for job in jobs:
            connection.execute("select delete_job(%s)", job)


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
