"""The oracle itself, against answers worked out by hand."""

import math
from datetime import UTC, date, datetime, timedelta
from itertools import permutations

import pytest

from tests.pit import sessions
from tests.pit.oracle import NOTHING, Event, Oracle, Quote, Snapshot, Trade, differences, regime

OPEN = datetime(2024, 3, 4, 10, 0, tzinfo=UTC)
ALWAYS = [(datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))]
MICROSECOND = timedelta(microseconds=1)


def at(minute: float, second: float = 0) -> datetime:
    return OPEN + timedelta(minutes=minute, seconds=second)


def trade(
    ts: datetime,
    price: float,
    seq: int = 0,
    known_at: datetime | None = None,
    action: str = "new",
    size: float = 1.0,
    side: str | None = None,
) -> Event:
    return Event(action, 1, "X", ts, seq, Trade(price, size, side), known_at or ts)


def quote(ts: datetime, bid: float | None, ask: float | None, seq: int = 0) -> Event:
    return Event("new", 1, "X", ts, seq, Quote(bid, None, ask, None), ts)


def oracle(*events: Event) -> Oracle:
    """One that has applied the events one by one."""
    made = Oracle({"X": ALWAYS})
    for event in events:
        made.apply([event])
    return made


def ask(o: Oracle, as_of: datetime, known_as_of: datetime | None = None) -> Snapshot:
    return o.snapshot(1, "X", as_of, known_as_of)


def closes(found: Snapshot) -> tuple[datetime | None, object]:
    return found.bucket, found.values["close"]


def test_a_bar_has_the_contract_fields_of_its_own_minute() -> None:
    o = oracle(
        trade(at(0, 5), 10.0, size=2.0, side="buy"),
        trade(at(0, 20), 12.0, size=1.0, side="sell"),
        trade(at(0, 59.999999), 11.0, size=1.0),
        trade(at(1), 99.0),
        quote(at(0, 1), 9.0, 11.0),
        quote(at(0, 2), 10.0, 10.0),
        quote(at(0, 3), 12.0, 11.0),
        quote(at(0, 4), None, 11.0),
    )
    assert ask(o, at(1, 30)).values == {
        **{"open": 10.0, "high": 12.0, "low": 10.0, "close": 11.0, "volume": 4.0},
        **{"vwap": 43 / 4, "sma_20": None, "volatility_1h": None, "regime_tag": None},
        **{"spread_bps": 1000.0, "order_imbalance": 1 / 3},
    }


def test_a_bar_of_quotes_has_their_mids_and_nothing_of_trades() -> None:
    o = Oracle({"X": ALWAYS}, bars_from={"X": "quote"})
    o.apply(
        [
            quote(at(0, 2), 9.0, 11.0),
            quote(at(0, 2), 10.0, 12.0, seq=1),
            quote(at(0, 3), 12.0, 11.0),
            quote(at(0, 4), None, 11.0),
            quote(at(0, 5), 1.0, 3.0),
            quote(at(0, 59), 10.0, 10.5),
            trade(at(0, 5), 99.0, side="buy"),
            trade(at(1, 5), 99.0),
        ]
    )
    found = ask(o, at(2, 30))
    assert found.bucket == at(0)
    assert found.values == {
        **{"open": 10.0, "high": 11.0, "low": 10.0, "close": 10.25, "volume": None},
        **{"vwap": None, "sma_20": None, "volatility_1h": None, "regime_tag": None},
        **{"spread_bps": pytest.approx(10_000 * (2 / 10 + 2 / 11 + 0.5 / 10.25) / 3)},
        **{"order_imbalance": None},
    }


def test_no_side_and_no_quote_leave_two_fields_null() -> None:
    found = ask(oracle(trade(at(0), 10.0)), at(1))
    assert (found.values["spread_bps"], found.values["order_imbalance"]) == (None, None)
    assert not found.is_stale


def test_a_bar_is_there_from_the_moment_at_which_it_closes() -> None:
    o = oracle(trade(at(0, 30), 10.0), trade(at(1, 30), 11.0))
    assert ask(o, at(1) - MICROSECOND) == NOTHING
    assert closes(ask(o, at(1))) == (at(0), 10.0)
    assert closes(ask(o, at(2) - MICROSECOND)) == (at(0), 10.0)
    assert closes(ask(o, at(2))) == (at(1), 11.0)


def test_a_bar_is_not_known_before_it_closes_even_for_a_later_as_of() -> None:
    o = oracle(trade(at(0, 30), 10.0), trade(at(1, 30), 11.0))
    assert closes(ask(o, at(5), known_as_of=at(2) - MICROSECOND)) == (at(0), 10.0)


