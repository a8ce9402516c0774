"""The loop's states, one by one, without a broker, a database or a wait."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from confluent_kafka import KafkaError

from ingest.consume.batch import Partition
from ingest.consume.counts import Counts
from ingest.consume.ingester import on_retry
from ingest.database import Database
from ingest.errors import (
    DatabaseUnavailableError,
    FencedError,
    KafkaUnavailableError,
    OffsetLostError,
)
from ingest.kinds import Record
from telemetry import health
from telemetry.hooks import Telemetry
from tests.ingest.consume.local import (
    LocalClock,
    LocalConsumer,
    LocalMessage,
    LocalSink,
    LocalWriter,
)
from tests.ingest.consume.world import CONFIG, QUOTES, TRADES, World

Make = Callable[..., Record]


@pytest.fixture
def world() -> World:
    return World()


# --- a batch after the other


def test_all_that_is_there_is_written_once_and_in_order(
    world: World, trade: Make, quote: Make
) -> None:
    world.send(TRADES, *(trade(seq) for seq in range(5)))
    world.send(QUOTES, *(quote(seq) for seq in range(5, 8)))
    told: list[tuple[int, int]] = []
    world.ingester.run_until_end(lambda *numbers: told.append(numbers))
    assert world.database.seqs == list(range(8))
    assert world.ingester.counts == Counts(applied=8)
    assert told[-1] == (8, 8)
    assert world.consumer.committed == {TRADES: 5, QUOTES: 3}


def test_a_start_goes_on_where_the_database_is(world: World, trade: Make) -> None:
    world.database.offsets[TRADES] = 3
    world.consumer.committed[TRADES] = 5
    world.send(TRADES, *(trade(seq) for seq in range(6)))
    world.ingester.run_until_end()
    assert world.database.seqs == [3, 4, 5]


def test_the_next_batch_is_read_while_one_is_written(world: World, trade: Make) -> None:
    world.writer.slow = True
    world.send(TRADES, trade(0))
    world.run(1)
    world.send(TRADES, trade(1))
    world.consumer.on_poll = world.writer.finish
    world.run(1)
    assert world.database.seqs == [0]
    assert len(world.writer.held) == 1, "the second waits to be written"


# --- backpressure


def test_a_slow_batch_pauses_reading_and_the_group_keeps_us(world: World, trade: Make) -> None:
    world.writer.slow = True
    world.send(TRADES, trade(0))
    world.run(1)
    polls: list[set[Partition]] = []

    def on_poll() -> None:
        polls.append(set(world.consumer.paused))
        if len(polls) == 3:
            world.writer.finish()

    world.consumer.on_poll = on_poll
    world.run(1)
    assert polls == [set(world.broker.log)] * 3
    assert world.consumer.paused == set()
    assert world.database.seqs == [0]
    assert ("paused", *TRADES, "database") in world.telemetry.said
    assert world.telemetry.said[-1][0] == "resumed"
    assert world.clock.now >= 1.0


def test_what_is_polled_in_a_pause_comes_first_afterwards(world: World, trade: Make) -> None:
    world.writer.slow = True
    world.send(TRADES, trade(0))
    world.run(1)

    def on_poll() -> None:
        """The first poll hands out what was fetched before the pause; then the write ends."""
        world.writer.finish() if world.consumer.ignores_pauses else world.send(
            TRADES, trade(1), trade(2)
        )
        world.consumer.ignores_pauses = True

    world.consumer.on_poll = on_poll
    world.run(1)
    world.writer.slow = False
    world.consumer.ignores_pauses = False
    world.run(3)
    assert world.database.seqs == [0, 1, 2]


def test_a_stop_rolls_back_a_batch_that_does_not_end(world: World, trade: Make) -> None:
    world.writer.slow = True
    world.send(TRADES, trade(0))
    world.consumer.on_poll = world.ingester.stop
    world.ingester.join()
    world.consumer.rebalance = [TRADES]
    world.ingester.run()
    assert world.sink.aborted
    assert world.ingester.counts.messages == 0
    assert world.consumer.committed == {}
    assert 1 + 5 + 2 <= world.clock.now < 10, "it waits for a while, and not for long"


def test_the_end_leaves_the_group(world: World) -> None:
    with world.ingester:
        world.run(1)
    assert world.consumer.closed


# --- a schema that is not there


def test_a_partition_waits_for_its_schema_and_others_go_on(
    world: World, trade: Make, quote: Make
) -> None:
    world.schemas.missing = {101}
    world.send(TRADES, trade(0), trade(1))
    world.send(QUOTES, quote(7))
    world.run(2)
    assert world.database.seqs == [7]
    assert world.consumer.paused == {TRADES}
    assert world.telemetry.said[:2] == [("retry", "registry"), ("paused", *TRADES, "schema")]
    world.schemas.missing = set()
    world.clock.now += 1.0
    world.run(2)
    assert world.database.seqs == [7, 0, 1]
    assert world.consumer.paused == set()
    assert world.telemetry.said[-1] == ("resumed", *TRADES)


def test_it_is_asked_for_again_half_as_often_each_time(world: World, trade: Make) -> None:
    world.schemas.missing = {101}
    world.send(TRADES, trade(0))
    world.run(1)
    asked_at: list[float] = []
    while world.clock.now < 200:
        before = world.schemas.asked
        world.run(1)
        if world.schemas.asked > before:
            asked_at.append(world.clock.now)
    waits = [later - one for one, later in pairwise(asked_at)]
    for wait, most in zip(waits, [2.0, 4.0, 8.0, 16.0] + [30.0] * len(waits), strict=False):
        assert most / 2 <= wait <= most + 2 * CONFIG.linger_s
    assert len(waits) > 8


def test_what_comes_after_the_pause_stays_behind_what_waits(world: World, trade: Make) -> None:
    world.schemas.missing = {101}
    world.send(TRADES, trade(0))
    world.run(1)
    world.consumer.ignores_pauses = True
    world.send(TRADES, trade(1))
    world.run(1)
    world.schemas.missing = set()
    world.consumer.ignores_pauses = False
    world.run(1)
    assert world.database.seqs == [], "the second is not written before the first"
    world.clock.now += 2.0
    world.run(2)
    assert world.database.seqs == [0, 1]


def test_a_slow_batch_does_not_resume_a_partition_that_waits(
    world: World, trade: Make, quote: Make
) -> None:
    world.schemas.missing = {101}
    world.writer.slow = True
    world.send(TRADES, trade(0))
    world.send(QUOTES, quote(7))
    world.run(1)
    world.consumer.on_poll = world.writer.finish
    world.run(1)
    assert world.database.seqs == [7]
    assert world.consumer.paused == {TRADES}


# --- rebalance, generation, fencing


def test_what_a_rebalance_took_away_is_read_again_and_written_once(
    world: World, trade: Make
) -> None:
    world.writer.slow = True
    world.send(TRADES, trade(0))
    world.run(1)
    world.send(TRADES, trade(1))

    def on_poll() -> None:
        """A rebalance while one batch is written and the next one is at hand."""
        world.consumer.rebalance = list(world.broker.log)
        world.writer.finish()
        world.writer.slow = False

    world.consumer.on_poll = on_poll
    world.run(1)
    assert world.database.seqs == [0], "the batch at hand is of an older generation"
    world.run(2)
    assert world.database.seqs == [0, 1]
    assert world.database.epochs[TRADES] == 2


def test_a_write_under_way_ends_before_partitions_change_hands(world: World, trade: Make) -> None:
    """Or else what it writes would be read, and refused, a second time."""
    world.writer.slow = True
    world.send(TRADES, trade(0))
    world.run(1)
    world.clock.on_wait = world.writer.finish
    world.consumer.rebalance = list(world.broker.log)
    world.run(1)
    world.writer.slow = False
    world.run(2)
    assert (world.database.seqs, world.database.epochs[TRADES]) == ([0], 2)


def test_what_was_polled_before_a_rebalance_hides_nothing(world: World, trade: Make) -> None:
    """Its offset lies beyond the database's: taken for the next message, it would skip one."""
    world.writer.slow = True
    world.send(TRADES, trade(0))
    world.run(1)
    world.send(TRADES, trade(1))
    world.consumer.ignores_pauses = True

    def on_poll() -> None:
        if len(world.broker.log[TRADES]) == 2:
            world.send(TRADES, trade(2))  # which this poll hands out
        else:
            world.consumer.rebalance = list(world.broker.log)
            world.writer.finish()
            world.writer.slow = False

    world.consumer.on_poll = on_poll
    world.run(4)
    assert world.database.seqs == [0, 1, 2]


