"""Settings of a server that are too low for the jobs and chunks are named, with what to set."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from engine import capacity
from engine.__main__ import main
from engine.capacity import shortages
from tests.chaos import own
from tests.conftest import Databases

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
# PostgreSQL's and TimescaleDB's own
STOCK = {
    "max_worker_processes": 8,
    "max_parallel_workers": 8,
    "timescaledb.max_background_workers": 16,
    "max_locks_per_transaction": 64,
    "max_connections": 100,
    "max_prepared_transactions": 0,
}
RETENTION = (
    "insert into market.policy_setting (relation, policy, span, reason)"
    " values ('trade', 'retention', '7300 days', 'a test')"
)
PLENTY = {
    **STOCK,
    "max_worker_processes": 200,
    "timescaledb.max_background_workers": 100,
}


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as connected:
        yield connected


def counts(connection: psycopg.Connection) -> tuple[int, int]:
    return connection.execute(capacity.JOBS).fetchall()[0]


def test_a_stock_server_has_too_few_workers_and_enough_locks(
    connection: psycopg.Connection,
) -> None:
    jobs, databases = counts(connection)
    assert jobs >= 19
    background, processes = shortages(connection, STOCK)
    assert (background.setting, background.needed) == (
        "timescaledb.max_background_workers",
        jobs + databases,
    )
    assert (processes.setting, processes.needed) == (
        "max_worker_processes",
        3 + jobs + databases + 8,
    )
    assert str(processes).startswith(
        f"max_worker_processes is 8: set it to {processes.needed} or more ("
    )
    assert str(processes).endswith(
        f"alter system set max_worker_processes = {processes.needed}; then restart the server"
    )


def test_what_is_said_to_be_enough_is_enough(connection: psycopg.Connection) -> None:
    settings = {**STOCK, "max_connections": 20}
    with connection.transaction(force_rollback=True):
        connection.execute(RETENTION)
        found = shortages(connection, settings)
        assert [one.setting for one in found][-1] == "max_locks_per_transaction"
        settings |= {one.setting: one.needed for one in found}
        assert shortages(connection, settings) == []
        for one in found:
            # locks are asked for in round numbers
            less = capacity.LOCKS_STEP if "locks" in one.setting else 1
            assert shortages(connection, {**settings, one.setting: one.needed - less}) != []


def test_locks_are_for_the_chunks_at_the_end_of_the_retention(
    connection: psycopg.Connection,
) -> None:
    assert shortages(connection, PLENTY) == []
    with connection.transaction(force_rollback=True):
        connection.execute(
            "update market.policy_setting set span = '1 day'"
            " where policy = 'chunk' and relation = 'trade'"
        )
        connection.execute("select set_chunk_time_interval('market.trade', interval '1 day')")
        connection.execute(RETENTION)
        (one,) = shortages(connection, PLENTY)
        assert (one.setting, one.value, one.needed) == ("max_locks_per_transaction", 64, 320)
        assert "will have 7300 of 1 day in its retention of 7300 days" in str(one)
        assert "takes 29200 locks, and there is room for 6400" in str(one)
        connection.execute(
            "update market.policy_setting set span = '365 days'"
            " where policy = 'retention' and relation = 'trade'"
        )
        assert shortages(connection, PLENTY) == []


def test_chunks_that_are_there_count_whatever_the_retention(
    connection: psycopg.Connection,
) -> None:
    few = {**PLENTY, "max_connections": 1, "max_locks_per_transaction": 10}
    with connection.transaction(force_rollback=True):
        connection.execute("delete from market.policy_setting where policy = 'retention'")
        assert shortages(connection, few) == []
        connection.execute(
            "insert into market.trade (tenant_id, symbol, ts, seq, price, size, known_at)"
            " select 1, 'SYN_ES', ts, 1, 1, 1, ts"
            " from generate_series(now() - interval '60 days', now(), interval '7 days') as ts"
        )
        (one,) = shortages(connection, few)
    assert one.setting == "max_locks_per_transaction"
    assert one.needed == 64


def test_the_settings_that_are_delivered_are_enough(connection: psycopg.Connection) -> None:
    """deploy/postgres/capacity.conf, and the same in the compose file."""
    text = (DEPLOY / "postgres" / "capacity.conf").read_text()
    settings = {
        **STOCK,
        **{name: int(value) for name, value in re.findall(r"^([\w.]+) = (\d+)$", text, re.M)},
    }
    jobs, databases = counts(connection)
    settings["timescaledb.max_background_workers"] += databases - 4
    settings["max_worker_processes"] += databases - 4
    assert shortages(connection, settings) == []
    assert jobs + 4 <= 32
    compose = (DEPLOY / "docker-compose.yml").read_text()
    for name, value in re.findall(r"^([\w.]+) = (\d+)$", text, re.M):
        assert f"-c{name}={value}\n" in compose


def test_a_server_that_has_not_loaded_timescaledb_is_named(
    databases: Databases,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In a database that has it: what is asked there ends the session."""
    if databases.kind != "given":
        pytest.skip("needs the programs of a server on this machine: set DATABASE_URL")
    with ExitStack() as places:
        engine = own.server(database, places).engine
        assert isinstance(engine, own.Server)
        monkeypatch.setenv("ENGINE", "given")
        monkeypatch.setenv("DATABASE_URL", engine.url)
        engine.stop()
        engine.forget("shared_preload_libraries")
        engine.start()
        for command in ("status", "migrate"):
            assert main([command]) == 1
            said = capsys.readouterr().err
            assert said.startswith(f"{command}: shared_preload_libraries lacks timescaledb")
            assert "then restart the server" in said
