"""Random streams: a field that came later has the history that it would have from the beginning."""

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.conftest import Databases
from tests.pit import sets
from tests.pit.compared import WEEK
from tests.pit.oracle import MINUTE, Event, differences, floor_minute
from tests.pit.test_field_birth import before
from tests.pit.test_state_machine import PointInTime
from tests.pit.world import BACKFILL, World

# of each kind: what windows read, what a bar has by itself, of trades, quotes and minutes
ADDED = [
    ("market_1m.sma_20", "market_1m.spread_bps"),
    ("market_1m.volatility_1h", "market_1m.regime_tag"),
    ("momentum_1m.rsi_14", "momentum_1m.microprice"),
    ("momentum_1m.sma_50",),
    ("daily.volume",),
]
seeds = st.integers(0, 2**32 - 1)
thorough = settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
Version = dict[str, Any]
KEY = ("tenant_id", "symbol", "bucket", "known_at")


@pytest.fixture(scope="module")
def world(databases: Databases, database: str) -> Iterator[World]:
    """A database with the models that publishes read the formulas from."""
    if databases.kind == "embedded":
        pytest.skip("the embedded engine can end where formulas are replaced again and again")
    made = World(database, databases.kind)
    yield made
    made.close()


class Market(PointInTime):
    """Streams of a week of their own; what is asked of them is up to the test."""

    def __init__(self, world: World, seed: int) -> None:
        super().__init__(world)
        self.rng = random.Random(seed)  # noqa: S311
        self.begin(self.rng.choice(["SYN_AAPL", "SYN_ES", "SYN_EURUSD"]))

    def some(self, steps: int) -> None:
        """Bars, and what comes late, is corrected or cancelled, known when it comes."""
        for _ in range(steps):
            seed = self.rng.getrandbits(32)
            self.block(seed, self.rng.randint(25, 90), self.rng.choice(["calm", "wild", "thin"]), 1)
            lag = timedelta(minutes=self.rng.choice([1, 10, 300]))
            self.ticks_late(seed, self.rng.randrange(4), lag, "now", 3)
            self.cancel_a_bar(seed)
            old = self.rng.choices(self.events, k=3)
            self.apply(
                [
                    Event(action, e.tenant_id, e.symbol, e.ts, e.seq, e.values, self.now)
                    for e, action in zip(old, ["correction", "cancel", "cancel"], strict=True)
                    if e.earliest <= self.now
                ]
            )
            self.wait(self.rng.choice([0.5, 61.0]))
            if self.rng.random() < 0.3:
                self.now += timedelta(hours=self.rng.randint(8, 20))

    def published(self) -> None:
        stamp = self.stamp()
        self.world.publish(stamp)
        self.oracle.published(stamp)

    def log(self, name: str, tenants: Sequence[int]) -> list[Version]:
        """All versions, with the tenants by their place."""
        rows = self.world.connection.execute(
            f"select to_jsonb(l) from feature.{name} as l where tenant_id = any(%s)"
            " order by array_position(%s, tenant_id), symbol, bucket, known_at".encode(),
            [list(tenants), list(tenants)],
        ).fetchall()
        return [{**row, "tenant_id": tenants.index(row["tenant_id"])} for (row,) in rows]

    def wrong(self, name: str, stamp: datetime) -> list[str]:
        """What the log says at a stamp that it would not, had it had all fields since ever."""
        of_set = name.removesuffix("_log")
        found = []
        for tenant, symbol in self.streams:
            if name != "log":
                lines = sets.wrong(self.world, self.oracle, (tenant, symbol), stamp, live=True)
                found += [line for line in lines if line.startswith(of_set)]
                continue
            closes = sorted(
                {
                    floor_minute(e.ts) + MINUTE
                    for e in self.events
                    if (e.tenant_id, e.symbol) == (tenant, symbol)
                }
            )
            rows = self.world.ask_each(
                [symbol] * len(closes), closes, [stamp] * len(closes), tenant
            )
            for row, at in zip(rows, closes, strict=True):
                want = self.oracle.snapshot(tenant, symbol, at, stamp, True)
                # a version more may say the same
                lines = [x for x in differences(row, want) if not x.startswith("known_at")]
                found += [f"{symbol} {at} {line}" for line in lines]
        return found

    def backfill_in_parts(self) -> None:
        """In any order, one of them twice, one killed; then the whole."""
        since, until = self.start - timedelta(days=1), floor_minute(self.now) + timedelta(days=1)
        cuts = sorted(since + (until - since) * self.rng.random() for _ in range(2))
        moments = [since, *cuts, until]
        parts = [*pairwise(moments)]
        self.rng.shuffle(parts)
        self.world.kill(BACKFILL, list(parts[0]), self.rng.randint(0, 400))
        for part in [*parts, parts[0]]:
            self.world.backfill(*part)
        # what had to wait for a bar in front of it
        self.world.backfill(since, until)


