"""What changes functions, logs and reference data beside one another, and beside a publish.

Each comes to the same locks in the same order: none is ended because two wait for each other.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from engine.migrate import migrate
from tests.conftest import Databases
from tests.migrations.test_fields import add_line, edit
from tests.migrations.test_fields import contract as contract
from tests.paused import pause_jobs

PATIENCE_S = 60.0
WAITING = """
    select count(*) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'
"""
REGIME = "intermediate.int_bar__regime"
HOLIDAY = "insert into market.calendar_holiday (calendar_id, day, name) values (%s, %s, 'x')"


@pytest.fixture(scope="module")
def beside(databases: Databases, modelled_database: str) -> str:
    """A database of a server, whose jobs are off."""
    if databases.kind == "embedded":
        pytest.skip("one backend: one transaction after another")
    with psycopg.connect(modelled_database, autocommit=True) as connection:
        pause_jobs(connection)
    return modelled_database


@contextmanager
def held_up(url: str, *works: Callable[[], object]) -> Iterator[psycopg.Connection]:
    """All of them have begun, one after another, and wait until a publish ends: this session's."""
    failed: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    with psycopg.connect(url, autocommit=True) as watch, psycopg.connect(url) as publish:
        publish.execute("select from feature.clock for update")
        end = time.monotonic() + PATIENCE_S
        for number, thread in enumerate(threads, 1):
            thread.start()
            while watch.execute(WAITING).fetchone() != (number,):
                assert not failed, failed
                assert time.monotonic() < end, f"number {number} does not wait"
                time.sleep(0.05)
        yield publish
    for thread in threads:
        thread.join()
    assert failed == []


def execute(url: str, statement: str, *arguments: object) -> Callable[[], object]:
    """In a session of its own."""

    def run() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement.encode(), arguments)

    return run


def dbt_run(url: str) -> Callable[[], object]:
    """What a run does of which a model has changed: it makes the functions anew."""

    def run() -> None:
        with psycopg.connect(url) as connection:
            ((query,),) = connection.execute(
                "select pg_get_viewdef(%s::regclass)", [REGIME]
            ).fetchall()
            was, now = ("1.5", "3.0") if "1.5" in query else ("3.0", "1.5")
            text = f"create or replace view {REGIME} as {query.replace(was, now)}"
            connection.execute(text.encode())
            connection.execute("call feature.compile()")

    return run


def test_an_edited_contract_beside_a_dbt_run(beside: str, contract: Path) -> None:
    edit(contract, "1,open,double precision,price", "1,open,double precision,a price")
    with held_up(beside, dbt_run(beside), lambda: migrate(beside)):
        pass
    assert migrate(beside) == []


def test_a_dbt_run_beside_an_edit_in_psql(beside: str) -> None:
    with held_up(
        beside,
        execute(beside, HOLIDAY, "crypto_24x7", "2027-03-01"),
        dbt_run(beside),
    ):
        pass


def test_a_rebuild_beside_an_edit_in_psql(beside: str) -> None:
    with held_up(
        beside,
        execute(beside, "call feature.rebuild()"),
        execute(beside, HOLIDAY, "crypto_24x7", "2027-03-02"),
    ):
        pass


def test_objects_that_are_made_again_beside_a_dbt_run(beside: str) -> None:
    with psycopg.connect(beside, autocommit=True) as connection:
        connection.execute("delete from migration_object where path like '%/fill_slice'")
    with held_up(beside, dbt_run(beside), lambda: migrate(beside)):
        pass


def test_a_field_more_beside_a_publish(beside: str, contract: Path) -> None:
    add_line(contract, "beside_it", "momentum_1m")
    with held_up(beside, lambda: migrate(beside)) as publish:
        publish.execute("set lock_timeout = '5s'")
        # as a publish does that writes
        publish.execute("lock table feature.momentum_1m_log in row exclusive mode")


def test_what_is_edited_at_once_is_known_at_once(beside: str, contract: Path) -> None:
    edit(contract, "2,high,double precision,price", "2,high,double precision,a price")
    edit(contract.with_name("instrument.csv"), "SYN_ES,Synthetic", "SYN_ES,synthetic")
    told: list[str] = []
    migrate(beside, told.append)
    assert [line.partition(":")[0] for line in told] == ["contract", "instrument"]
    with psycopg.connect(beside) as connection:
        assert connection.execute(
            "select (select max(known_at) from market.contract_version)"
            " = (select max(known_at) from market.instrument_version)"
        ).fetchone() == (True,)
