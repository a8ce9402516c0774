"""What cannot be read holds its own partition up, and what is refused nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from ingest.consume.counts import Counts
from ingest.errors import PoisonedStreamError
from ingest.kinds import Record
from tests.ingest.consume.world import MORE_TRADES, QUOTES, TRADES, World

Make = Callable[..., Record]


@pytest.fixture
def world() -> World:
    return World()


def test_a_partition_of_noise_is_not_read_on_and_the_others_are(
    world: World, trade: Make, quote: Make, caplog: pytest.LogCaptureFixture
) -> None:
    world.send(TRADES, *[b"noise"] * 10)
    world.send(MORE_TRADES, trade(1))
    world.send(QUOTES, quote(2))
    world.run(3)
    world.send(TRADES, trade(3))
    world.send(MORE_TRADES, trade(4))
    world.run(3)
    assert sorted(world.database.seqs) == [1, 2, 4]
    assert (world.database.offsets[TRADES], world.ingester.counts.dead_lettered) == (0, 0)
    assert TRADES in world.consumer.paused
    assert ("paused", *TRADES, "unreadable") in world.telemetry.said
    (said,) = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert "10 of the last 10 messages of trades/0 cannot be read: starts with 6e6f697365" in said
    assert "key b'1:SYN_ES'" in said


def test_noise_everywhere_stops_it(world: World) -> None:
    for at in (TRADES, MORE_TRADES, QUOTES):
        world.send(at, *[b"noise"] * 10)
    with pytest.raises(PoisonedStreamError, match=r"trades/0 .*\n.*trades/1 .*\n.*quotes/0 "):
        world.run(3)
    assert set(world.database.offsets.values()) == {0}


def test_until_the_end_ends_with_the_noise_after_all_else(world: World, trade: Make) -> None:
    world.send(TRADES, *[b"noise"] * 10)
    world.send(MORE_TRADES, trade(1))
    with pytest.raises(PoisonedStreamError, match="trades/0"):
        world.ingester.run_until_end()
    assert world.database.seqs == [1]


def test_noise_that_changes_hands_is_looked_at_again(world: World, trade: Make) -> None:
    world.send(TRADES, *[b"noise"] * 10)
    world.run(2)
    world.consumer.rebalance = [TRADES, MORE_TRADES, QUOTES]
    world.send(MORE_TRADES, trade(1))
    world.run(3)
    assert (world.database.offsets[TRADES], world.database.seqs) == (0, [1])


def test_a_slow_write_resumes_no_partition_of_noise(world: World, trade: Make) -> None:
    world.send(TRADES, *[b"noise"] * 10)
    world.run(2)
    world.writer.slow = True
    world.send(MORE_TRADES, trade(1))
    world.run(1)
    world.consumer.on_poll = world.writer.finish
    world.run(1)
    assert TRADES in world.consumer.paused


def test_refused_ticks_stop_nobody_however_many(world: World, trade: Make) -> None:
    world.send(TRADES, *(trade(seq, tenant_id=99) for seq in range(1, 121)), trade(0))
    world.ingester.run_until_end()
    assert world.ingester.counts == Counts(applied=1, refused=Counter(unknown_tenant=120))
    assert world.database.seqs == [0]


def test_a_part_of_noise_does_not(world: World, trade: Make) -> None:
    world.send(TRADES, *(trade(seq) if seq % 3 else b"noise" for seq in range(30)))
    world.ingester.run_until_end()
    assert world.ingester.counts == Counts(applied=20, refused=Counter(undecodable=10))
