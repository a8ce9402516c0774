"""The age of the last publish and failing jobs, as each process's metrics say them."""

import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from telemetry import publishing, start
from telemetry.hooks import Hooks, PublishingHooks
from telemetry.settings import TelemetryConfig
from tests.paused import pause_jobs
from tests.telemetry.scrape import HANGS_S, get, scrape

ON = TelemetryConfig(metrics_port=0)
NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"
STARTERS: dict[str, Callable[[], PublishingHooks]] = {
    "ingest": lambda: start.ingest(ON),
    "feature_api": lambda: start.api(ON),
}


@pytest.fixture(params=STARTERS)
def process(request: pytest.FixtureRequest) -> str:
    """Each process that tells."""
    name: str = request.param
    return name


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    """A session whose database runs no job by itself."""
    with psycopg.connect(database, autocommit=True) as connected:
        pause_jobs(connected)
        yield connected


def wait_for(telemetry: Hooks, name: str, right: Callable[[float], bool]) -> float:
    """The metric, once it is right."""
    until = time.monotonic() + HANGS_S
    while time.monotonic() < until:
        value = scrape(telemetry).get((name,))
        if value is not None and right(value):
            return value
        time.sleep(0.05)
    raise AssertionError(scrape(telemetry))


def test_the_age_grows_and_a_failing_job_counts(
    process: str, database: str, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing.Publishing.__init__, "__defaults__", (0.05,))
    connection.execute(
        "update feature.clock set live_from = now() - interval '1 day',"
        " published_at = clock_timestamp() - interval '1 hour'"
    )
    telemetry = STARTERS[process]()
    age, failing = f"{process}_publish_age_seconds", f"{process}_failing_jobs"
    try:
        assert (age,) not in scrape(telemetry)
        telemetry.publishing(database)
        assert wait_for(telemetry, age, lambda value: value > 0) >= 3600
        assert wait_for(telemetry, failing, lambda _: True) == 0
        status = get(telemetry, "/healthz"), get(telemetry, "/readyz")

        connection.execute("update feature.clock set published_at = clock_timestamp()")
        (job,) = connection.execute(
            "select job_id from timescaledb_information.jobs where proc_name = 'publish_job'"
        ).fetchall()[0]
        connection.execute(
            "select alter_job(%s, scheduled => true, next_start => 'infinity')", [job]
        )
        connection.execute(
            "delete from _timescaledb_internal.bgw_job_stat where job_id = %s", [job]
        )
        connection.execute(
            "insert into _timescaledb_internal.bgw_job_stat values (%s, now(), now(), 'infinity',"
            " '-infinity', false, 1, '1 s', '1 s', 0, 1, 0, 1, 0)",
            [job],
        )
        wait_for(telemetry, age, lambda value: value < 600)
        assert wait_for(telemetry, failing, lambda value: value > 0) == 1
        assert (get(telemetry, "/healthz"), get(telemetry, "/readyz")) == status
        connection.execute("select alter_job(%s, scheduled => false)", [job])
        wait_for(telemetry, failing, lambda value: value == 0)
    finally:
        telemetry.close()


def test_a_database_that_does_not_answer_leaves_the_process_alive_and_its_metrics_there(
    process: str,
) -> None:
    telemetry = STARTERS[process]()
    try:
        telemetry.publishing(NOWHERE)
        time.sleep(0.2)
        assert get(telemetry, "/healthz") == (200, "ok\n")
        assert (f"{process}_publish_age_seconds",) not in scrape(telemetry)
    finally:
        telemetry.close()


def test_the_age_goes_on_growing_when_the_database_has_gone(
    database: str, connection: psycopg.Connection
) -> None:
    connection.execute(
        "update feature.clock set live_from = '-infinity', published_at = clock_timestamp()"
    )
    asked = publishing.Publishing(database, 0.05)
    until = time.monotonic() + HANGS_S
    while asked.age() is None:
        assert time.monotonic() < until
        time.sleep(0.05)
    asked.close()
    first = asked.age()
    time.sleep(0.2)
    last = asked.age()
    assert first is not None
    assert last is not None
    assert last >= first + 0.2


@pytest.mark.parametrize("role", ["market_ingest", "market_pool", "market_reader"])
def test_whoever_runs_a_process_may_ask(connection: psycopg.Connection, role: str) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute(f"set local role {role}".encode())
        row = connection.execute(publishing.ASK.encode()).fetchone()
    assert row is not None
    assert row[1] == 0


def test_tenants_may_not(connection: psycopg.Connection) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("set local role market_tenant")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(publishing.ASK.encode())
