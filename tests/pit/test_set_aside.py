"""A formula that fails on one series stops no other one: not a publish, not a backfill."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.errors import DataException, Diagnostic

from tests.pit.conftest import SYMBOL, Scene

BAD, GOOD = "SYN_ETHUSD", SYMBOL
Break = Callable[[str, str, str], None]
SET_ASIDE = (
    "select symbol, tries, sqlstate, message, since, tried_at, try_after from feature.set_aside"
    " where tenant_id = %s"
)


@pytest.fixture(autouse=True)
def nothing_left(scene: Scene) -> None:
    """Of another test, whose series would be set aside and left out as well."""
    scene.world.connection.execute(
        "truncate market.trade, market.trade_superseded, feature.changed_bar, feature.set_aside"
    )


@pytest.fixture
def break_formula(scene: Scene) -> Iterator[Break]:
    """break_formula(model, old, new): another text in a model, as a user's would have it."""
    connection = scene.world.connection
    before: dict[str, str] = {}

    def define(model: str, text: str) -> None:
        connection.execute(f"create or replace view {model} as {text}".encode())
        connection.execute("call feature.compile()")

    def replace(model: str, old: str, new: str) -> None:
        if model not in before:
            row = connection.execute("select pg_get_viewdef(%s::regclass)", [model]).fetchone()
            assert row is not None
            before[model] = row[0]
        assert before[model].count(old) == 1
        define(model, before[model].replace(old, new))

    yield replace
    for model, text in before.items():
        define(model, text)


@pytest.fixture
def warnings(scene: Scene) -> Iterator[list[tuple[str | None, str | None]]]:
    """What the server has said: code and text."""
    said: list[tuple[str | None, str | None]] = []

    def note(diagnostic: Diagnostic) -> None:
        # the embedded engine says of each subtransaction that it is aborted
        if diagnostic.sqlstate != "01000":
            said.append((diagnostic.sqlstate, diagnostic.message_primary))

    scene.world.connection.add_notice_handler(note)
    yield said
    scene.world.connection.remove_notice_handler(note)


def set_aside(scene: Scene) -> list[tuple[Any, ...]]:
    return scene.world.connection.execute(SET_ASIDE, [scene.tenant]).fetchall()


def closes(scene: Scene, symbol: str) -> list[float]:
    return [close for of, close in scene.log("symbol, close") if of == symbol]


# own values of a bar that closes at 100; averages of twenty that are 100
OWN_MODEL = "intermediate.int_bar__own"
OWN = (OWN_MODEL, "joined.volume,", "joined.volume / abs(sign(joined.close - 100)) as volume,")
WINDOW = (
    "intermediate.int_bar__regime",
    "scored.sma_20,",
    "scored.sma_20 / abs(sign(scored.sma_20 - 100)) as sma_20,",
)


@pytest.mark.parametrize("formula", [OWN, WINDOW], ids=["own", "window"])
def test_a_series_whose_formula_fails_is_set_aside_and_all_others_are_published(
    scene: Scene, break_formula: Break, warnings: list[Any], formula: tuple[str, str, str]
) -> None:
    break_formula(*formula)
    other = Scene(scene.world)
    for minute in range(20):
        scene.trade(scene.at(minute), 100, symbol=BAD)
        for one in (scene, other):
            one.trade(one.at(minute), 101 + minute, symbol=GOOD)
        other.trade(other.at(minute), 50, symbol=BAD)
    stamp = scene.at(20)
    scene.world.publish(stamp)
    assert len(closes(scene, GOOD)) == len(closes(other, GOOD)) == len(closes(other, BAD)) == 20
    assert closes(scene, BAD) == []
    (row,) = set_aside(scene)
    assert row[:4] == (BAD, 1, "22012", "division by zero")
    assert row[4:] == (stamp, stamp, stamp + timedelta(seconds=30))
    assert set_aside(other) == []
    assert warnings == [("22012", f"{BAD} of tenant {scene.tenant} is set aside: division by zero")]
    queued = scene.world.connection.execute(
        "select symbol, count(*) from feature.changed_bar where tenant_id = %s group by symbol",
        [scene.tenant],
    ).fetchall()
    assert queued == [(BAD, 20)]


