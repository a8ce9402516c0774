"""TimescaleDB's policies are what market.policy_setting says, apart, and an operator's stay."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from engine.migrate import migrate

JOBS = """
    select
        hypertable_name || ' ' || case proc_name
            when 'policy_refresh_continuous_aggregate' then 'refresh'
            when 'policy_compression' then 'columnstore' else 'retention'
        end,
        to_jsonb(j) - 'next_start' - 'current_owner'
    from timescaledb_information.jobs as j where hypertable_schema = 'market'
"""
FIND = """
    select job_id from timescaledb_information.jobs
    where hypertable_name = %s and proc_name = 'policy_refresh_continuous_aggregate'
"""


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    """What a test changes is gone at its end."""
    with (
        psycopg.connect(database, autocommit=True) as connected,
        connected.transaction(force_rollback=True),
    ):
        yield connected


def jobs(connection: psycopg.Connection) -> dict[str, dict[str, Any]]:
    return dict(connection.execute(JOBS).fetchall())


def test_they_do_not_start_at_the_same_instant(connection: psycopg.Connection) -> None:
    found = connection.execute(
        "select distinct date_trunc('second', initial_start)"
        " from timescaledb_information.jobs where proc_name = 'publish_job'"
        " or hypertable_schema = 'market'"
    ).fetchall()
    count = connection.execute(
        "select count(*) from timescaledb_information.jobs where proc_name = 'publish_job'"
        " or hypertable_schema = 'market'"
    ).fetchone()
    assert count is not None
    assert (None,) not in found
    assert len(found) >= count[0] - 3
    assert all(one["fixed_schedule"] for one in jobs(connection).values())


def test_when_a_job_starts_follows_from_its_name(connection: psycopg.Connection) -> None:
    """Twice the same, in the interval to come, an hour at most, and a place of its own in it."""
    ask = (
        "select extract(epoch from s - clock_timestamp())::float8,"
        " mod(extract(epoch from s), least(extract(epoch from %(every)s::interval), 3600))"
        " from market.staggered_start(%(job)s, %(every)s::interval) as s"
    )
    for every, most in (("20 seconds", 20), ("1 minute", 60), ("1 hour", 3600), ("7 days", 3600)):
        places = []
        for job in ("a refresh", "b refresh"):
            arguments = {"job": job, "every": every}
            (first,) = connection.execute(ask, arguments).fetchall()
            (again,) = connection.execute(ask, arguments).fetchall()
            assert -1 < first[0] <= most
            assert abs(first[1] - again[1]) < 1e-3
            places.append(first[1])
        assert places[0] != places[1]


def test_to_apply_them_again_touches_no_job(connection: psycopg.Connection) -> None:
    before = jobs(connection)
    assert len(before) >= 17
    connection.execute("call market.apply_policies()")
    assert jobs(connection) == before


def test_an_operators_schedule_stays_and_a_changed_row_is_followed(
    connection: psycopg.Connection,
) -> None:
    (job,) = connection.execute(FIND, ["ohlc_1m"]).fetchall()[0]
    connection.execute(
        "select alter_job(%s, schedule_interval => interval '10 minutes', max_retries => 3,"
        " scheduled => false)",
        [job],
    )
    connection.execute(
        "update market.policy_setting set span = '30 days'"
        " where relation = 'ohlc_1m' and policy = 'refresh'"
    )
    connection.execute("call market.apply_policies()")
    found = jobs(connection)["ohlc_1m refresh"]
    assert found["job_id"] == job
    assert found["config"]["start_offset"] == "30 days"
    assert (found["schedule_interval"], found["max_retries"]) == ("00:10:00", 3)
    assert found["scheduled"] is False

    connection.execute(
        "update market.policy_setting set every = '2 minutes'"
        " where relation = 'ohlc_1m' and policy = 'refresh'"
    )
    connection.execute("call market.apply_policies()")
    found = jobs(connection)["ohlc_1m refresh"]
    assert (found["schedule_interval"], found["max_retries"]) == ("00:02:00", 3)


def test_a_policy_comes_and_goes_with_its_row(connection: psycopg.Connection) -> None:
    connection.execute(
        "insert into market.policy_setting (relation, policy, span, reason)"
        " select k, 'retention', '365 days', 'a test' from unnest(array['trade', 'quote']) as k"
    )
    connection.execute("call market.apply_policies()")
    before = jobs(connection)
    connection.execute("delete from market.policy_setting where policy = 'retention'")
    connection.execute(
        "insert into market.policy_setting (relation, policy, span, reason)"
        " values ('ohlc_5m', 'columnstore', '90 days', 'a test')"
    )
    connection.execute("call market.apply_policies()")
    found = jobs(connection)
    assert before.keys() - found.keys() == {"trade retention", "quote retention"}
    assert found.keys() - before.keys() == {"ohlc_5m columnstore"}
    assert found["ohlc_5m columnstore"]["config"]["compress_after"] == "90 days"


def test_a_row_for_what_is_not_there_is_refused(connection: psycopg.Connection) -> None:
    connection.execute(
        "insert into market.policy_setting (relation, policy, span, reason)"
        " values ('nothing', 'columnstore', '90 days', 'a test')"
    )
    with pytest.raises(psycopg.errors.UndefinedTable, match="do not exist: nothing"):
        connection.execute("call market.apply_policies()")


def test_an_upgrade_keeps_an_operators_schedule_and_chunks_that_are_there(
    databases: Any,
) -> None:
    """From how an earlier release made them: at once, of days, without what they were made from."""
    url, drop = databases.create("migrated")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "select alter_job(job_id, config => config - 'every', fixed_schedule => false)"
            " from timescaledb_information.jobs where hypertable_schema = 'market'"
        )
        (job,) = connection.execute(FIND, ["ohlc_5m"]).fetchall()[0]
        connection.execute("select alter_job(%s, schedule_interval => interval '3 minutes')", [job])
        connection.execute("select set_chunk_time_interval('market.trade', interval '1 day')")
        connection.execute(
            "insert into market.trade (tenant_id, symbol, ts, seq, price, size, known_at)"
            " select 1, 'SYN_ES', ts, 1, 1, 1, ts from generate_series(timestamptz '2026-01-01',"
            " '2026-01-09', interval '1 day') as ts"
        )
        connection.execute("delete from migration_object where path like '%/apply_policies'")
        migrate(url)
        connection.execute(
            "insert into market.trade (tenant_id, symbol, ts, seq, price, size, known_at)"
            " select 1, 'SYN_ES', ts, 2, 1, 1, ts from generate_series(timestamptz '2026-01-01',"
            " '2026-03-01', interval '1 day') as ts"
        )
        found = jobs(connection)
        assert found["ohlc_5m refresh"]["job_id"] == job
        assert found["ohlc_5m refresh"]["schedule_interval"] == "00:03:00"
        assert found["ohlc_1m refresh"]["schedule_interval"] == "00:01:00"
        assert all(one["fixed_schedule"] for one in found.values())
        assert all("every" in one["config"] for name, one in found.items() if "refresh" in name)
        rows = connection.execute("select count(*) from market.trade").fetchone()
        assert rows == (9 + 60,)
        lengths: dict[str, int] = dict(
            connection.execute(
                "select (range_end - range_start)::text, count(*)"
                " from timescaledb_information.chunks where hypertable_name = 'trade' group by 1"
            ).fetchall()
        )
        assert lengths["1 day"] == 9
        assert lengths["7 days"] >= 6
    drop()
