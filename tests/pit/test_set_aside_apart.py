"""A formula of one set that fails on a series leaves its other sets, and other series, alone."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.pit.conftest import SYMBOL, Scene
from tests.pit.oracle import Event, Quote
from tests.pit.test_set_aside import Break, closes
from tests.pit.test_set_aside import break_formula as break_formula
from tests.pit.test_set_aside import nothing_left as nothing_left
from tests.pit.test_set_aside import warnings as warnings

BAD, GOOD = "SYN_ETHUSD", SYMBOL
LAST = 14 * 60
"""Minutes from ten o'clock to the end of the day's session."""
# a volume_sma_20 over closes that are 100, and a session with a high of 100
MOMENTUM = (
    "intermediate.int_momentum__trailing",
    "THEN windowed.mean_volume",
    "THEN windowed.mean_volume / abs(sign(windowed.mean_close - 100))",
)
# the pressure of a bar whose last bid is 99
OWN = (
    "intermediate.int_momentum__own",
    "last_quote.flow_so_far AS order_flow_imbalance",
    "last_quote.flow_so_far / abs(sign(last_quote.bid - 99)) AS order_flow_imbalance",
)
DAILY = (
    "intermediate.int_session__own",
    "sum(minute.volume ORDER BY minute.bucket) AS volume",
    "sum(minute.volume ORDER BY minute.bucket) / abs(sign(max(minute.high) - 100)) AS volume",
)


@pytest.fixture(autouse=True)
def nothing_waits(scene: Scene) -> None:
    """Of another test, of one set alone."""
    scene.world.connection.execute("truncate feature.waiting_bar")


def of_set(scene: Scene, name: str, symbol: str, columns: str = "bucket") -> list[tuple[Any, ...]]:
    """The tenant's versions of a series in a set, in the order of bar and knowledge."""
    return scene.world.connection.execute(
        f"select {columns} from feature.{name}_log where tenant_id = %s and symbol = %s"
        " order by bucket, known_at".encode(),
        [scene.tenant, symbol],
    ).fetchall()


def set_aside(scene: Scene) -> list[tuple[str, str, int, datetime]]:
    return scene.world.connection.execute(
        "select feature_set, symbol, tries, try_after from feature.set_aside where tenant_id = %s",
        [scene.tenant],
    ).fetchall()


def waiting(scene: Scene) -> list[tuple[str, str, int]]:
    return scene.world.connection.execute(
        "select feature_set, symbol, count(*) from feature.waiting_bar where tenant_id = %s"
        " and closes_at <= %s group by feature_set, symbol",
        [scene.tenant, scene.world.published_at()],
    ).fetchall()


def trade(scene: Scene, minutes: range, price: float = 100) -> None:
    for minute in minutes:
        scene.trade(scene.at(minute, 5), price, symbol=BAD)
        scene.trade(scene.at(minute, 5), 101 + minute, symbol=GOOD)
        for second, size in ((10, 1.0), (20, 2.0)):
            scene.seq += 1
            key = scene.tenant, BAD, scene.at(minute, second), scene.seq
            scene.world.apply([Event("new", *key, Quote(price - 1, size, price, 1.0), key[2])])


@pytest.mark.parametrize("formula", [MOMENTUM, OWN], ids=["window", "own"])
def test_in_momentum_alone(
    scene: Scene, break_formula: Break, warnings: list[Any], formula: tuple[str, str, str]
) -> None:
    break_formula(*formula)
    trade(scene, range(20))
    scene.world.publish(scene.at(20))
    assert len(closes(scene, GOOD)) == len(closes(scene, BAD)) == 20
    assert len(of_set(scene, "momentum_1m", GOOD)) == 20
    assert of_set(scene, "momentum_1m", BAD) == []
    assert set_aside(scene) == [("momentum_1m", BAD, 1, scene.at(20, 30))]
    assert waiting(scene) == [("momentum_1m", BAD, 20)]
    assert [text for _, text in warnings] == [
        f"{BAD} of tenant {scene.tenant} is set aside in momentum_1m: division by zero"
    ]
    scene.world.publish(scene.at(LAST))
    assert [len(of_set(scene, "daily", symbol)) for symbol in (BAD, GOOD)] == [1, 1]


