"""No skew: psql, a training set, the online store and HTTP give the same bits at the same moment.

Whatever happens to the ticks - late, corrected, cancelled, none - and to what stands between: a
Redis that restarts or loses its data, a registry that is made anew.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import redis
import requests
from feast.infra.registry.sql import SqlRegistry
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from embedded import redis as embedded_redis
from feast_repo.store import apply, materialize, open_store
from tests.feast.http.asking import SOON_S
from tests.feast.market import FIELDS, MINUTE, SYMBOLS, Market, amended, rows
from tests.feast.served import Served

RATIOS = ("close_to_vwap", "close_to_sma_20", "range_bps")
EVERYTHING = (*FIELDS, *RATIOS)
SERVICE = "market_ratios_v1"
HOUR = timedelta(hours=1)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of a Redis that these tests may stop."""
    directory = tmp_path_factory.mktemp("own-redis")
    embedded_redis.start(directory)
    yield directory
    embedded_redis.stop(directory)


@pytest.fixture(scope="module")
def redis_url(own_redis: Path) -> str:
    """Its address, in place of the session's."""
    running = embedded_redis.status(own_redis)
    assert running is not None
    return running.url


class Skew(RuleBasedStateMachine):
    """Two tenants' market goes on; all readers are asked after every step."""

    def __init__(self, market: Market, served: Served, directory: Path, seen: Counter[str]) -> None:
        """served: the API over the market. directory: of Redis. seen: what happened, for a look."""
        super().__init__()
        self.market = market
        self.served = served
        self.store = served.store
        self.directory = directory
        self.seen = seen
        self.keys = [(tenant, symbol) for tenant in market.tenants for symbol in SYMBOLS]

    @rule(number=st.integers(20, 25), seed=seeds)
    def trade_long(self, number: int, seed: int) -> None:
        """Enough bars for every window."""
        self.market.minutes(number, seed, number)

    @rule(number=st.integers(1, 5), seed=seeds, publish_every=st.integers(1, 3))
    def trade(self, number: int, seed: int, publish_every: int) -> None:
        """Ticks of some minutes, a part of them late."""
        self.market.minutes(number, seed, publish_every)

    @rule(seed=seeds, action=st.sampled_from(["correction", "cancel"]))
    def amend(self, seed: int, action: str) -> None:
        """A trade of the last half hour is corrected or cancelled."""
        chance = random.Random(seed)  # noqa: S311
        recent = [e for e in self.market.trades if e.ts > self.market.now - HOUR / 2]
        if recent:
            trade = chance.choice(recent)
            if action == "cancel":
                self.market.trades.remove(trade)
            price = None if action == "cancel" else chance.gauss(100, 3)
            self.market.world.apply([amended(trade, action, self.market.now, price)])
            self.market.publish()
            self.seen[action] += 1

    @rule(minutes=st.sampled_from([1, 1, 2, 4, 16]))
    def fall_silent(self, minutes: int) -> None:
        """No trade: after a quarter of an hour the values are stale."""
        self.market.publish(minutes * MINUTE)

    @rule(lose=st.booleans())
    def restart_redis(self, lose: bool) -> None:
        """With its data, or without."""
        if lose:
            with redis.Redis.from_url(self.served.redis_url) as client:
                client.flushdb()
        else:
            running = embedded_redis.status(self.directory)
            assert running is not None
            embedded_redis.stop(self.directory)
            embedded_redis.start(self.directory, running.port)
        self.seen[f"restart, lose {lose}"] += 1

    @rule()
    def rebuild_the_registry(self) -> None:
        """Everything in it is dropped and applied anew; what is online stays."""
        registry = self.store.registry
        assert isinstance(registry, SqlRegistry)
        registry.teardown()  # type: ignore[no-untyped-call] # Feast gives it no types
        self.store = open_store()
        apply(self.store)
        self.seen["registry"] += 1

    @rule(ages=st.lists(st.integers(0, 3 * 3600 * 10**6), min_size=1, max_size=12), seed=seeds)
    def train(self, ages: list[int], seed: int) -> None:
        """A training set of any moments of the last hours."""
        chance = random.Random(seed)  # noqa: S311
        keys = [chance.choice(self.keys) for _ in ages]
        moments = [self.market.now - timedelta(microseconds=age) for age in ages]
        asked = [self._psql([key], at)[0] for key, at in zip(keys, moments, strict=True)]
        assert self._offline(keys, moments) == asked

    @invariant()
    def all_say_the_same(self) -> None:
        """At the last publish, to the bit, ratios included."""
        at = materialize(self.store)
        assert at == self.market.now
        psql = self._psql(self.keys, at)
        assert self._offline(self.keys, [at] * len(self.keys)) == psql
        assert self._online() == psql
        assert self._http(at) == psql
        self.seen["compared"] += 1
        self.seen["stale"] += sum(row[0] is None for row in psql)
        self.seen["known"] += sum(None not in row for row in psql)

    def _psql(self, keys: list[tuple[int, str]], at: datetime) -> list[tuple[Any, ...]]:
        found = []
        for tenant, symbol in keys:
            row = self.market.world.ask([symbol], at, None, tenant)[0]
            close, vwap, sma = row["close"], row["vwap"], row["sma_20"]
            row["close_to_vwap"] = None if close is None else close / vwap - 1
            row["close_to_sma_20"] = None if close is None or sma is None else close / sma - 1
            row["range_bps"] = (
                None if close is None else (row["high"] - row["low"]) / close * 10_000
            )
            found.append(row)
        return rows(found, EVERYTHING)

    def _offline(
        self, keys: list[tuple[int, str]], moments: list[datetime]
    ) -> list[tuple[Any, ...]]:
        frame = pd.DataFrame(keys, columns=["tenant_id", "symbol"])
        frame["event_timestamp"] = pd.to_datetime(moments, utc=True)
        service = self.store.get_feature_service(SERVICE)
        found = self.store.get_historical_features(frame, service).to_arrow()
        return rows(found.to_pylist(), EVERYTHING)

    def _online(self) -> list[tuple[Any, ...]]:
        found = self.store.get_online_features(
            features=self.store.get_feature_service(SERVICE),
            entity_rows=[{"tenant_id": tenant, "symbol": symbol} for tenant, symbol in self.keys],
        ).to_dict()
        values = zip(*found.values(), strict=True)
        return rows([dict(zip(found, row, strict=True)) for row in values], EVERYTHING)

    def _asked(self, body: dict[str, Any], tenant: int) -> requests.Response:
        """Ask as a client does: again where a busy machine's API says so."""
        until = time.monotonic() + SOON_S
        while True:
            answer = self.served.ask(body, self.served.keys[tenant])
            if answer.status_code != 503 or time.monotonic() > until:
                return answer
            time.sleep(1)

    def _http(self, at: datetime) -> list[tuple[Any, ...]]:
        """Each tenant by its own key; the ratios take another way through the API."""
        found = []
        for service, fields in ((SERVICE, RATIOS), ("market_v1", FIELDS)):
            part = []
            for tenant in self.market.tenants:
                entities: dict[str, Any] = {"symbol": list(SYMBOLS)}
                if tenant != self.served.second:
                    entities["tenant_id"] = [tenant] * len(SYMBOLS)
                answer = self._asked({"feature_service": service, "entities": entities}, tenant)
                assert answer.status_code == 200, answer.text
                told = answer.json()
                names = told["metadata"]["feature_names"]
                columns = dict(zip(names, told["results"], strict=True))
                for place in range(len(SYMBOLS)):
                    values = {name: columns[name]["values"][place] for name in fields}
                    if values.get("bucket") is not None:
                        values["bucket"] = datetime.fromtimestamp(values["bucket"], UTC)
                    part.append(values)
                    for name in set(fields) & set(FIELDS):
                        time = columns[name]["event_timestamps"][place]
                        assert datetime.fromisoformat(time) == at
            found.append(part)
        return rows([a | b for a, b in zip(*found, strict=True)], EVERYTHING)


