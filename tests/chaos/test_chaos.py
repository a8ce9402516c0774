"""Storms: whatever happens to ingesters, database and broker, every message counts exactly once.

A short form runs with the other tests; `make chaos` runs the long one (CHAOS_MESSAGES,
CHAOS_KILLS). The storms that mostly wait for Kafka to miss a member run beside the others.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from embedded.broker import EmbeddedBroker
from embedded.jvm import kafka
from ingest.consume.kafka import SESSION_MS
from ingest.wire.codec import encode
from tests.chaos.conftest import OwnKafka
from tests.chaos.mix import DAY_US, Event
from tests.chaos.own import Embedded, OwnDatabase, fill, free
from tests.chaos.storm import Storm
from tests.conftest import Databases

MESSAGES = int(os.environ.get("CHAOS_MESSAGES", "10000"))
KILLS = int(os.environ.get("CHAOS_KILLS", "3"))
LONG = MESSAGES > 100_000
SHARE = MESSAGES // 10
BATCH = 2000 if LONG else 200

pytestmark = pytest.mark.timeout(7200 if LONG else 600)

NewStorm = Callable[..., Storm]


def _more(count: Callable[[], int], than: int) -> bool:
    return count() > than


def members_come_and_go(storm: Storm, _broker: Place) -> str:
    """Two and three members; one leaves, one is killed."""
    stays = storm.member()
    storm.feed(SHARE // 2)
    storm.wait(lambda: storm.consumed() > 0, "the first messages consumed")
    later = []
    for _ in range(2):
        before = storm.epochs()
        later.append(storm.member())
        storm.feed(SHARE // 4)
        storm.wait(partial(_more, storm.epochs, before), "a rebalance")
        storm.feed(SHARE // 4)
        storm.wait_consumed()
    leaves, dies = later
    storm.feed(SHARE // 2)
    assert leaves.end(signal.SIGTERM) == 0, leaves.said()
    assert "applied" in leaves.said()
    assert not leaves.said().startswith("0 messages"), "it took no part"
    storm.feed(SHARE // 2)
    dies.end(signal.SIGKILL)
    storm.wait_consumed()
    assert stays.end(signal.SIGTERM) == 0, stays.said()
    return storm.verify()


def broker_hangs(storm: Storm, broker: EmbeddedBroker) -> str:
    """The broker answers nobody for longer than the group waits for a member."""
    storm.feed(SHARE)
    member = storm.member()
    storm.wait(lambda: storm.consumed() > 0, "the first messages consumed")
    os.kill(broker.pid, signal.SIGSTOP)
    time.sleep(SESSION_MS / 1000 + 2)
    os.kill(broker.pid, signal.SIGCONT)
    storm.feed(SHARE // 2)
    storm.wait_consumed()
    assert member.runs, member.said()
    return storm.verify()


def broker_ends(storm: Storm, broker: OwnKafka) -> str:
    """The broker is killed and stopped, and comes back."""
    member = storm.member()
    for end in (broker.kill, broker.stop):
        before = storm.consumed()
        storm.feed(SHARE)
        storm.wait(partial(_more, storm.consumed, before), "some messages consumed")
        end()
        time.sleep(4)
        broker.start()
    storm.feed(SHARE // 2)
    storm.wait_consumed()
    assert member.runs, member.said()
    return storm.verify()


def database_ends(storm: Storm, own: OwnDatabase) -> str:
    """The database is killed and stopped, and comes back."""
    member = storm.member()
    for end in (own.engine.kill, own.engine.stop, own.engine.kill):
        before = storm.consumed()
        storm.feed(SHARE // 2)
        storm.wait(partial(_more, storm.consumed, before), "some messages consumed")
        end()
        time.sleep(2)
        own.engine.start()
    storm.feed(SHARE // 4)
    storm.wait_consumed()
    assert member.runs, member.said()
    return storm.verify()


def disk_full(storm: Storm, own: OwnDatabase) -> str:
    """The disk of the database is full, then that of its WAL, which ends a server."""
    if not own.disks:
        pytest.skip("no small disk can be mounted here: that needs root")
    storm.feed(SHARE)
    member = storm.member()
    storm.wait_consumed()
    for holds, disk in own.disks.items():
        failures = member.said().count("trying again")

        def fails(holds: str = holds, disk: Path = disk, wanted: int = failures + 2) -> bool:
            fill(disk)
            storm.feed(50)  # until what the tables have left is used up
            if holds == "WAL":
                with suppress(psycopg.OperationalError):
                    storm.query("select pg_switch_wal()")
            return member.said().count("trying again") >= wanted

        storm.wait(fails, f"the ingester fails for want of space for {holds}")
        assert "No space left on device" in member.said()
        assert storm.is_behind(), f"there was space for {holds}"
        free(disk)
        own.engine.start()
        storm.wait_consumed()
    assert member.runs, member.said()
    return storm.verify()


def zombie_inside_a_transaction(storm: Storm, own: OwnDatabase) -> str:
    """A member is frozen inside a transaction, and another one takes over."""
    if isinstance(own.engine, Embedded):
        pytest.skip("the embedded engine has one backend: a transaction keeps it to itself")
    frozen = storm.member()
    storm.feed(100)
    storm.wait_consumed()
    with psycopg.connect(storm.url) as connection:
        connection.execute("lock table market.trade, market.quote in share row exclusive mode")
        storm.feed(SHARE)
        waiting = "select true from pg_locks where not granted and database = %s::oid"
        database = connection.execute(
            "select oid from pg_database where datname = current_database()"
        ).fetchone()
        assert database is not None
        storm.wait(lambda: bool(storm.query(waiting, database[0])), "it waits for the table")
        frozen.send(signal.SIGSTOP)
    epochs = storm.epochs()
    other = storm.member()
    storm.wait(lambda: storm.epochs() > epochs, "the other one takes over")
    frozen.send(signal.SIGCONT)
    assert frozen.exit_code() == 1, frozen.said()
    assert "was taken over by another consumer" in frozen.said()
    storm.wait_consumed()
    assert other.end(signal.SIGTERM) == 0, other.said()
    return storm.verify()


Place = str | kafka.Service | EmbeddedBroker | OwnKafka | OwnDatabase

# beside the tests run, by the fixture that they are about, one after another
BESIDE: dict[str, tuple[Callable[[Storm, Any], str], ...]] = {
    "broker": (members_come_and_go,),
    "apache_kafka": (members_come_and_go,),
    "own_broker": (broker_hangs,),
    "own_apache_kafka": (broker_ends,),
    "own_database": (database_ends, disk_full, zombie_inside_a_transaction),
}


@pytest.fixture(scope="module", autouse=True)
def beside(
    request: pytest.FixtureRequest, new_storm: NewStorm
) -> Iterator[dict[tuple[str, str], Future[str] | str]]:
    """What became of the storms beside the tests; a text: why they cannot run here."""
    outcomes: dict[tuple[str, str], Future[str] | str] = {}
    with ExitStack() as stack:
        for fixture, functions in BESIDE.items():
            thread = stack.enter_context(ThreadPoolExecutor(1))
            for function in functions:
                at = fixture, function.__name__
                try:
                    place: Place = request.getfixturevalue(fixture)
                except pytest.skip.Exception as skipped:
                    outcomes[at] = str(skipped)
                    continue
                storm = new_storm(**_address(place), batch_size=SHARE // 20)
                outcomes[at] = thread.submit(function, storm, place)
        yield outcomes


def _address(place: Place) -> dict[str, str]:
    if isinstance(place, OwnDatabase):
        return {"url": place.engine.url}
    return {"bootstrap": place if isinstance(place, str) else place.bootstrap}


def test_killed_at_random_moments(new_storm: NewStorm, each_broker: str) -> None:
    storm = new_storm(each_broker, batch_size=BATCH)
    share = MESSAGES // (KILLS + 1)
    # the long form waits for the group to miss the dead member; the short one takes over at once
    arguments = [] if LONG else ["--until-end"]
    caught = 0
    for _ in range(KILLS):
        storm.feed(share)
        member = storm.member(*arguments)
        enough = storm.consumed() + storm.random.randint(1, share * 3 // 4)
        storm.wait_consumed(enough)
        time.sleep(storm.random.random() / 50)
        member.end(signal.SIGKILL)
        caught += storm.consumed() < storm.produced.total()
    assert caught >= KILLS / 2, f"{caught} of {KILLS} kills came while there was work"
    storm.feed(MESSAGES - KILLS * share)
    last = storm.member("--until-end")
    storm.wait_consumed()
    assert last.exit_code() == 0, last.said()
    print(f"{KILLS} kills, {caught} at work; {storm.verify()}")


def test_database_sessions_ended(new_storm: NewStorm, databases: Databases) -> None:
    if databases.kind == "embedded":
        pytest.skip("the embedded engine has one backend and cannot end it")
    storm = new_storm(batch_size=SHARE // 20)
    storm.feed(SHARE)
    member = storm.member()
    ended = 0
    for part in range(1, 6):
        storm.wait_consumed(SHARE * part // 7)
        ended += len(
            storm.query(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'ingest' and datname = current_database()"
            )
        )
        storm.feed(SHARE // 5)
    storm.wait_consumed()
    assert ended >= 5
    assert member.runs, member.said()
    print(f"{ended} sessions ended; {storm.verify()}")


def test_a_zombie_is_fenced(new_storm: NewStorm) -> None:
    storm = new_storm(batch_size=SHARE // 50)
    storm.feed(SHARE)
    frozen = storm.member()
    storm.wait(lambda: storm.consumed() > SHARE // 20, "the first messages consumed")
    while True:
        frozen.send(signal.SIGSTOP)
        # twice: on an engine of one backend what it sent may still wait for its turn
        if storm.is_idle():
            time.sleep(0.1)
            if storm.is_idle():
                break
        # inside a transaction it holds its locks, and the other one would wait for them
        frozen.send(signal.SIGCONT)
        time.sleep(storm.random.random() / 50)
    before = storm.consumed()
    assert before < SHARE, "it was frozen too late"
    other = storm.member("--until-end")
    storm.wait_consumed()
    assert other.exit_code() == 0, other.said()
    assert storm.consumed() == SHARE
    frozen.send(signal.SIGCONT)
    assert frozen.exit_code() == 1, frozen.said()
    assert "was taken over by another consumer" in frozen.said()
    print(f"frozen at {before}; {storm.verify()}")


def test_a_locked_table(new_storm: NewStorm) -> None:
    storm = new_storm()
    member = storm.member()
    storm.feed(SHARE // 2)
    storm.wait_consumed()
    with psycopg.connect(storm.url) as connection:
        connection.execute("lock table market.trade in access exclusive mode")
        storm.feed(SHARE // 2)
        time.sleep(3)
        row = connection.execute(
            "select count(*) from market.trade where source_topic = %s", (storm.topics["trade"],)
        ).fetchone()
    storm.wait_consumed()
    assert row is not None
    assert row[0] < len(storm.mix.held["trade"].current())
    assert member.runs, member.said()
    print(storm.verify())


def test_a_message_of_5_mb(new_storm: NewStorm, each_broker: str) -> None:
    storm = new_storm(each_broker)
    storm.feed(20)
    try:
        storm.send(Event("trade", b"1:SYN_ES", b"\0" * 5_000_000, "undecodable"))
    except AssertionError as error:
        pytest.skip(f"the broker takes no message of 5 MB: {error}")
    storm.feed(20)
    member = storm.member("--until-end")
    assert member.exit_code() == 0, member.said()
    print(storm.verify())
    (largest,) = [x for x in storm.letters(storm.topics["trade"]) if len(x.value() or b"") > 1e6]
    assert largest.value() == b"\0" * 5_000_000


def test_a_clock_that_is_a_day_ahead(new_storm: NewStorm) -> None:
    storm = new_storm()
    record = {"tenant_id": 1, "symbol": "SYN_ES", "seq": 0, "price": 1.0, "size": 1.0}
    tomorrow = time.time_ns() // 1000 + DAY_US
    for clock in ("ts", "known_at"):
        clocks = {"ts": storm.day_us, "known_at": storm.day_us} | {clock: tomorrow}
        skewed = encode("trade", record | clocks)
        storm.send(*[Event("trade", b"1:SYN_ES", skewed, "time_in_future")] * 50)
        storm.feed(100)
    member = storm.member("--until-end")
    assert member.exit_code() == 0, member.said()
    print(storm.verify())


def test_said_again_and_out_of_order(new_storm: NewStorm) -> None:
    """The later half comes first; then all of it again, shuffled, while half is consumed."""
    storm = new_storm(batch_size=SHARE // 20)
    early = [*storm.mix.events(SHARE // 2)]
    storm.mix.forget()
    late = [*storm.mix.events(SHARE // 2)]
    storm.mix.forget()
    storm.send(*late)
    member = storm.member()
    storm.wait_consumed()
    storm.random.shuffle(late)
    storm.send(*early)
    storm.resend(late)
    storm.wait_consumed()
    again = early + late
    storm.random.shuffle(again)
    storm.resend(again)
    storm.feed(SHARE // 2)
    storm.wait_consumed()
    assert member.end(signal.SIGTERM) == 0, member.said()
    print(storm.verify())
    counted = re.search(r"^\d+ messages: .* (\d+) duplicates", member.said(), re.M)
    assert counted is not None, member.said()[-2000:]
    # whether one that came early waits, or finds its tick in its own batch, and which of the two
    # then says nothing new, depends on how batches are cut: in the long form some are so large
    assert abs(int(counted[1]) - storm.mix.duplicates) <= (storm.mix.early if LONG else 0)


# last: they ran beside the others all the time
@pytest.mark.parametrize(
    ("fixture", "name"), [(at, function.__name__) for at in BESIDE for function in BESIDE[at]]
)
def test_beside_the_others(
    beside: dict[tuple[str, str], Future[str] | str], fixture: str, name: str
) -> None:
    outcome = beside[fixture, name]
    if isinstance(outcome, str):
        pytest.skip(outcome)
    print(f"{name}: {outcome.result()}")
