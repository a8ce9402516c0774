"""Publishes beside a backfill that computes: nobody waits, and both see what came meanwhile."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from tests.conftest import Databases
from tests.pit.conftest import DAY, SYMBOL, Scene
from tests.pit.oracle import Event, Trade
from tests.pit.test_history import waits

HOLD = 2718
BODY = "pg_catalog.pg_get_functiondef('feature.find_moments(text, timestamptz)'::regprocedure)"
LIVE_FROM = DAY + timedelta(hours=12)


@pytest.fixture(autouse=True)
def _many_backends(databases: Databases) -> None:
    if databases.kind == "embedded":
        pytest.skip("one backend: a backfill and a publish never run at once")


@pytest.fixture
def history(scene: Scene) -> Scene:
    """Two bars of history, and a database that is live since noon; nothing else is queued."""
    scene.world.connection.execute("truncate feature.changed_bar")
    scene.bars(2)
    scene.world.set_clock(LIVE_FROM, LIVE_FROM)
    return scene


@contextmanager
def _first(connection: psycopg.Connection[Any], call: str) -> Iterator[None]:
    """Backfills call this when they have read their ticks."""
    row = connection.execute(f"select {BODY}".encode()).fetchone()
    assert row is not None
    connection.execute(row[0].replace("begin", f"begin\n    perform pg_catalog.{call};", 1))
    try:
        yield
    finally:
        connection.execute(row[0])


@contextmanager
def beside_backfill(scene: Scene, at_once: int = 1) -> Iterator[psycopg.Connection[Any]]:
    """A backfill of the day that has read its ticks and goes on computing until the end.

    at_once: so many of them. Yields a session that fails rather than waits.
    """
    connection = scene.world.connection
    with (
        psycopg.connect(scene.world.url, autocommit=True) as session,
        _first(connection, f"pg_advisory_xact_lock_shared({HOLD})"),
    ):
        connection.execute("select pg_advisory_lock(%s)", [HOLD])
        threads = [threading.Thread(target=_backfill, args=(scene,)) for _ in range(at_once)]
        try:
            for thread in threads:
                thread.start()
            _wait_for(connection, at_once)
            session.execute("set lock_timeout = '5s'")
            yield session
        finally:
            connection.execute("select pg_advisory_unlock(%s)", [HOLD])
            for thread in threads:
                thread.join()


def _backfill(scene: Scene) -> None:
    with psycopg.connect(scene.world.url, autocommit=True) as connection:
        connection.execute("call feature.backfill(%s, %s)", [DAY, DAY + timedelta(days=1)])


def _wait_for(connection: psycopg.Connection[Any], at_once: int) -> None:
    waiting = "select count(*) >= %s from pg_locks where locktype = 'advisory' and not granted"
    while connection.execute(waiting, [at_once]).fetchone() != (True,):
        pass


def late(scene: Scene, minute: float, price: float, known: float) -> Event:
    """A trade that this database gets only now, with clocks of its own: minutes after ten."""
    scene.seq += 1
    key = scene.tenant, SYMBOL, scene.at(minute), scene.seq
    event = Event("new", *key, Trade(price, 1.0, None), scene.at(known))
    scene.world.apply([event])
    return event


def test_a_publish_does_not_wait_for_what_a_backfill_computes(history: Scene) -> None:
    with beside_backfill(history) as session:
        ts = LIVE_FROM + timedelta(seconds=1)
        history.trade(ts, 7.0)
        session.execute("call feature.publish(%s)", [LIVE_FROM + timedelta(minutes=2)])
        published = history.log("bucket, close")
    assert published == [(LIVE_FROM, 7.0)]
    assert history.log("bucket, close") == [
        (history.at(0), 100.0),
        (history.at(1), 100.25),
        (LIVE_FROM, 7.0),
    ]


def test_a_tick_of_history_that_a_publish_leaves_to_the_backfill_is_in_it(history: Scene) -> None:
    """It was not when the slice read its ticks, and has no version when the publish takes it."""
    with beside_backfill(history) as session:
        late(history, 0.75, 50.0, known=0.75)
        session.execute("call feature.publish(%s)", [LIVE_FROM + timedelta(minutes=1)])
    assert history.log("bucket, known_at, close, volume") == [
        (history.at(0), history.at(1), 50.0, 2.0),
        (history.at(1), history.at(2), 100.25, 1.0),
    ]


def test_a_tick_of_history_that_no_publish_has_taken_is_published_behind_it(history: Scene) -> None:
    with beside_backfill(history):
        late(history, 0.75, 50.0, known=0.75)
    stamp = LIVE_FROM + timedelta(minutes=1)
    history.world.publish(stamp)
    assert history.log("bucket, known_at, close, cause")[:2] == [
        (history.at(0), history.at(1), 100.0, "close"),
        (history.at(0), stamp, 50.0, "late"),
    ]


def test_a_bar_that_is_published_meanwhile_keeps_its_version_and_gets_its_history(
    history: Scene,
) -> None:
    stamp = LIVE_FROM + timedelta(minutes=1)
    with beside_backfill(history) as session:
        late(history, 0.75, 50.0, known=120.5)
        session.execute("call feature.publish(%s)", [stamp])
    assert history.log("bucket, known_at, close, volume") == [
        (history.at(0), history.at(1), 100.0, 1.0),
        (history.at(0), stamp, 50.0, 2.0),
        (history.at(1), history.at(2), 100.25, 1.0),
    ]


def test_history_that_is_declared_meanwhile_is_in_it(history: Scene) -> None:
    """A tick that was live when the slice began, and is history when it ends."""
    history.world.set_clock(history.at(30), LIVE_FROM)
    with beside_backfill(history) as session:
        late(history, 0.75, 50.0, known=40)
        session.execute("call feature.declare_history()")
    assert history.log("bucket, known_at, close, cause")[:2] == [
        (history.at(0), history.at(1), 100.0, "close"),
        (history.at(0), history.at(40), 50.0, "late"),
    ]


def test_two_backfills_of_the_same_bars_write_them_once(history: Scene) -> None:
    with beside_backfill(history, at_once=2):
        pass
    assert history.log() == [
        (history.at(0), history.at(1), "close"),
        (history.at(1), history.at(2), "close"),
    ]


def test_what_comes_meanwhile_to_a_minute_that_had_no_bar_still_waits(history: Scene) -> None:
    gone = history.trade(history.at(3, 10), 7.0)
    history.amend(gone, "cancel", history.at(3, 20))
    with beside_backfill(history):
        late(history, 3.5, 50.0, known=3.5)
    assert [bucket for (bucket,) in history.log("bucket")] == [history.at(0), history.at(1)]
    assert waits(history) == [(SYMBOL, 1, DAY.date(), DAY.date())]
    _backfill(history)
    assert history.log("bucket, close")[2:] == [(history.at(3), 50.0)]
    assert waits(history) == []


def test_a_backfill_knows_of_a_minute_that_another_has_found_without_a_bar(history: Scene) -> None:
    """Its trade was there when the first read its ticks, and gone when the second did."""
    gone = history.trade(history.at(3, 10), 7.0)
    with beside_backfill(history):
        history.amend(gone, "cancel", history.at(3, 20))
        # of the session that holds up the other
        history.world.backfill(DAY, DAY + timedelta(days=1))
    assert [bucket for (bucket,) in history.log("bucket")] == [history.at(0), history.at(1)]
    assert waits(history) == []


def test_a_load_of_history_that_goes_on_does_not_keep_a_backfill_from_its_end(
    history: Scene,
) -> None:
    """A publish takes new ticks during each try; during the last one it waits."""
    loaded = threading.Event()

    def load() -> None:
        with psycopg.connect(history.world.url, autocommit=True) as session:
            for number in range(10_000):
                if loaded.is_set():
                    break
                late(history, number / 1e5, 50.0, known=5)
                session.execute("call feature.publish()")

    thread = threading.Thread(target=load)
    with _first(history.world.connection, "pg_sleep(0.5)"):
        thread.start()
        try:
            _backfill(history)
        finally:
            loaded.set()
            thread.join()
    assert {bucket for (bucket,) in history.log("bucket")} == {history.at(0), history.at(1)}
