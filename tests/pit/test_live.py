"""Publishing at real times: bars of this very minute, and a clock that was wrong once."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.conftest import Databases
from tests.pit.conftest import SYMBOL
from tests.pit.world import World

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def world(databases: Databases, modelled_database: str) -> Iterator[World]:
    """A database with the models, whose jobs are off."""
    made = World(modelled_database, databases.kind)
    yield made
    made.close()


@pytest.fixture
def live(world: World) -> World:
    """The same, live from now on."""
    now = clock(world.connection)
    world.set_clock(now, now)
    return world


def clock(connection: psycopg.Connection[Any]) -> datetime:
    row = connection.execute("select clock_timestamp()").fetchone()
    assert row is not None
    at = row[0]
    assert isinstance(at, datetime)
    return at


def wait_until(connection: psycopg.Connection[Any], moment: datetime) -> None:
    """Wait for the server's clock."""
    while (now := clock(connection)) < moment:
        time.sleep(max((moment - now).total_seconds(), 0.001))


def trade_now(
    world: World, tenant: int, price: float = 100, *, not_before: timedelta = timedelta()
) -> datetime:
    """Commit a trade that happens now, with time left in its minute; returns the minute's start."""
    bucket = clock(world.connection).replace(second=0, microsecond=0)
    wait_until(world.connection, bucket + not_before)
    if clock(world.connection) > bucket + timedelta(seconds=57):
        bucket += MINUTE
        wait_until(world.connection, bucket)
    world.connection.execute(
        "insert into market.trade (tenant_id, symbol, ts, seq, price, size, known_at)"
        " select %s, %s, ts, 1, %s, 1, ts from clock_timestamp() as ts",
        [tenant, SYMBOL, price],
    )
    return bucket


def versions(world: World, tenant: int) -> list[tuple[Any, ...]]:
    return world.connection.execute(
        "select bucket, close, cause from feature.log where tenant_id = %s order by known_at",
        [tenant],
    ).fetchall()


def test_a_publish_called_before_the_minute_turned_has_the_bar_that_closed_meanwhile(
    live: World, databases: Databases
) -> None:
    """It waits for another's lock across the turn, or, of one backend, in its own transaction."""
    tenant = live.tenant()
    # the transaction that stays open across the turn is not idle for long
    bucket = trade_now(live, tenant, not_before=timedelta(seconds=45))
    turned = bucket + MINUTE + timedelta(seconds=0.3)
    if databases.kind == "embedded":
        with live.connection.transaction():
            began = live.connection.execute("select now()").fetchone()
            assert began is not None
            assert began[0] < bucket + MINUTE
            time.sleep((turned - clock(live.connection)).total_seconds())
            live.connection.execute("call feature.publish()")
    else:
        with psycopg.connect(live.url) as other:
            other.execute("select from feature.clock for update")
            publish = threading.Thread(
                target=live.connection.execute, args=("call feature.publish()",)
            )
            publish.start()
            wait_until(other, turned)
        publish.join()
    assert versions(live, tenant) == [(bucket, 100.0, "close")]


def test_while_the_last_stamp_is_ahead_of_the_clock_publishing_says_so_and_loses_nothing(
    live: World,
) -> None:
    """A server whose clock was an hour ahead, and then set right."""
    tenant = live.tenant()
    before = clock(live.connection)
    live.set_clock(before - timedelta(days=1), before + timedelta(hours=1))
    ts = before - 5 * MINUTE
    live.connection.execute(
        "insert into market.trade (tenant_id, symbol, ts, seq, price, size, known_at)"
        " values (%s, %s, %s, 1, 7, 1, %s)",
        [tenant, SYMBOL, ts, ts],
    )
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="ahead of this server"):
        live.connection.execute("call feature.publish()")
    assert versions(live, tenant) == []
    live.set_clock(before - timedelta(days=1), before)
    live.connection.execute("call feature.publish()")
    assert versions(live, tenant) == [(ts.replace(second=0, microsecond=0), 7.0, "close")]