def test_equal_timestamps_are_ordered_by_seq_whatever_arrives_first() -> None:
    o = oracle(trade(at(0, 7), 12.0, seq=3), trade(at(0, 7), 10.0, seq=1), trade(at(0, 7), 11.0, 2))
    assert [ask(o, at(1)).values[name] for name in ("open", "close")] == [10.0, 12.0]


def test_a_late_trade_counts_from_its_knowledge_time() -> None:
    o = oracle(trade(at(0, 10), 10.0), trade(at(0, 50), 11.0, known_at=at(3)))
    before, after = ask(o, at(5), at(3) - MICROSECOND), ask(o, at(5), at(3))
    assert (closes(before), before.known_at) == ((at(0), 10.0), at(1))
    assert (closes(after), after.known_at) == ((at(0), 11.0), at(3))


def test_a_late_trade_can_make_a_bar_between_others() -> None:
    o = oracle(trade(at(0), 10.0), trade(at(2), 12.0), trade(at(1), 11.0, known_at=at(9)))
    assert closes(ask(o, at(2, 30))) == (at(0), 10.0)
    assert closes(ask(o, at(2, 30), at(9))) == (at(1), 11.0)


def test_a_correction_is_seen_from_its_knowledge_time_only() -> None:
    o = oracle(trade(at(0), 10.0), trade(at(0), 20.0, known_at=at(5), action="correction"))
    assert closes(ask(o, at(5), at(5) - MICROSECOND)) == (at(0), 10.0)
    assert closes(ask(o, at(5))) == (at(0), 20.0)


def test_a_correction_known_before_what_it_corrects_ends_it_at_once() -> None:
    o = oracle(
        trade(at(0), 10.0, known_at=at(5)),
        trade(at(0), 20.0, known_at=at(3), action="correction"),
    )
    assert ask(o, at(5) - MICROSECOND) == NOTHING
    assert closes(ask(o, at(5))) == (at(0), 20.0)


def test_a_cancel_of_the_only_trade_makes_the_bar_before_it_the_answer() -> None:
    o = oracle(
        trade(at(0), 10.0), trade(at(1), 11.0), trade(at(1), 0.0, known_at=at(4), action="cancel")
    )
    assert closes(ask(o, at(4), at(4) - MICROSECOND)) == (at(1), 11.0)
    assert closes(ask(o, at(4))) == (at(0), 10.0)
    assert ask(o, at(4)).known_at == at(1)


@pytest.mark.parametrize(
    "second",
    [
        trade(at(0), 99.0),
        trade(at(0), 99.0, known_at=at(0, 30)),
        trade(at(0), 10.0, seq=8, known_at=at(0, 30), action="cancel"),
        trade(at(0), 99.0, seq=8, known_at=at(0, 30), action="correction"),
        trade(at(0), 10.0, action="correction"),
    ],
)
def test_duplicates_and_amendments_of_unknown_trades_change_nothing(second: Event) -> None:
    once, twice = oracle(trade(at(0), 10.0)), oracle(trade(at(0), 10.0), second)
    assert twice.of(Trade, (1, "X")) == once.of(Trade, (1, "X"))


def beliefs(o: Oracle) -> list[tuple[object, datetime, datetime | None]]:
    """Price, known_at and superseded_at of every version of the trade."""
    return [
        (v.values.price, v.known_at, v.superseded_at)
        for v in o.of(Trade, (1, "X"))
        if isinstance(v.values, Trade)
    ]


def test_a_cancelled_trade_comes_back_by_what_is_known_later() -> None:
    events = [
        trade(at(0), 10.0),
        trade(at(0), 10.0, known_at=at(2), action="cancel"),
        trade(at(0), 10.0, known_at=at(1)),
        trade(at(0), 12.0, known_at=at(4), action="correction"),
        trade(at(0), 13.0, known_at=at(3), action="correction"),
    ]
    wanted = [(10.0, at(0), at(2)), (13.0, at(3), at(4)), (12.0, at(4), None)]
    for order in permutations(events):
        if order.index(events[0]) < order.index(events[2]):  # the first of equal ones stays
            assert beliefs(oracle(*order)) == wanted


def test_a_cancel_waits_for_its_trade() -> None:
    cancel, again = (trade(at(0), 10.0, known_at=at(2), action="cancel"), trade(at(0), 10.0))
    assert beliefs(oracle(cancel)) == []
    assert beliefs(oracle(cancel, again)) == [(10.0, at(0), at(2))]
    assert beliefs(oracle(cancel, trade(at(0), 10.0, known_at=at(3)))) == [(10.0, at(3), at(3))]


def test_a_correction_that_contradicts_another_one_does_not_count() -> None:
    first = trade(at(0), 11.0, known_at=at(2), action="correction")
    second = trade(at(0), 12.0, known_at=at(2), action="correction")
    wanted = [(10.0, at(0), at(2)), (11.0, at(2), None)]
    assert beliefs(oracle(trade(at(0), 10.0), first, second)) == wanted