def test_a_partition_that_went_elsewhere_is_written_there(world: World, trade: Make) -> None:
    world.send(TRADES, trade(0))
    world.run(2)
    world.consumer.rebalance = [("trades", 1)]
    world.send(TRADES, trade(1))
    world.send(("trades", 1), trade(2))
    world.run(3)
    assert world.database.seqs == [0, 2]
    other = LocalConsumer(world.broker, world.clock)
    world.another(other, LocalSink(world.database), LocalWriter()).run_until_end()
    assert world.database.seqs == [0, 2, 1]


def test_a_waiting_partition_that_is_taken_away_is_forgotten(world: World, trade: Make) -> None:
    world.schemas.missing = {101}
    world.send(TRADES, trade(0))
    world.run(1)
    world.consumer.rebalance = list(world.broker.log)
    world.schemas.missing = set()
    world.run(1)
    assert world.database.seqs == [0], "the wait was of the one that held it before"
    assert world.consumer.paused == set()
    world.clock.now += 5
    world.run(2)
    assert world.ingester.counts.messages == 1


def test_a_zombie_is_fenced_and_writes_nothing(world: World, trade: Make) -> None:
    world.send(TRADES, trade(0))
    world.run(2)
    other = LocalConsumer(world.broker, world.clock)
    world.another(other, LocalSink(world.database), LocalWriter()).run_until_end()
    world.send(TRADES, trade(1))
    with pytest.raises(FencedError):
        world.run(2)
    assert (world.database.seqs, world.ingester.counts.messages) == ([0], 1)


