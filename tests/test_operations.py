"""What docs/operations.md tells an operator: each query runs, each name and each error is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from demo import live
from embedded import broker, redis
from embedded import database as embedded_database
from engine.resolve import STATE_DIR
from telemetry import metrics
from tests.chaos import own
from tests.conftest import Databases
from tests.paused import pause_jobs

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "operations.md").read_text()
SQL = re.findall(r"```sql\n(.*?)```", TEXT, re.S)
ERRORS = dict(re.findall(r"^\| ([0-9A-Z]{5}) \| (\w+) \|", TEXT, re.M))
HASH = (
    "select feature_pit_hash(array['SYN_ES'], '2024-02-05 03:00+00'::timestamptz, null, 1),"
    " (select count(*) from feature.log), (select count(*) from market.trade),"
    " (select count(*) from timescaledb_information.jobs), api.publishing()::text"
)
PG = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user"}
TICKS = """
    insert into market.trade (tenant_id, symbol, ts, seq, price, size, known_at)
    select 1, 'SYN_ES', ts, 1, 100 + extract(minute from ts), 2, ts
    from generate_series('2024-02-05'::timestamptz, '2024-02-05 04:00+00', '20 seconds') as ts
"""


def in_prometheus(metric: metrics.Metric) -> str:
    unit = {"s": "_seconds", "By": "_bytes"}.get(metric.unit, "")
    return metric.name.replace(".", "_") + unit + ("_total" if metric.kind == "counter" else "")


def test_every_query_runs(database: str) -> None:
    assert len(SQL) > 2
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in (one for block in SQL for one in block.split(";") if one.strip()):
            connection.execute(statement.encode())


def test_every_metric_to_alert_on_is_one() -> None:
    known = {*metrics.INGEST_PUBLISHING, *metrics.API_PUBLISHING}
    known |= {one for one in vars(metrics).values() if isinstance(one, metrics.Metric)}
    named = set(re.findall(r"`((?:ingest|feature)_[a-z_]+)`", TEXT))
    assert len(named) > 5
    assert named <= {in_prometheus(one) for one in known}


def test_every_log_of_what_make_starts_is_where_it_says() -> None:
    started = (embedded_database, broker, redis, live)
    written = {f".state/{one.SERVICE.log().relative_to(STATE_DIR.resolve())}" for one in started}
    assert set(re.findall(r"`(\.state/[a-z/]+\.log)`", TEXT)) == written


def test_every_error_that_functions_raise_has_its_remedy() -> None:
    raised = {
        code
        for path in (ROOT / "migrations" / "functions").rglob("*.sql")
        for code in re.findall(r"errcode = '(\w+)'", path.read_text())
    }
    engines = {"lock_not_available", "idle_in_transaction_session_timeout"}
    assert set(ERRORS.values()) == raised | engines
    for state, name in ERRORS.items():
        error = psycopg.errors.lookup(state)
        assert re.sub(r"(?<!^)(?=[A-Z])", "_", error.__name__).lower() == name


def test_a_restored_dump_gives_the_same_answers(
    databases: Databases, database: str, tmp_path: Path
) -> None:
    """By the commands of the document, after the database is lost."""
    if databases.kind != "given":
        pytest.skip("needs the programs of a server on this machine: set DATABASE_URL")
    dump, restore = re.findall(r"\n\n((?:    .*\n)+)", TEXT.partition("## Backup and restore")[2])
    with ExitStack() as places:
        server = own.server(database, places).engine
        assert isinstance(server, own.Server)
        at = conninfo_to_dict(server.url)
        features = make_conninfo(server.url, dbname="features")
        settings = {name: str(at[key]) for name, key in PG.items()} | {"DATABASE_URL": features}
        programs = server.programs

        def run(commands: str) -> None:
            script = commands.replace("make migrate", f"{sys.executable} -m engine migrate")
            done = subprocess.run(
                ["bash", "-ec", script],
                cwd=tmp_path,
                env=os.environ
                | settings
                | {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr

        run(f"createdb features && cd {ROOT} && make migrate")
        with psycopg.connect(features, autocommit=True) as connection:
            pause_jobs(connection)
            connection.execute(TICKS.encode())
            run(f"cd {ROOT} && {sys.executable} -m engine dbt run --quiet")
            connection.execute("call feature.backfill('2024-02-05', '2024-02-06')")
            connection.execute("call feature.publish()")
            before = connection.execute(HASH).fetchone()
        assert before is not None
        assert before[1] > 200
        run(dump)
        run("dropdb -f features")
        run(restore.replace("make migrate", f"(cd {ROOT} && make migrate)"))
        with psycopg.connect(features) as connection:
            assert connection.execute(HASH).fetchone() == before
