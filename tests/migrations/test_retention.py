"""What is accepted is kept, or refused: by the product's own jobs, at the edges."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from ingest.database import Database
from ingest.reference import read_known
from tests.refreshing import when_free

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
JOBS = """
    select job_id from timescaledb_information.jobs
    where hypertable_schema = 'market' order by job_id
"""
AGGREGATES = """
    select view_name::text from timescaledb_information.continuous_aggregates
    where view_schema = 'market' order by 1
"""
TICKS = {
    "trade": "insert into market.trade (tenant_id, symbol, ts, seq, price, size, known_at)"
    " values (1, 'SYN_BTCUSD', %s, 1, 100, 1, %s)",
    "quote": "insert into market.quote (tenant_id, symbol, ts, seq, bid, ask, known_at)"
    " values (1, 'SYN_BTCUSD', %s, 1, 99, 101, %s)",
}
RETENTION = (
    "insert into market.policy_setting (relation, policy, span, reason)"
    " values (%s, 'retention', %s, 'a small disk')"
)


REACH = """
    select hypertable_name, (config ->> 'start_offset')::interval
    from timescaledb_information.jobs
    where
        hypertable_schema = 'market'
        and proc_name = 'policy_refresh_continuous_aggregate'
"""


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    """The module's database without ticks and retention, whose jobs run when a test says so."""
    with psycopg.connect(database, autocommit=True) as connected:
        connected.execute("set timezone = 'UTC'")
        connected.execute("set client_min_messages = warning")
        connected.execute("truncate market.trade, market.quote")
        connected.execute("delete from market.policy_setting where policy = 'retention'")
        # a retention drops whole chunks: in short ones its edge is sharp
        connected.execute(
            "update market.policy_setting set span = '1 day'"
            " where policy = 'chunk' and relation in ('trade', 'quote')"
        )
        apply_policies(connected)
        yield connected


def apply_policies(connection: psycopg.Connection[Any]) -> None:
    """Change the jobs, and keep the scheduler from running them."""
    with connection.transaction():
        connection.execute("call market.apply_policies()")
        connection.execute(
            "select alter_job(job_id, scheduled => false) from timescaledb_information.jobs"
        )


def add(connection: psycopg.Connection[Any], kind: str, *moments: datetime) -> None:
    for moment in moments:
        connection.execute(TICKS[kind], [moment, moment])


def kept(connection: psycopg.Connection[Any], kind: str) -> list[datetime]:
    found = connection.execute(f"select ts from market.{kind} order by ts".encode()).fetchall()
    return [ts for (ts,) in found]


def run_jobs(connection: psycopg.Connection[Any]) -> None:
    """Every policy of market as the scheduler runs it, until aggregates of aggregates have all."""
    for _ in range(3):
        for (job,) in connection.execute(JOBS).fetchall():
            # the scheduler may have begun one before it was told to leave them
            when_free(connection, "call run_job(%s)", [job])


def bars(connection: psycopg.Connection[Any], moment: datetime) -> set[str]:
    """The aggregates that have the bar of this moment."""
    names = [name for (name,) in connection.execute(AGGREGATES).fetchall()]
    return {
        name
        for name in names
        if connection.execute(
            f"select from market.{name} where bucket > %s and bucket <= %s".encode(),
            [moment - widths(name), moment],
        ).fetchall()
    }


def widths(aggregate: str) -> timedelta:
    number, unit = aggregate.rsplit("_", 1)[1][:-1], aggregate[-1]
    return int(number) * {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": DAY}[unit]


def retain(connection: psycopg.Connection[Any], kind: str, span: str) -> None:
    with connection.transaction():
        connection.execute(RETENTION, [kind, span])
        apply_policies(connection)


def test_all_that_is_accepted_stays_and_is_in_every_aggregate(
    connection: psycopg.Connection[Any],
) -> None:
    moments = [
        EARLIEST,
        *(datetime(year, 6, 1, 12, tzinfo=UTC) for year in (2000, 2005, 2006, 2007, 2010)),
        datetime.now(UTC) - 2 * DAY,
    ]
    add(connection, "trade", *moments)
    add(connection, "quote", *moments)
    run_jobs(connection)
    assert kept(connection, "trade") == kept(connection, "quote") == moments
    for moment in moments:
        assert len(bars(connection, moment)) == 12, moment
    for kind in ("trade", "quote"):
        with pytest.raises(psycopg.errors.CheckViolation):
            add(connection, kind, EARLIEST - timedelta(microseconds=1))


@pytest.mark.parametrize("kind", ["trade", "quote"])
@pytest.mark.parametrize("days", [8, 30, 7300])
def test_a_retention_moves_what_is_accepted_with_it(
    connection: psycopg.Connection[Any], database: str, kind: str, days: int
) -> None:
    other = {"trade": "quote", "quote": "trade"}[kind]
    now = datetime.now(UTC)
    before = now - (days + 3) * DAY
    add(connection, kind, before)
    run_jobs(connection)
    had = bars(connection, before)
    assert len(had) >= 2
    retain(connection, kind, f"{days} days")

    closing = Database(database)
    known = read_known(closing)
    closing.close()
    margin = min(days * DAY / 4, 30 * DAY)
    edge = datetime.fromtimestamp(known.earliest_us[kind] / 1e6, UTC)
    assert abs(edge - (now - days * DAY + margin)) < timedelta(minutes=5)
    assert known.earliest_us[other] == EARLIEST.timestamp() * 1e6

    add(connection, kind, edge)
    run_jobs(connection)
    assert kept(connection, kind) == [edge]
    assert bars(connection, edge) == bars(connection, before) == had
    with pytest.raises(psycopg.errors.CheckViolation, match=f"{kind} older than {days} days"):
        add(connection, kind, now - days * DAY - timedelta(minutes=1))
    add(connection, other, EARLIEST)


def test_refreshes_reach_no_farther_than_a_retention_of_what_they_are_made_of(
    connection: psycopg.Connection[Any],
) -> None:
    retain(connection, "quote", "30 days")
    reach = dict(connection.execute(REACH).fetchall())
    short = {name for name, span in reach.items() if span == timedelta(days=26, hours=6)}
    assert short == {"quote_1m", "quote_1h", "mid_1m"}
    assert {reach[name] for name in reach.keys() - short} == {timedelta(days=36500)}


@pytest.mark.parametrize("kind", ["trade", "quote"])
def test_a_retention_too_short_for_the_aggregates_is_refused(
    connection: psycopg.Connection[Any], kind: str
) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=f"of {kind} is below 8 days"):
        retain(connection, kind, "7 days")