def test_after_each_of_what_can_happen(
    market: Market, online_world: Served, own_redis: Path
) -> None:
    seen: Counter[str] = Counter()
    machine = Skew(market, online_world, own_redis, seen)
    steps: tuple[Callable[[], None], ...] = (
        lambda: machine.trade_long(25, 3),
        lambda: machine.amend(1, "correction"),
        lambda: machine.restart_redis(lose=False),
        lambda: machine.amend(2, "cancel"),
        lambda: machine.restart_redis(lose=True),
        lambda: machine.rebuild_the_registry(),
        lambda: machine.train([0, 1, 60 * 10**6, 3600 * 10**6], 4),
        lambda: machine.fall_silent(16),
        lambda: machine.trade(2, 5, 1),
    )
    for step in steps:
        step()
        machine.all_say_the_same()
    assert seen["correction"] == seen["cancel"] == seen["registry"] == 1
    assert seen["stale"] >= len(machine.keys)
    assert seen["known"] >= len(machine.keys)


def test_there_is_no_skew(market: Market, online_world: Served, own_redis: Path) -> None:
    seen: Counter[str] = Counter()
    examples = int(os.environ.get("SKEW_EXAMPLES", "6"))

    class Here(Skew):
        def __init__(self) -> None:
            super().__init__(market, online_world, own_redis, seen)

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=examples,
            stateful_step_count=8,
            # the market goes on: what failed once is not there again to be made smaller
            phases=[Phase.generate],
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert seen["compared"] > examples
    assert seen["known"] > 0