def test_in_daily_alone(scene: Scene, break_formula: Break, warnings: list[Any]) -> None:
    break_formula(*DAILY)
    trade(scene, range(2))
    scene.world.publish(scene.at(2))
    assert set_aside(scene) == []
    scene.world.publish(scene.at(LAST))
    assert set_aside(scene) == [("daily", BAD, 1, scene.at(LAST, 30))]
    assert [len(of_set(scene, "daily", symbol)) for symbol in (BAD, GOOD)] == [0, 1]
    assert [len(of_set(scene, "momentum_1m", symbol)) for symbol in (BAD, GOOD)] == [2, 2]
    assert [len(closes(scene, symbol)) for symbol in (BAD, GOOD)] == [2, 2]
    assert waiting(scene) == [("daily", BAD, 1)]
    assert len(warnings) == 1
    # the next days of the others, and of the series in its other sets
    trade(scene, range(LAST, LAST + 2), 50)
    scene.world.publish(scene.at(2 * LAST + 600))
    assert [len(closes(scene, symbol)) for symbol in (BAD, GOOD)] == [4, 4]
    assert len(of_set(scene, "daily", GOOD)) == 2


@pytest.mark.parametrize("formula", [MOMENTUM, OWN, DAILY], ids=["window", "own", "daily"])
def test_it_is_tried_again_ever_more_rarely_though_other_sets_go_on(
    scene: Scene, break_formula: Break, formula: tuple[str, str, str]
) -> None:
    break_formula(*formula)
    trade(scene, range(20))
    scene.world.publish(scene.at(20))
    start = LAST if formula is DAILY else 20
    before = len(set_aside(scene))
    tried: list[int] = []
    for half_minute in range(1, 42):
        # each brings more of the series to its other sets
        trade(scene, range(start + half_minute // 2, start + half_minute // 2 + half_minute % 2))
        scene.world.publish(scene.at(start, 30 * half_minute))
        found = [row[2] for row in set_aside(scene)]
        tried += [half_minute] * (found > [len(tried) + before])
    # those of minutes have failed once before
    assert tried == ([1, 2, 4, 8, 16, 32] if formula is DAILY else [1, 3, 7, 15, 31])
    assert len(closes(scene, BAD)) == 40


@pytest.mark.parametrize("formula", [MOMENTUM, DAILY], ids=["momentum", "daily"])
def test_a_corrected_tick_brings_back_every_bar(
    scene: Scene, break_formula: Break, formula: tuple[str, str, str]
) -> None:
    name = "daily" if formula is DAILY else "momentum_1m"
    break_formula(*formula)
    trade(scene, range(19))
    bad = scene.trade(scene.at(19, 5), 100, symbol=BAD)
    for minute in (20, 21, LAST):
        scene.world.publish(scene.at(minute))
    assert of_set(scene, name, BAD) == []
    assert set_aside(scene)[0][:2] == (name, BAD)
    scene.amend(bad, "correction", scene.at(LAST, 1), price=101)
    scene.world.publish(scene.at(LAST, 2))
    assert set_aside(scene) == []
    assert waiting(scene) == []
    if formula is DAILY:
        assert of_set(scene, name, BAD, "close, high, known_at") == [(101, 101, scene.at(LAST, 2))]
    else:
        found = of_set(scene, name, BAD, "bucket, volume_sma_20")
        assert found == [(scene.at(minute), 1 if minute == 19 else None) for minute in range(20)]


def test_another_formula_is_tried_at_once(scene: Scene, break_formula: Break) -> None:
    break_formula(*MOMENTUM)
    trade(scene, range(20))
    for minute in range(20, 30):
        scene.world.publish(scene.at(minute))
    model, old, _ = MOMENTUM
    break_formula(model, old, old)
    scene.world.publish(scene.at(30) + timedelta(microseconds=1))
    assert len(of_set(scene, "momentum_1m", BAD)) == 20
    assert (set_aside(scene), waiting(scene)) == ([], [])