def test_what_is_set_aside_is_tried_again_ever_more_rarely(
    scene: Scene, break_formula: Break
) -> None:
    break_formula(*OWN)
    scene.trade(scene.at(0), 100, symbol=BAD)
    tried: list[int] = []
    for half_minute in range(2, 100):
        scene.world.publish(scene.at(0, 30 * half_minute))
        ((_, tries, *_),) = set_aside(scene)
        tried += [half_minute] * (tries > len(tried))
    assert tried == [2, 3, 5, 9, 17, 33, 53, 73, 93]
    assert scene.log() == []


def test_a_corrected_tick_ends_the_wait_and_brings_back_every_bar(
    scene: Scene, break_formula: Break
) -> None:
    break_formula(*OWN)
    scene.trade(scene.at(0), 99, symbol=BAD)
    bad = scene.trade(scene.at(1), 100, symbol=BAD)
    for minute in (2, 3, 4):
        scene.trade(scene.at(minute), 98 - minute, symbol=BAD)
        scene.world.publish(scene.at(minute + 1))
    assert closes(scene, BAD) == []
    scene.amend(bad, "correction", scene.at(5, 1), price=101)
    scene.world.publish(scene.at(5, 2))
    assert closes(scene, BAD) == [99, 101, 96, 95, 94]
    assert set_aside(scene) == []
    assert scene.world.connection.execute(
        "select count(*) from feature.changed_bar where tenant_id = %s", [scene.tenant]
    ).fetchone() == (0,)


def test_a_cancelled_tick_or_a_formula_that_was_mended_does_the_same(
    scene: Scene, break_formula: Break
) -> None:
    break_formula(*OWN)
    bad = scene.trade(scene.at(0), 100, symbol=BAD)
    other = Scene(scene.world)
    other.trade(other.at(0), 100, symbol=BAD)
    scene.world.publish(scene.at(1))
    scene.amend(bad, "cancel", scene.at(1))
    scene.world.publish(scene.at(1, 1))
    assert (set_aside(scene), scene.log()) == ([], [])
    ((_, tries, *_),) = set_aside(other)
    assert tries == 1
    break_formula(OWN_MODEL, "joined.volume,", "joined.volume * 2 as volume,")
    scene.world.publish(scene.at(1, 2))
    assert (set_aside(other), other.log("close, volume")) == ([], [(100, 2)])


def test_twice_in_one_transaction(scene: Scene, break_formula: Break) -> None:
    break_formula(*OWN)
    scene.trade(scene.at(0), 100, symbol=BAD)
    scene.trade(scene.at(0), 7, symbol=GOOD)
    with scene.world.connection.transaction():
        scene.world.publish(scene.at(1))
        scene.trade(scene.at(1), 8, symbol=GOOD)
        scene.world.publish(scene.at(2))
    assert closes(scene, GOOD) == [7, 8]
    ((_, tries, *_),) = set_aside(scene)
    assert tries == 2


@pytest.mark.parametrize("formula", [OWN, WINDOW], ids=["own", "window"])
def test_a_backfill_builds_all_others_and_ends_with_an_error_that_names_the_series(
    scene: Scene, break_formula: Break, formula: tuple[str, str, str]
) -> None:
    break_formula(*formula)
    for minute in range(20):
        scene.trade(scene.at(minute), 100, symbol=BAD)
        scene.trade(scene.at(minute), 101 + minute, symbol=GOOD)
    scene.world.set_clock(scene.at(30), scene.at(30))
    asked = scene.at(-1), scene.at(30)
    for _ in range(2):
        with pytest.raises(DataException) as failed:
            scene.world.backfill(*asked)
        assert failed.value.diag.message_primary == (
            f"left out, because a formula fails on them: {BAD} of tenant {scene.tenant}"
        )
        assert (len(closes(scene, GOOD)), closes(scene, BAD)) == (20, [])
    assert set_aside(scene) == []
    model, old, _ = formula
    break_formula(model, old, old)
    scene.world.backfill(*asked)
    assert (len(closes(scene, GOOD)), len(closes(scene, BAD))) == (20, 20)


def test_what_no_value_can_do_still_fails_the_publish(scene: Scene) -> None:
    scene.trade(scene.at(0), 100)
    connection = scene.world.connection
    connection.execute("alter function feature.own_value() rename to own_value_away")
    try:
        with pytest.raises(psycopg.errors.UndefinedTable, match="own_value missing"):
            scene.world.publish(scene.at(1))
    finally:
        connection.execute("alter function feature.own_value_away() rename to own_value")
    scene.world.publish(scene.at(1))
    assert (len(scene.log()), set_aside(scene)) == (1, [])
