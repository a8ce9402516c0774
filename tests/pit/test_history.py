"""History that waits for a backfill is counted; what came in parts is said."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
import pytest

from engine import history
from tests.pit.conftest import SYMBOL, Past, Scene
from tests.pit.oracle import Event, Quote


def waits(scene: Scene) -> list[tuple[Any, ...]]:
    return scene.world.connection.execute(
        "select symbol, bars, first_day, last_day from feature.history_waits()"
        " where tenant_id = %s",
        [scene.tenant],
    ).fetchall()


def warnings(past: Past, do: Callable[[], object] | None = None) -> list[str]:
    """Backfill, or do that, and what it warned of."""
    heard: list[str] = []

    def hear(diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.severity_nonlocalized == "WARNING":
            heard.append(f"{diagnostic.message_primary} {diagnostic.message_hint}")

    connection = past.world.connection
    connection.add_notice_handler(hear)
    try:
        (do or past.backfill)()
    finally:
        connection.remove_notice_handler(hear)
    return heard


@pytest.mark.parametrize("published", [True, False])
def test_history_waits_from_when_it_is_loaded_until_it_is_built(
    past: Past, published: bool
) -> None:
    day = past.day.date()
    past.bars(5)
    past.bars(5)  # the same five bars again, of other ticks
    past.trade(past.at(23 * 60), 100)
    past.quote(past.at(3, 30), 99, 101)
    past.quote(past.at(9), 99, 101)
    if published:
        past.publish(1)
        past.trade(past.at(5, 30), 100)
    bars = 6 + published
    assert waits(past) == [(SYMBOL, bars, day, day + timedelta(days=1))]
    said = history.waiting(past.world.connection)
    assert any(
        line.endswith(f"call feature.backfill('{day}', '{day + timedelta(days=2)}')")
        for line in said
    ), said
    past.world.backfill(past.at(2), past.at(4))
    past.publish(2)
    assert waits(past) == [(SYMBOL, bars - 2, day, day + timedelta(days=1))]
    past.backfill()
    assert waits(past) == []
    past.publish(3)
    assert waits(past) == []


def test_a_minute_whose_trades_were_cancelled_before_its_close_waits_no_more(past: Past) -> None:
    """It has no bar, and no publish has looked at it before the backfill."""
    past.bars(1)
    gone = past.trade(past.at(1, 10), 100)
    past.amend(gone, "cancel", past.at(1, 20))
    assert waits(past)[0][1] == 2
    past.backfill()
    assert waits(past) == []
    past.publish(1)
    assert (waits(past), len(past.log())) == ([], 1)


@pytest.mark.parametrize("published", [True, False])
def test_who_asks_for_history_that_waits_is_told(past: Past, published: bool) -> None:
    """Never NULL alone: whether a publish has seen that it waits or not."""
    past.bars(3)
    if published:
        past.publish(1)
    day = past.day.date()
    (said,) = warnings(past, partial(past.ask, past.at(3)))
    assert said == (
        f"history not backfilled: {day} to {day} of {SYMBOL} of tenant {past.tenant}"
        " No answer has it until then:"
        f" call feature.backfill('{day}', '{day + timedelta(days=1)}')"
    )
    hash_of = "select feature_pit_hash(array[%s], %s::timestamptz, null, %s)"
    asked = [SYMBOL, past.at(3), past.tenant]
    assert warnings(past, lambda: past.world.connection.execute(hash_of.encode(), asked)) == [said]
    # it is another time's
    for moment in (past.day - timedelta(days=1), past.day + timedelta(days=32)):
        assert warnings(past, partial(past.world.ask, [SYMBOL], moment, None, past.tenant)) == []
    assert warnings(past) == []
    assert warnings(past, partial(past.ask, past.at(3))) == []


def test_what_is_live_does_not_wait(scene: Scene) -> None:
    scene.bars(3)
    assert waits(scene) == []
    scene.world.publish(scene.at(2))
    assert waits(scene) == []


def test_a_bar_that_a_correction_of_today_published_still_waits_for_its_history(
    past: Past,
) -> None:
    first = past.bars(2)[0]
    past.publish(1)
    past.amend(first, "correction", past.live + timedelta(minutes=2), price=50)
    past.publish(3)
    assert waits(past)[0][1] == 2
    past.backfill()
    assert waits(past) == []


def test_a_bar_that_was_corrected_before_its_backfill_gets_the_windows_that_it_lacked(
    past: Past,
) -> None:
    """And so do the bars behind it, in the same history, that read its close."""
    events = past.bars(30)
    past.publish(1)
    for place, event in enumerate([events[2], events[24]]):
        past.amend(event, "correction", past.live + timedelta(minutes=2), price=200 + place)
    past.publish(3)
    short = past.ask(past.at(25), past.live + timedelta(minutes=3))
    assert (short["close"], short["sma_20"]) == (201, None)
    past.backfill()
    past.publish(4)
    closes = {minute: 100 + minute / 4 for minute in range(30)}
    assert past.ask(past.at(25), past.live)["sma_20"] == pytest.approx(
        sum(closes[minute] for minute in range(5, 25)) / 20
    )
    closes |= {2: 200, 24: 201}
    for last in (21, 24, 25, 29):
        assert past.ask(past.at(last + 1), past.live + timedelta(minutes=4))[
            "sma_20"
        ] == pytest.approx(sum(closes[minute] for minute in range(last - 19, last + 1)) / 20)
    # what was answered in between stays
    assert past.ask(past.at(25), past.live + timedelta(minutes=3)) == short


def test_what_no_backfill_can_come_to_waits_no_more(past: Past) -> None:
    past.bars(2)
    past.publish(1)
    past.world.connection.execute("delete from market.trade where tenant_id = %s", [past.tenant])
    assert waits(past)[0][1] == 2
    past.world.backfill(past.day, past.day + timedelta(hours=12))
    assert waits(past)[0][1] == 2, "the day is not all in the range"
    past.backfill()
    assert waits(past) == []


def test_a_series_that_is_left_out_waits_on(past: Past) -> None:
    connection = past.world.connection
    past.bars(2)
    past.publish(1)
    with connection.transaction(force_rollback=True):
        connection.execute("set local check_function_bodies = off")
        connection.execute(
            "create or replace function feature.leave_out() returns void language sql"
            " as 'delete from slice'"
        )
        connection.execute(
            "select feature.backfill_slice('market_1m', array[%s], array[%s], %s, %s)",
            [past.tenant, SYMBOL, past.day, past.day + timedelta(days=1)],
        )
        assert waits(past)[0][1] == 2


@pytest.mark.parametrize("live", [True, False])
def test_quotes_alone_are_said_to_make_no_bar(past: Past, live: bool) -> None:
    def untraded() -> list[tuple[Any, ...]]:
        return past.world.connection.execute(
            "select symbol from feature.untraded_series() where tenant_id = %s", [past.tenant]
        ).fetchall()

    if live:
        past.world.set_clock(past.day, past.live)
    past.quote(past.at(0, 30), 99, 101)
    for minutes in (1, 2):
        assert untraded() == [(SYMBOL,)]
        assert waits(past) == []
        past.publish(minutes)
    said = history.waiting(past.world.connection)
    assert said[-1].startswith("quotes alone make no bar: without a trade")
    assert f"{SYMBOL} of tenant {past.tenant}" in said[-1]
    past.trade(past.at(0, 40), 100)
    assert untraded() == []
    past.publish(3)
    assert untraded() == []


def test_ticks_that_came_after_the_backfill_are_said_to_change_nothing(past: Past) -> None:
    past.bars(5)
    assert warnings(past) == []
    assert warnings(past) == [], "the same again says the same"
    before = past.log()
    for minute in (1, 2, 4):
        past.quote(past.at(minute, 10), 99, 101)
    (said,) = warnings(past)
    # of market_1m and of momentum_1m, which both have what only quotes say
    assert said.startswith(
        "6 bars of 1 series stay as they were first said, though ticks that came since say "
        f"otherwise: {SYMBOL} of tenant {past.tenant} "
    )
    assert "docs/point-in-time.md" in said
    assert past.log() == before
    # the publish says it from now on, and what was told of then stays: still against the ticks
    past.publish(1)
    assert past.ask(past.at(5))["spread_bps"] is None
    assert past.ask(past.at(5), past.live + timedelta(minutes=1))["spread_bps"] > 0
    assert len(warnings(past)) == 1


def test_bars_of_several_days_and_series_are_added_up(past: Past) -> None:
    def everywhere(minute: int, *, quotes: bool) -> None:
        for symbol in (SYMBOL, "SYN_ETHUSD"):
            for first in (0, 24 * 60):
                if quotes:
                    past.seq += 1
                    key = past.tenant, symbol, past.at(first + minute, 10), past.seq
                    past.world.apply([Event("new", *key, Quote(99, 1.0, 101, 1.0), key[2])])
                else:
                    past.trade(past.at(first + minute, 30), 100, symbol=symbol)

    for minute in (0, 1):
        everywhere(minute, quotes=False)
    assert warnings(past) == []
    everywhere(1, quotes=True)
    (said,) = warnings(past)
    assert said.startswith(
        "8 bars of 2 series stay as they were first said, though ticks that came since say "
        f"otherwise: SYN_BTCUSD of tenant {past.tenant}, SYN_ETHUSD of tenant {past.tenant} "
    )