def test_tenants_and_symbols_do_not_see_each_other() -> None:
    o = oracle(trade(at(0), 10.0))
    assert o.snapshot(2, "X", at(1)) == NOTHING


def walk(o: Oracle, returns: list[float], step: int = 1) -> list[float]:
    """A trade every `step` minutes; returns the prices."""
    prices = [100.0]
    for change in returns:
        prices.append(prices[-1] * math.exp(change))
    o.apply([trade(at(step * i), price) for i, price in enumerate(prices)])
    return prices


def test_sma_20_needs_twenty_bars_that_traded_however_far_apart() -> None:
    o = oracle()
    prices = walk(o, [0.01] * 20, step=7)
    assert ask(o, at(18 * 7 + 1)).values["sma_20"] is None
    first = ask(o, at(19 * 7 + 1)).values["sma_20"]
    assert first == pytest.approx(sum(prices[:20]) / 20, rel=1e-12)
    assert ask(o, at(20 * 7 + 1)).values["sma_20"] == pytest.approx(sum(prices[1:]) / 20, rel=1e-12)


def test_volatility_needs_thirty_returns_within_the_hour() -> None:
    o = oracle()
    walk(o, [0.01, -0.01] * 16)
    assert ask(o, at(30)).values["volatility_1h"] is None
    found = ask(o, at(31)).values["volatility_1h"]
    assert found == pytest.approx(math.sqrt(30 * 1e-4), rel=1e-9)


def test_a_return_older_than_an_hour_no_longer_counts() -> None:
    o = oracle()
    walk(o, [0.5] + [0.01, -0.01] * 40)
    with_it, without = ask(o, at(61)).values, ask(o, at(62)).values
    assert with_it["volatility_1h"] == pytest.approx(math.sqrt(0.25 + 59e-4), rel=1e-9)
    assert without["volatility_1h"] == pytest.approx(math.sqrt(60e-4), rel=1e-9)


def test_flat_prices_have_a_volatility_of_zero_and_no_tag() -> None:
    o = oracle()
    walk(o, [0.0] * 40)
    found = ask(o, at(41)).values
    assert (found["volatility_1h"], found["regime_tag"]) == (0.0, None)


@pytest.mark.parametrize(
    ("returns", "tag"),
    [
        ([0.001, -0.001] * 20, "range"),
        ([0.001] * 40, "trend_up"),
        ([-0.001] * 40, "trend_down"),
        # two and a half hours: quiet, then one hour of three times the movement
        ([0.001, -0.001] * 50 + [0.003, -0.003] * 30, "volatile"),
        # the hour is part of its own baseline: nothing can be volatile within 2.25 hours
        ([0.00001, -0.00001] * 30 + [0.3, -0.3] * 30, "range"),
    ],
)
def test_the_tag_follows_the_hours_that_the_bars_cover(returns: list[float], tag: str) -> None:
    o = oracle()
    walk(o, returns)
    assert ask(o, at(len(returns) + 1)).values["regime_tag"] == tag


def test_a_tag_appears_with_the_volatility() -> None:
    o = oracle()
    walk(o, [0.001] * 30)
    assert ask(o, at(30)).values["regime_tag"] is None
    assert ask(o, at(31)).values["regime_tag"] == "trend_up"


@pytest.mark.parametrize(
    ("volatility", "baseline", "ratio", "tags"),
    [
        (3.0, 2.0, 1.0, ("range", "volatile")),
        (3.0 + 1e-6, 2.0, 1.0, ("volatile",)),
        (1.0, 1.0, math.exp(math.sqrt(1 / 3)), ("trend_up", "range")),
        (1.0, 1.0, math.exp(-2), ("trend_down",)),
    ],
)
def test_a_bar_on_a_threshold_may_have_either_tag(
    volatility: float, baseline: float, ratio: float, tags: tuple[str, ...]
) -> None:
    assert set(regime(volatility, baseline, 8.0 * ratio, 8.0)) == set(tags)


FRIDAY = datetime(2024, 3, 8, 20, 59, tzinfo=UTC)
MONDAY = datetime(2024, 3, 11, 13, 30, tzinfo=UTC)  # daylight saving began on Sunday


@pytest.mark.parametrize(
    ("as_of", "is_stale"),
    [
        (FRIDAY + timedelta(minutes=1), False),
        (FRIDAY + timedelta(days=2), False),
        (MONDAY, False),
        (MONDAY + timedelta(minutes=15), False),
        (MONDAY + timedelta(minutes=15, microseconds=1), True),
    ],
)
def test_a_weekend_does_not_age_the_last_bar_of_friday(as_of: datetime, is_stale: bool) -> None:
    o = Oracle({"X": sessions.of_symbol("SYN_AAPL", date(2024, 3, 1), date(2024, 3, 31))})
    o.apply([trade(FRIDAY, 10.0)])
    assert ask(o, as_of).is_stale is is_stale
    assert ask(o, as_of).bucket == (None if is_stale else FRIDAY)