def test_a_broker_that_is_away_in_a_rebalance_is_asked_again(world: World, trade: Make) -> None:
    world.broker.away = 4
    world.send(TRADES, trade(0))
    world.run(2)
    assert world.database.seqs == [0]
    assert world.telemetry.said == [("retry", "kafka")] * 4


def test_a_broker_that_stays_away_ends_it_after_retry_s(world: World) -> None:
    world.broker.away = 1000
    with pytest.raises(KafkaUnavailableError, match="KAFKA_BOOTSTRAP"):
        world.run(1)
    assert CONFIG.retry_s - 10 < world.clock.now <= CONFIG.retry_s


# --- what stops it


def test_offsets_that_kafka_has_deleted_stop_it(world: World) -> None:
    lost = KafkaError(KafkaError._AUTO_OFFSET_RESET, "out of range")
    world.consumer.faults = [LocalMessage(TRADES, 7, b"", lost)]
    with pytest.raises(OffsetLostError, match="partition 0 of trades has no message at offset 7"):
        world.run(1)


def test_a_passing_error_of_the_client_is_no_message(world: World, trade: Make) -> None:
    world.consumer.faults = [LocalMessage(TRADES, 0, b"", KafkaError(KafkaError._TRANSPORT))]
    world.send(TRADES, trade(0))
    world.run(3)
    assert (world.database.seqs, world.ingester.counts.messages) == ([0], 1)


# --- health


def test_a_loop_that_waits_for_its_database_is_alive_and_not_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However long that takes, nobody has a reason to restart it."""
    clock, telemetry = LocalClock(), Telemetry()
    monkeypatch.setattr(health, "time", clock)
    telemetry.health.beat()
    retries, said = on_retry(telemetry), []

    def retried(what: str) -> None:
        clock.now += health.STALL_S - 20  # the try itself took long
        said.append(telemetry.health.stalled())
        retries(what)

    database = Database("postgresql://127.0.0.1:1/none", 3000, on_retry=retried, clock=clock)
    with pytest.raises(DatabaseUnavailableError, match="check that the server runs"):
        database.transact(lambda connection, _: connection.execute("select 1"))
    assert said == [None] * len(said)
    assert clock.now > 10 * health.STALL_S
    assert telemetry.health.unready() == "the database fails and is tried again"
