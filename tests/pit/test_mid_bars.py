"""Bars of quotes: as trades make them, of mids, and trades count for nothing."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from engine import history
from tests.pit.conftest import Past, Scene
from tests.pit.oracle import Event, Quote
from tests.pit.test_history import waits, warnings
from tests.pit.world import World

QUOTED = "SYN_ETHUSD"
BIDS = [1.10, 1.12, 1.11]
ASK = 0.02


@pytest.fixture(scope="module", autouse=True)
def _instrument(small_world: World) -> Iterator[None]:
    set_bars_from(small_world, "quote")
    yield
    set_bars_from(small_world, "trade")


def set_bars_from(world: World, kind: str) -> None:
    world.connection.execute(
        "update market.instrument set bars_from = %s where symbol = %s", [kind, QUOTED]
    )


def quote(
    scene: Scene,
    ts: datetime,
    bid: float | None,
    ask: float | None,
    known_at: datetime | None = None,
    *,
    action: str = "new",
    seq: int | None = None,
) -> Event:
    scene.seq += seq is None
    key = scene.tenant, QUOTED, ts, scene.seq if seq is None else seq
    event = Event(action, *key, Quote(bid, 1.0, ask, 1.0), known_at or ts)
    scene.world.apply([event])
    return event


def minute_of_quotes(scene: Scene, minute: int) -> list[Event]:
    """Three quotes whose mids are 1.11, 1.13 and 1.12, the second and third of one moment."""
    seconds = [5, 40, 40]
    return [
        quote(scene, scene.at(minute, second), bid, bid + ASK)
        for second, bid in zip(seconds, BIDS, strict=True)
    ]


def told(scene: Scene) -> list[tuple[Any, ...]]:
    return scene.log("bucket, known_at, close, cause")


def test_a_bar_of_quotes_is_of_their_mids_and_has_nothing_of_trades(scene: Scene) -> None:
    minute_of_quotes(scene, 0)
    quote(scene, scene.at(0, 50), 3.0, 2.0)  # crossed
    quote(scene, scene.at(0, 51), None, 2.0)
    quote(scene, scene.at(0, 52), 0.01, 199_999.99)  # a stub
    quote(scene, scene.at(1, 1), 5.0, None)
    scene.trade(scene.at(0, 55), 9.0, symbol=QUOTED, side="buy")
    scene.trade(scene.at(1, 55), 9.0, symbol=QUOTED, side="buy")
    scene.world.publish(scene.at(2))
    columns = "bucket, open, high, low, close, volume, vwap, order_imbalance"
    mids = [pytest.approx(bid + ASK / 2) for bid in BIDS]
    wanted = [(scene.at(0), mids[0], mids[1], mids[0], mids[2], None, None, None)]
    assert scene.log(columns) == wanted
    shown = scene.world.connection.execute(
        f"select {columns} from feature.feature_1m where tenant_id = %s".encode(), [scene.tenant]
    ).fetchall()
    assert shown == wanted
    assert scene.log("spread_bps") == [
        (pytest.approx(sum(10_000 * ASK / (bid + ASK / 2) for bid in BIDS) / 3),)
    ]


def test_one_side_and_a_locked_quote(scene: Scene) -> None:
    quote(scene, scene.at(0, 30), 100.0, 100.0)
    quote(scene, scene.at(1, 30), 100.0, 200.0)
    quote(scene, scene.at(2, 30), 100.0, 200.00000000001)
    scene.world.publish(scene.at(4))
    assert scene.log("bucket, close") == [(scene.at(0), 100.0), (scene.at(1), 150.0)]


@pytest.mark.parametrize("live", [True, False], ids=["published", "backfilled"])
def test_late_corrected_and_cancelled_quotes_make_versions(scene: Scene, live: bool) -> None:
    if not live:
        scene.world.set_clock(scene.at(600), scene.at(600))
    only = quote(scene, scene.at(0, 10), 100.0, 101.0)
    trades = [scene.trade(scene.at(0, 15), 7, symbol=QUOTED) for _ in range(4)]
    steps = [
        ("new", 1.5, 102.0, 103.0),
        ("correction", 2.5, 104.0, 105.0),
        ("cancel", 3.5, 104.0, 105.0),
        ("cancel", 4.5, 0.0, 0.0),
    ]
    if live:
        scene.world.publish(scene.at(1))
    later = None
    for (action, minute, bid, ask), trade in zip(steps, trades, strict=True):
        # the last one cancels the first quote: the bar goes
        seq = only.seq if minute > 4 else later.seq if later else None
        ts = only.ts if minute > 4 else scene.at(0, 20)
        made = quote(scene, ts, bid, ask, scene.at(minute), action=action, seq=seq)
        later = later or made
        # a trade is none of this bar's events, and no cause, whatever becomes of it
        scene.amend(trade, "cancel", scene.at(minute))
        if live:
            scene.world.publish(scene.at(minute, 2))
    if not live:
        scene.world.backfill(scene.at(0), scene.at(60))
    late = [scene.at(minute, 2 if live else 0) for _, minute, *_ in steps]
    assert told(scene) == [
        (scene.at(0), scene.at(1), 100.5, "close"),
        (scene.at(0), late[0], 102.5, "late"),
        (scene.at(0), late[1], 104.5, "correction"),
        (scene.at(0), late[2], 100.5, "cancel"),
        (scene.at(0), late[3], None, "cancel"),
    ]
    assert scene.ask(scene.at(2), symbol=QUOTED)["close"] == 102.5 if not live else True
    explained = scene.world.connection.execute(
        "select cause, jsonb_path_query_array(events, '$[*].kind'), events -> 0 ->> 'action'"
        " from feature.explain_restatement(%s, %s, %s)",
        [QUOTED, scene.at(0), scene.tenant],
    ).fetchall()
    assert explained == [
        ("close", None, None),
        ("late", ["quote"], "new"),
        ("correction", ["quote"], "correction"),
        ("cancel", ["quote"], "cancel"),
        ("cancel", ["quote"], "cancel"),
    ]


def test_a_late_quote_of_an_earlier_bar_reaches_the_windows_and_is_named(scene: Scene) -> None:
    for minute in range(25):
        quote(scene, scene.at(minute, 30), 100.0 + minute, 101.0 + minute)
    scene.world.publish(scene.at(25))
    assert scene.ask(scene.at(25), symbol=QUOTED)["sma_20"] == 115.0
    quote(scene, scene.at(10, 40), 200.0, 201.0, scene.at(26))
    scene.world.publish(scene.at(26, 1))
    assert scene.ask(scene.at(25), scene.at(27), symbol=QUOTED)["sma_20"] == 115.0 + 90 / 20
    ((cause, events),) = scene.world.connection.execute(
        "select cause, events from feature.explain_restatement(%s, %s, %s) where version = 2",
        [QUOTED, scene.at(24), scene.tenant],
    ).fetchall()
    assert (cause, len(events)) == ("late", 1)
    assert (events[0]["kind"], events[0]["tick"]["bid"]) == ("quote", 200)
    (share,) = scene.world.connection.execute(
        "select leaked_rows from feature.leakage(array[%s], array[%s::timestamptz], %s)"
        " where field = 'sma_20'",
        [QUOTED, scene.at(25, 30), scene.tenant],
    ).fetchall()
    assert share == (1,)


def test_windows_of_a_backfill_read_the_quotes_of_the_days_before(past: Past) -> None:
    """With usable quotes far apart, and unusable ones between, which are no bars."""
    minutes = [-10_000 + 700 * n for n in range(12)] + list(range(13))
    for place, minute in enumerate(minutes):
        quote(past, past.at(minute, 30), 100.0 + place, 102.0 + place)
        quote(past, past.at(minute + 100, 30), 5.0, 1.0)
    past.world.backfill(past.day, past.day + timedelta(days=1))
    bars = past.log("bucket, close, sma_20")
    assert [close for _, close, _ in bars] == [101.0 + place for place in range(12, 25)]
    wanted = [None if place < 19 else 101.0 + place - 9.5 for place in range(12, 25)]
    assert [sma for *_, sma in bars] == wanted


def test_history_of_quotes_waits_for_a_backfill(past: Past) -> None:
    for minute in range(3):
        minute_of_quotes(past, minute)
    past.trade(past.at(9), 5, symbol=QUOTED)
    day = past.day.date()
    for minutes in (1, 2):
        assert waits(past) == [(QUOTED, 3, day, day)]
        (said,) = warnings(past, lambda: past.ask(past.at(3), symbol=QUOTED))
        assert said.startswith(f"history not backfilled: {day} to {day} of {QUOTED} of tenant ")
        past.publish(minutes)
    past.backfill()
    assert waits(past) == []
    assert len(past.log()) == 3


def test_a_minute_of_quotes_that_makes_no_bar_holds_up_no_later_history(past: Past) -> None:
    """Loaded and backfilled in parts before the first publish."""
    for minute in (0, 2, 3):
        minute_of_quotes(past, minute)
    quote(past, past.at(1, 30), None, 101.0)
    quote(past, past.at(2, 45), None, 101.0)
    day = past.day.date()
    assert waits(past) == [(QUOTED, 4, day, day)]
    past.world.backfill(past.at(0), past.at(2))
    assert waits(past) == [(QUOTED, 2, day, day)]
    past.world.backfill(past.at(2), past.at(4))
    built = past.world.connection.execute(
        "select bucket from feature.momentum_1m_log where tenant_id = %s order by bucket",
        [past.tenant],
    ).fetchall()
    assert built == [(past.at(minute),) for minute in (0, 2, 3)]
    assert waits(past) == []
    past.publish(1)
    assert waits(past) == []


def test_what_no_backfill_can_come_to_waits_no_more(past: Past) -> None:
    minute_of_quotes(past, 0)
    past.publish(1)
    past.world.connection.execute("delete from market.quote where tenant_id = %s", [past.tenant])
    past.backfill()
    assert waits(past) == []


@pytest.mark.parametrize("published", [True, False])
def test_trades_alone_are_said_to_make_no_bar_of_quotes(scene: Scene, published: bool) -> None:
    scene.trade(scene.at(0), 100, symbol=QUOTED)
    if published:
        scene.world.publish(scene.at(2))
    (said,) = [
        line
        for line in history.waiting(scene.world.connection)
        if f"{QUOTED} of tenant {scene.tenant}" in line
    ]
    assert said.startswith("trades alone make no bar where bars_from is quote")
    quote(scene, scene.at(0, 1), 100.0, 101.0)
    assert f"tenant {scene.tenant}" not in " ".join(history.waiting(scene.world.connection))
    scene.world.publish(scene.at(3))
    assert scene.log("close") == [(100.5,)]


def test_quotes_of_before_the_choice_are_built_by_a_backfill(past: Past) -> None:
    set_bars_from(past.world, "trade")
    try:
        minute_of_quotes(past, 0)
        past.publish(1)
        assert f"tenant {past.tenant}" in " ".join(history.waiting(past.world.connection))
    finally:
        set_bars_from(past.world, "quote")
    past.backfill()
    assert past.log("close, cause") == [(pytest.approx(1.12), "close")]
    assert f"tenant {past.tenant}" not in " ".join(history.waiting(past.world.connection))


def test_another_source_counts_for_what_is_written_from_then_on(scene: Scene) -> None:
    quote(scene, scene.at(0, 10), 100.0, 101.0)
    scene.trade(scene.at(0, 20), 50, symbol=QUOTED, size=2)
    scene.world.publish(scene.at(1))
    set_bars_from(scene.world, "trade")
    try:
        quote(scene, scene.at(1, 10), 100.0, 101.0)
        scene.trade(scene.at(1, 20), 60, symbol=QUOTED, size=2)
        scene.world.publish(scene.at(2))
        assert scene.log("close, volume") == [(100.5, None), (60.0, 2.0)]
        # what is recomputed, is as the instrument says now
        quote(scene, scene.at(0, 30), 100.0, 102.0, scene.at(3))
        scene.world.publish(scene.at(3, 1))
        assert scene.log("close, volume") == [(100.5, None), (50.0, 2.0), (60.0, 2.0)]
    finally:
        set_bars_from(scene.world, "quote")


def test_a_series_that_was_set_aside_comes_back(scene: Scene) -> None:
    connection = scene.world.connection
    quote(scene, scene.at(0, 10), 100.0, 101.0)
    ((body,),) = connection.execute(
        "select pg_get_functiondef('feature.own_value'::regproc)"
    ).fetchall()
    failing = body.replace("f.bucket, f.open,", "f.bucket, f.open / (f.close - 100.5),", 1)
    assert failing != body
    # the temporary tables that it reads are not there
    connection.execute("set check_function_bodies = off")
    connection.execute(failing.encode())
    try:
        scene.world.publish(scene.at(2))
    finally:
        connection.execute(body.encode())
        connection.execute("reset check_function_bodies")
    assert scene.log() == []
    scene.world.publish(scene.at(30))
    assert scene.log("close") == [(100.5,)]