def test_a_field_with_a_shorter_limit_is_blanked_alone() -> None:
    o = oracle(trade(at(0), 10.0))
    o.max_staleness = {**o.max_staleness, "vwap": timedelta(seconds=60)}
    fresh, aged = ask(o, at(2)), ask(o, at(2) + MICROSECOND)
    assert (fresh.values["vwap"], fresh.is_stale) == (10.0, False)
    assert (aged.values["vwap"], aged.values["close"], aged.is_stale) == (None, 10.0, True)


def test_without_sessions_a_bar_goes_stale_by_the_calendar() -> None:
    o = oracle(trade(at(0), 10.0))
    o.sessions = {"X": []}
    assert not ask(o, at(1) + timedelta(days=31)).is_stale
    assert ask(o, at(1) + timedelta(days=31, microseconds=1)) == NOTHING


@pytest.mark.parametrize(
    ("calendar_of", "day", "opens", "closes"),
    [
        ("SYN_BTCUSD", date(2024, 3, 9), "2024-03-09 00:00+00:00", "2024-03-10 00:00+00:00"),
        ("SYN_ES", date(2024, 3, 3), "2024-03-03 23:00+00:00", "2024-03-04 22:00+00:00"),
        ("SYN_AAPL", date(2024, 11, 29), "2024-11-29 14:30+00:00", "2024-11-29 18:00+00:00"),
    ],
)
def test_sessions_come_from_the_seeds(calendar_of: str, day: date, opens: str, closes: str) -> None:
    expected = [(datetime.fromisoformat(opens), datetime.fromisoformat(closes))]
    assert sessions.of_symbol(calendar_of, day, day) == expected


def test_a_holiday_has_no_session() -> None:
    assert sessions.of_symbol("SYN_AAPL", date(2024, 1, 1), date(2024, 1, 1)) == []


def test_the_live_log_learns_at_the_first_stamp_after_an_event_was_applied() -> None:
    o = oracle(trade(at(0), 10.0))
    o.published(at(2))
    o.apply([trade(at(0), 11.0, seq=1, known_at=at(1, 30))])
    o.published(at(3))
    assert closes(ask(o, at(2, 30))) == (at(0), 11.0)
    answers = [closes(o.snapshot(1, "X", at(9), k, live=True))[1] for k in (at(1, 59), at(2, 59))]
    assert answers == [None, 10.0]
    assert closes(o.snapshot(1, "X", at(9), at(3), live=True)) == (at(0), 11.0)


def test_the_live_log_leaves_what_it_knows_too_early_for_a_later_stamp() -> None:
    o = oracle(trade(at(0), 10.0))
    o.published(at(2))
    o.apply([trade(at(0), 20.0, known_at=at(4), action="correction")])
    o.published(at(3))
    assert closes(o.snapshot(1, "X", at(9), at(3), live=True))[1] == 10.0
    o.published(at(5))
    assert closes(o.snapshot(1, "X", at(9), at(5), live=True))[1] == 20.0
    assert o.snapshot(1, "X", at(9), at(5), live=True).known_at == at(5)


def test_history_is_learnt_exactly_and_what_comes_later_at_stamps() -> None:
    o = oracle(
        trade(at(0), 10.0), trade(at(0, 30), 11.0, seq=1, known_at=at(2)), trade(at(5, 30), 12.0)
    )
    o.backfilled(at(5, 45))
    assert closes(o.snapshot(1, "X", at(9), at(1), live=True)) == (at(0), 10.0)
    assert closes(o.snapshot(1, "X", at(9), at(2), live=True)) == (at(0), 11.0)
    o.apply([trade(at(0, 40), 13.0, seq=2, known_at=at(6))])
    o.published(at(7))
    # the bar that closes after the history, of which all was known then, is for the first stamp
    assert closes(o.snapshot(1, "X", at(9), at(6, 59), live=True)) == (at(0), 11.0)
    assert closes(o.snapshot(1, "X", at(9), at(7), live=True)) == (at(5), 12.0)
    assert closes(o.snapshot(1, "X", at(5), at(7), live=True)) == (at(0), 13.0)


def test_differences_name_the_field() -> None:
    want = ask(oracle(trade(at(0), 10.0)), at(1))
    row = {"bucket": at(0), "known_at": at(1), "is_stale": False, **want.values}
    assert differences(row, want) == []
    assert differences({**row, "close": 10.0 + 1e-12}, want) == []
    assert differences({**row, "close": 10.1}, want) == ["close: 10.1, not 10.0"]
    assert differences({**row, "sma_20": 1.0}, want) == ["sma_20: 1.0, not None"]
