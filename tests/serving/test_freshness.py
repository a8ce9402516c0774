"""Rows whose features are stale or missing by the contract get a reason, not a score."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from feast_repo import internals
from feast_repo.api.read import _key
from serving import triton
from tests.feast.market import SYMBOLS
from tests.feast.served import FED
from tests.serving.conftest import Clock
from tests.serving.world import Models, Routed, eventually, outputs, routed, symbols

BOTH, OWN = SYMBOLS


class Late:
    """The market's clock, and so many seconds."""

    def __init__(self, clock: Clock) -> None:
        self.ahead_s = 0.0
        self._clock = clock

    def __call__(self) -> float:
        return self._clock() + self.ahead_s


@pytest.fixture
def late(
    world: Routed, models: Models, running: triton.EmbeddedTriton, clock: Clock, tmp_path: Path
) -> Iterator[tuple[Routed, Late]]:
    moved = Late(clock)
    with routed(world.served, models, running.url, moved, tmp_path) as router:
        eventually(lambda: router.answering() == 1)
        yield router, moved


def test_nothing_was_pushed_for_longer_than_a_field_may_be_old(late: tuple[Routed, Late]) -> None:
    router, moved = late
    body = symbols(OWN, FED, tenants=[router.served.first, None])
    moved.ahead_s = 890.0
    assert None not in outputs(router.ask(body))["score"]
    moved.ahead_s = 910.0
    found = outputs(router.ask(body))
    for name in ("score", "version", "alias", "route", "as_of", "prediction_id"):
        assert found[name] == [None, None]
    for reason in found["refused"]:
        assert reason.startswith("stale: market_1m is online as of 2024-03-04T12:00:0")


def test_a_series_that_is_not_online_and_one_that_is(world: Routed) -> None:
    """Row by row: the others are scored."""
    first = world.served.first
    body = symbols(OWN, BOTH, tenants=[first, first])
    key = _key(world.served.store.project, 3, first, OWN)
    with redis.Redis.from_url(world.served.redis_url) as client:
        kept = client.dump(key)
        assert kept is not None
        client.delete(key)
        try:
            answer = world.ask(body)
        finally:
            client.restore(key, 0, kept)
    found = outputs(answer)
    assert found["score"][0] is None
    assert found["refused"] == ["missing: market_1m is not online", None]
    assert found["score"][1] is not None
    (row,) = world.logged(answer)
    assert row["symbol"] == BOTH
    assert outputs(world.ask(body))["refused"] == [None, None]


def test_a_set_without_a_recent_bar_is_stale(world: Routed) -> None:
    """Bucket is NULL then, as push writes it."""
    first = world.served.first
    key = _key(world.served.store.project, 3, first, OWN)
    field = internals.redis_field("momentum", "bucket")
    with redis.Redis.from_url(world.served.redis_url) as client:
        kept = client.hget(key, field)
        assert kept is not None
        client.hset(key, field, b"")
        try:
            found = outputs(world.ask(symbols(OWN, tenants=[first])))
        finally:
            client.hset(key, field, kept)
    assert found["score"] == [None]
    assert found["refused"][0].startswith("stale: momentum_1m has no bar that is recent enough")


def test_a_category_that_the_model_does_not_know(world: Routed) -> None:
    columns = [
        {"feature_set": "market_1m", "field": "close"},
        {"feature_set": "market_1m", "field": "regime_tag", "categories": ["sideways"]},
    ]
    version = world.models.new(seed=21, columns=columns)
    world.with_aliases(version)
    try:
        found = outputs(world.ask(symbols(OWN, tenants=[world.served.first])))
        assert found["score"] == [None]
        assert found["refused"][0].startswith("unknown: market_1m.regime_tag is '")
    finally:
        world.with_aliases(1)


def test_an_online_store_that_is_down(world: Routed, monkeypatch: pytest.MonkeyPatch) -> None:
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    with monkeypatch.context() as away:
        away.setattr(world.router.reader, "_redis", Redis(port=1, retry=Retry(NoBackoff(), 0)))
        answer = world.ask(symbols(OWN, tenants=[world.served.first]))
        assert answer.status_code == 503
        assert "online store" in answer.json()["error"]
    outputs(world.ask(symbols(OWN, tenants=[world.served.first])))
