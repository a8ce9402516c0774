"""A set that a live database gets: published from then on; a backfill brings what was before."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.pit.conftest import DAY, Scene

Without = Callable[[str], None]
TABLES = ("market.feature_set", "market.contract")


@pytest.fixture(autouse=True)
def alone(scene: Scene) -> Iterator[None]:
    """No tick of another test, and no birth of one."""
    scene.world.connection.execute(
        "truncate market.trade, market.trade_superseded, market.quote, market.quote_superseded,"
        " feature.changed_bar, feature.waiting_bar, feature.history_change,"
        " feature.waiting_history, feature.waiting_range"
    )
    yield
    scene.world.connection.execute("delete from feature.birth where ended_at is not null")


@contextmanager
def without(scene: Scene, name: str) -> Iterator[None]:
    """Until the end there is no such set: as dbt would leave it after its lines have gone."""
    connection = scene.world.connection
    kept = {
        table: connection.execute(
            f"select to_jsonb(t)::text from {table} as t where feature_set = %s".encode(), [name]
        ).fetchall()
        for table in TABLES
    }
    with connection.transaction():
        for table in reversed(TABLES):
            connection.execute(f"delete from {table} where feature_set = %s".encode(), [name])
        connection.execute("call feature.compile()")
    try:
        yield
    finally:
        with connection.transaction():
            for table, rows in kept.items():
                for (row,) in rows:
                    connection.execute(
                        f"insert into {table} select r.* from"
                        f" jsonb_populate_record(null::{table}, %s::jsonb) as r".encode(),
                        [row],
                    )
            connection.execute("call feature.compile()")


def versions(scene: Scene, name: str, columns: str) -> list[tuple[Any, ...]]:
    return scene.world.connection.execute(
        f"select {columns} from feature.{name}_log where tenant_id = %s"
        " order by bucket, known_at".encode(),
        [scene.tenant],
    ).fetchall()


def births(scene: Scene, name: str) -> set[tuple[datetime, datetime | None]]:
    return {
        *scene.world.connection.execute(
            "select born_at, ended_at from feature.birth where feature_set = %s", [name]
        ).fetchall()
    }


def born_at(scene: Scene, name: str) -> datetime:
    row = scene.world.connection.execute("select feature.born_at(%s)", [name]).fetchone()
    assert row is not None
    at = row[0]
    assert isinstance(at, datetime)
    return at


def mean(first: int, last: int, corrected: dict[int, float] | None = None) -> Any:
    """Of the closes that Scene.bars() gives these minutes."""
    closes = {minute: 100 + minute / 4 for minute in range(first, last + 1)} | (corrected or {})
    return pytest.approx(sum(closes.values()) / len(closes))


def backfill(scene: Scene, name: str | None = None) -> None:
    scene.world.connection.execute(
        "call feature.backfill(%s, %s, %s)",
        [DAY - timedelta(days=5), DAY + timedelta(days=5), name],
    )


def test_it_is_born_with_the_last_publish_and_ends_with_one(scene: Scene) -> None:
    scene.bars(4)
    scene.world.publish(scene.at(1))
    before = births(scene, "momentum_1m")
    (first,) = {at for at, ended in before if ended is None}
    with without(scene, "momentum_1m"):
        assert (first, scene.at(1)) in births(scene, "momentum_1m")
        assert {ended is None for _, ended in births(scene, "momentum_1m")} == {False}
        scene.world.publish(scene.at(2))
        scene.world.publish(scene.at(3))
        assert versions(scene, "momentum_1m", "known_at") == [(scene.at(1),)]
        assert len(scene.log()) == 3
    assert (scene.at(3), None) in births(scene, "momentum_1m")
    assert born_at(scene, "momentum_1m") == scene.at(3)
    scene.world.publish(scene.at(4))
    assert versions(scene, "momentum_1m", "bucket, known_at") == [
        (scene.at(0), scene.at(1)),
        (scene.at(3), scene.at(4)),
    ]
    backfill(scene, "momentum_1m")
    assert versions(scene, "momentum_1m", "bucket, known_at") == [
        (scene.at(minute), scene.at(minute + 1)) for minute in range(4)
    ]


def test_gone_and_back_without_a_publish_between_it_is_as_old_as_it_was(scene: Scene) -> None:
    scene.bars(3)
    with without(scene, "momentum_1m"):
        scene.world.publish(scene.at(1))
    for _ in range(2):
        with without(scene, "momentum_1m"):
            pass
        assert (scene.at(1), None) in births(scene, "momentum_1m")
        assert born_at(scene, "momentum_1m") == scene.at(1)
    backfill(scene, "momentum_1m")
    assert versions(scene, "momentum_1m", "known_at") == [(scene.at(1),)]


def test_a_backfill_brings_its_history_as_it_was_known_and_publishes_go_on(scene: Scene) -> None:
    """market_1m was published after 55 minutes and after 60, and has one bar restated."""
    with without(scene, "momentum_1m"):
        bars = scene.bars(60)
        scene.world.publish(scene.at(55))
        scene.amend(bars[30], "correction", scene.at(56, 30), price=200)
        scene.quote(scene.at(20, 5), 99, 101, scene.at(57, 30))
        scene.world.publish(scene.at(60))
    scene.bars(1, 60)
    scene.world.publish(scene.at(61))
    # a window reads market_1m, whose bars of before are there
    corrected = {30: 200.0}
    (live,) = versions(scene, "momentum_1m", "bucket, known_at, cause, sma_50")
    assert live == (scene.at(60), scene.at(61), "close", mean(11, 60, corrected))

    backfill(scene)
    found = versions(scene, "momentum_1m", "bucket, known_at, cause, sma_50, microprice")
    assert [row[:2] for row in found if row[2] == "close"] == [
        (scene.at(minute), scene.at(55 if minute < 55 else 60 if minute < 60 else 61))
        for minute in range(61)
    ]
    assert [row for row in found if row[0] == scene.at(20)] == [
        (scene.at(20), scene.at(55), "close", None, None),
        # when it became known, as of all history
        (scene.at(20), scene.at(57, 30), "late", None, 100),
    ]
    restated = [row[:4] for row in found if row[2] == "correction"]
    # rsi_14 knows of the fall behind it
    assert [row[0] for row in restated] == [
        scene.at(minute) for minute in (*range(31, 45), *range(49, 55))
    ]
    assert restated[14:] == [
        (scene.at(minute), scene.at(60), "correction", mean(minute - 49, minute, corrected))
        for minute in range(49, 55)
    ]
    assert found[-1][:4] == live
    first = {row[0]: row[3] for row in found if row[2] == "close"}
    assert first[scene.at(48)] is None
    assert first[scene.at(54)] == mean(5, 54)
    assert first[scene.at(55)] == mean(6, 55, corrected)
    backfill(scene)
    assert versions(scene, "momentum_1m", "bucket, known_at, cause, sma_50, microprice") == found
    # what comes later reaches into history
    scene.amend(bars[40], "cancel", scene.at(61))
    scene.world.publish(scene.at(62))
    now = versions(scene, "momentum_1m", "bucket, known_at, cause, sma_50")
    assert [row[0] for row in now if row[1] == scene.at(62)] == [
        # and of one bar more, back to that fall
        scene.at(minute)
        for minute in (*range(40, 46), *range(49, 61))
    ]


def test_sessions_of_before_are_built_and_complete_those_published_meanwhile(scene: Scene) -> None:
    day = timedelta(days=1)

    def trades(number: int) -> None:
        for minute in (0, 1):
            scene.trade(scene.at(minute, 30) + number * day, 100 + number + minute)

    with without(scene, "daily"):
        for number in (0, 1):
            trades(number)
            scene.world.publish(scene.at(2) + number * day)
        # the last one is open
        trades(2)
        scene.world.publish(scene.at(1) + 2 * day)
    assert versions(scene, "daily", "bucket") == []
    closes = [DAY + number * day for number in (1, 2, 3)]
    scene.world.publish(closes[2])
    columns = "bucket, known_at, cause, close, volume, previous_close"
    said = (DAY + 2 * day, closes[2], "close", 103.0, 2.0, None)
    assert versions(scene, "daily", columns) == [said]

    backfill(scene)
    later = closes[2] + timedelta(minutes=1)
    scene.world.publish(later)
    assert versions(scene, "daily", columns) == [
        # when the next publish could have said so
        (DAY, scene.at(2) + day, "close", 101, 2, None),
        (DAY + day, scene.at(1) + 2 * day, "close", 102, 2, 101),
        said,
        (DAY + 2 * day, later, "late", 103, 2, 102),
    ]


def test_a_bar_that_is_open_when_its_set_is_born_has_all_its_minutes(scene: Scene) -> None:
    """Those of which market_1m's versions came before, and those whose came after."""
    # a day of which no other test has bars
    day = timedelta(days=20)
    with without(scene, "daily"):
        for minute in (0, 1):
            scene.trade(scene.at(minute) + day, 100 + minute)
        scene.world.publish(scene.at(2) + day)
    scene.trade(scene.at(2) + day, 102)
    close = DAY + day + timedelta(days=1)
    scene.world.publish(close)
    assert versions(scene, "daily", "bucket, known_at, open, close, volume") == [
        (DAY + day, close, 100, 102, 3)
    ]
