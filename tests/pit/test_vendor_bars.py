"""Bars as a vendor made them: its numbers, with two clocks, and trades count for nothing."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.pit.conftest import Past, Scene
from tests.pit.oracle import MINUTE, Event, VendorBar
from tests.pit.test_history import waits
from tests.pit.test_mid_bars import QUOTED as SYMBOL
from tests.pit.test_mid_bars import quote, set_bars_from
from tests.pit.world import World


@pytest.fixture(scope="module", autouse=True)
def _instrument(small_world: World) -> Iterator[None]:
    set_bars_from(small_world, "bar")
    yield
    set_bars_from(small_world, "trade")


def bar(
    scene: Scene,
    minute: datetime,
    close: float,
    known_at: datetime | None = None,
    *,
    action: str = "new",
    volume: float | None = 8.0,
    vwap: float | None = None,
) -> None:
    values = VendorBar(close - 1, close + 2, close - 2, close, volume, vwap)
    key = scene.tenant, SYMBOL, minute, 0
    scene.world.apply([Event(action, *key, values, known_at or minute + MINUTE)])


def test_a_bar_has_what_its_vendor_says_and_nothing_of_trades(scene: Scene) -> None:
    bar(scene, scene.at(0), 100.0, vwap=100.5)
    bar(scene, scene.at(1), 100.0, vwap=103.0)
    bar(scene, scene.at(2), 100.0, volume=0.0, vwap=100.5)
    bar(scene, scene.at(3), 100.0)
    bar(scene, scene.at(4), 100.0, volume=None, vwap=100.5)
    for minute in range(6):
        scene.trade(scene.at(minute, 9), 7.0, symbol=SYMBOL, side="buy")
    quote(scene, scene.at(1, 30), 100.0, 101.0)
    quote(scene, scene.at(5, 30), 100.0, 101.0)
    scene.world.publish(scene.at(7))
    columns = "bucket, open, high, low, close, volume, vwap, order_imbalance"
    told = [(8.0, 100.5), (8.0, 102.0), (0.0, None), (8.0, None), (None, None)]
    wanted = [
        (scene.at(minute), 99.0, 102.0, 98.0, 100.0, volume, vwap, None)
        for minute, (volume, vwap) in enumerate(told)
    ]
    assert scene.log(columns) == wanted
    assert scene.log("spread_bps is not null") == [(minute == 1,) for minute in range(5)]
    shown = scene.world.connection.execute(
        f"select {columns} from feature.feature_1m where tenant_id = %s order by bucket".encode(),
        [scene.tenant],
    ).fetchall()
    assert shown == wanted


def test_a_bar_is_not_known_before_its_end(scene: Scene) -> None:
    bar(scene, scene.at(0), 100.0)
    scene.world.publish(scene.at(0, 59.999999))
    assert scene.log() == []
    scene.world.publish(scene.at(1))
    assert scene.log("known_at, close") == [(scene.at(1), 100.0)]
    with pytest.raises(psycopg.errors.CheckViolation):
        bar(scene, scene.at(1), 100.0, scene.at(1, 59.999999))


@pytest.mark.parametrize("live", [True, False], ids=["published", "backfilled"])
def test_late_corrected_and_cancelled_bars_make_versions(scene: Scene, live: bool) -> None:
    if not live:
        scene.world.set_clock(scene.at(600), scene.at(600))
    steps: list[tuple[str, float, float | None]] = [
        ("new", 2.5, 101.0),
        ("correction", 3.5, 102.0),
        ("cancel", 4.5, None),
        ("new", 5.5, 103.0),
    ]
    for action, minute, close in steps:
        bar(scene, scene.at(0), close or 0.0, scene.at(minute), action=action)
        if live:
            scene.world.publish(scene.at(minute, 2))
    if not live:
        scene.world.backfill(scene.at(0), scene.at(60))
    late = [scene.at(minute, 2 if live else 0) for _, minute, _ in steps]
    assert scene.log("known_at, close, cause") == [
        (late[0], 101.0, "close"),
        (late[1], 102.0, "correction"),
        (late[2], None, "cancel"),
        (late[3], 103.0, "late"),
    ]
    explained = scene.world.connection.execute(
        "select jsonb_path_query_array(events, '$[*].kind'), events -> 0 -> 'tick' -> 'close'"
        " from feature.explain_restatement(%s, %s, %s) offset 1",
        [SYMBOL, scene.at(0), scene.tenant],
    ).fetchall()
    assert explained == [(["bar"], 102.0), (["bar"], None), (["bar"], 103.0)]


def test_windows_of_a_backfill_read_the_bars_of_the_days_before(past: Past) -> None:
    minutes = [-10_000 + 700 * n for n in range(12)] + list(range(13))
    for place, minute in enumerate(minutes):
        bar(past, past.at(minute), 101.0 + place)
    past.world.backfill(past.day, past.day + timedelta(days=1))
    wanted: list[tuple[Any, ...]] = [
        (101.0 + place, None if place < 19 else 101.0 + place - 9.5) for place in range(12, 25)
    ]
    assert past.log("close, sma_20") == wanted


def test_history_of_bars_waits_for_a_backfill(past: Past) -> None:
    for minute in range(3):
        bar(past, past.at(minute), 100.0)
    past.trade(past.at(9), 5, symbol=SYMBOL)
    day = past.day.date()
    for minutes in (1, 2):
        assert waits(past) == [(SYMBOL, 3, day, day)]
        past.publish(minutes)
    past.backfill()
    assert waits(past) == []
    assert len(past.log()) == 3


def test_what_no_backfill_can_come_to_waits_no_more(past: Past) -> None:
    bar(past, past.at(0), 100.0)
    past.publish(1)
    past.world.connection.execute("delete from market.bar where tenant_id = %s", [past.tenant])
    past.backfill()
    assert waits(past) == []
