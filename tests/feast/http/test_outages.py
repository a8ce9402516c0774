"""The feature API while Redis or the database is down."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import redis
import requests
from psycopg.conninfo import make_conninfo
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tests.feast.http.asking import MARKET, OWN, RATIOS, SOON_S, Clock, dead_port, of, refused
from tests.feast.served import FED, Served

# far below what a client waits, far above what a busy machine takes
AT_ONCE_S = 20


@contextmanager
def with_redis(world: Served, port: int) -> Iterator[None]:
    """The online store at another port."""
    reader = world.app.state.api.reader
    before = reader._redis
    reader._redis = AsyncRedis(port=port, retry=Retry(NoBackoff(), 1))
    try:
        yield
    finally:
        reader._redis = before


@pytest.mark.parametrize("service", [MARKET, RATIOS])
def test_an_online_store_that_is_down(online_world: Served, service: str) -> None:
    world = online_world
    body = of([OWN], feature_service=service)
    with dead_port() as port, with_redis(world, port):
        began = time.monotonic()
        refused(world.ask(body), 503, "online store")
        assert time.monotonic() - began < AT_ONCE_S
        assert requests.get(world.url + "/health", timeout=SOON_S).json() == {"status": "ok"}
    assert world.ask(body).status_code == 200


def test_a_connection_that_the_online_store_closed(online_world: Served) -> None:
    world = online_world
    body = of([OWN], features=["bar:close"])
    expected = world.ask(body).json()
    for _ in range(3):
        with redis.Redis.from_url(world.redis_url) as client:
            client.client_kill_filter(_type="normal", skipme=True)
        assert world.ask(body).json() == expected


def test_an_answer_that_came_too_late_is_nobody_elses(online_world: Served) -> None:
    """What is read after a timeout is not what was asked for before it."""
    world = online_world
    asked = [of([symbol], features=["bar:close"]) for symbol in (OWN, FED)]
    expected = [world.ask(body).json() for body in asked]
    with redis.Redis.from_url(world.redis_url) as client:
        client.execute_command("CLIENT", "PAUSE", 1500, "ALL")
        refused(world.ask(asked[0]), 503, "online store")
        # before the first answer comes, at 1.5 s
        assert world.ask(asked[1]).json() == expected[1]
    for _ in range(20):
        assert [world.ask(body).json() for body in asked] == expected


def test_an_online_store_that_hangs(online_world: Served) -> None:
    world = online_world
    with socket.create_server(("127.0.0.1", 0)) as deaf, with_redis(world, deaf.getsockname()[1]):
        began = time.monotonic()
        refused(world.ask(of([OWN])), 503, "online store")
        assert time.monotonic() - began < AT_ONCE_S


def test_readiness(online_world: Served) -> None:
    world = online_world
    with world.another() as other:
        with dead_port() as port, with_redis(other, port):
            refused(requests.get(other.url + "/ready", timeout=SOON_S), 503, "online store")
        time.sleep(1.1)
        assert requests.get(other.url + "/ready", timeout=SOON_S).json() == {"status": "ready"}


def test_a_database_that_is_not_there(online_world: Served) -> None:
    world = online_world
    with (
        dead_port() as port,
        world.another(make_conninfo(world.pool, host="127.0.0.1", port=port)) as other,
    ):
        refused(other.ask(of([OWN])), 503, "database")
        refused(requests.get(other.url + "/ready", timeout=SOON_S), 503, "database")
        assert requests.get(other.url + "/health", timeout=SOON_S).status_code == 200
        refused(other.ask(of([OWN]), None), 401)


@contextmanager
def database_down(world: Served) -> Iterator[None]:
    """As if no connection could be had."""
    shared = world.app.state.api

    def no_connection(*_: Any, **__: Any) -> Any:
        raise psycopg.OperationalError("down")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared.pool, "connection", no_connection)
        yield


def test_known_keys_work_for_ten_seconds_without_the_database(
    online_world: Served, clock: Clock
) -> None:
    world = online_world
    assert world.ask(of([OWN])).status_code == 200
    with database_down(world):
        clock.ahead += 4
        assert world.ask(of([OWN])).status_code == 200
        clock.ahead += 4
        assert world.ask(of([OWN])).status_code == 200, "in spite of the read that failed"
        refused(world.ask(of([OWN]), world.new_key(world.first)), 503, "database")
        clock.ahead += 4
        refused(world.ask(of([OWN])), 503, "database")
    assert world.ask(of([OWN])).status_code == 200