def log_of(fields: Sequence[str]) -> tuple[str, list[str]]:
    (name,) = {field.split(".")[0] for field in fields}
    return "log" if name == "market_1m" else f"{name}_log", [f.split(".")[1] for f in fields]


def without(version: Version, names: Sequence[str]) -> Version:
    return {name: value for name, value in version.items() if name not in names}


def same_but(before: Sequence[Version], after: Sequence[Version], names: Sequence[str]) -> None:
    """Fail unless all of before is there and each other version repeats the one before it."""
    there = {tuple(v[k] for k in KEY): without(v, names) for v in before}
    for i, version in enumerate(after):
        key = tuple(version[k] for k in KEY)
        if key in there:
            assert there.pop(key) == without(version, names)
            continue
        last = after[i - 1]
        own = [*names, "known_at", "cause", "definition"]
        assert without(last, own) == without(version, own)
        assert [last[name] for name in names] != [version[name] for name in names]
    assert there == {}


@thorough
@given(seed=seeds, fields=st.sampled_from(ADDED))
def test_of_history_the_log_is_the_one_that_would_have_been(
    world: World, seed: int, fields: tuple[str, ...]
) -> None:
    """To the last version: as the log of other tenants with the same ticks, built after it."""
    name, names = log_of(fields)
    market = Market(world, seed)
    with ExitStack() as stack:
        for field in fields:
            stack.enter_context(before(world, field))
        market.some(4)
        end = max(market.now, *(e.known_at for e in market.events)) + timedelta(days=1)
        world.set_clock(end, end)
        world.backfill(market.start - timedelta(days=1), market.start + WEEK)
        was = market.log(name, market.tenants)
        assert was
        assert {v[field] for v in was for field in names} == {None}
    assert market.log(name, market.tenants) == was
    copies = market.copy()
    market.backfill_in_parts()
    found = market.log(name, market.tenants)
    same_but(was, found, names)
    made = [without(version, ["definition"]) for version in market.log(name, copies)]
    assert [without(version, ["definition"]) for version in found] == made
    assert any(v[field] is not None for v in found for field in names)


@thorough
@given(seed=seeds, fields=st.sampled_from(ADDED))
def test_of_what_was_published_it_is_what_would_have_been_published(
    world: World, seed: int, fields: tuple[str, ...]
) -> None:
    """At each stamp before its birth, and behind it; all else stays to the bit."""
    name, names = log_of(fields)
    market = Market(world, seed)
    with ExitStack() as stack:
        for field in fields:
            stack.enter_context(before(world, field))
        for _ in range(3):
            market.some(1)
            market.published()
    stamps = [*market.oracle.stamps]
    market.some(1)
    # what is said from its birth on stays said, and is completed by the publish after the backfill
    market.published()
    was = market.log(name, market.tenants)
    market.compress(f"feature.{name}")
    market.backfill_in_parts()
    found = market.log(name, market.tenants)
    same_but(was, found, names)
    market.published()
    for stamp in [*stamps, market.oracle.stamps[-1]]:
        wrong = market.wrong(name, stamp)
        assert not wrong, f"known {stamp}: {wrong[:5]}"
    # once more, with nothing new: nothing
    found = market.log(name, market.tenants)
    market.backfill_in_parts()
    assert market.log(name, market.tenants) == found
