"""The live feed's ticks: of any day, equal each time, and the synthetic day's where it has one."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from typing import Any

import numpy as np
import pytest

from demo import feed
from ingest.replay import synthetic

TUESDAY, THANKSGIVING, SATURDAY = date(2026, 11, 24), date(2026, 11, 26), date(2026, 11, 28)


def keys(day: Any) -> set[tuple[Any, ...]]:
    """(tenant, symbol, ts, seq, known_at, price) of each trade whose price is a number."""
    names = ("tenant_id", "symbol", "ts", "seq", "known_at", "price")
    rows = ~np.isnan(day.trades["price"])
    return set(zip(*(day.trades[name][rows].tolist() for name in names), strict=True))


def test_a_trading_day_is_the_one_that_the_next_demo_sends() -> None:
    assert keys(feed.day_of(TUESDAY)) == keys(synthetic.events(TUESDAY))


@pytest.mark.parametrize("day", [THANKSGIVING, SATURDAY, SATURDAY + timedelta(days=1)])
def test_without_trading_only_what_trades_around_the_clock_goes_on(day: date) -> None:
    made = feed.day_of(day)
    assert set(made.trades["symbol"]) == set(feed.AROUND_THE_CLOCK)
    at = made.trades["known_at"] / 1e6
    begins = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    assert begins <= at.min() < at.max() < begins + 86_400
    # no quarter of an hour without a trade, or the last bar would be stale
    minutes = np.unique((at - begins) // 60)
    assert np.diff(minutes).max() < 15
    assert keys(made) == keys(feed.day_of(day))


def test_two_days_of_a_weekend_are_two_markets() -> None:
    first, second = (feed.day_of(SATURDAY + timedelta(days=n)).trades["price"] for n in (0, 1))
    assert first[:100].tolist() != second[:100].tolist()


@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 11, 25, 0, 5, tzinfo=UTC),
        datetime(2026, 11, 28, 3, 0, tzinfo=UTC),
        datetime(2026, 11, 30, 12, 0, tzinfo=UTC),
    ],
    ids=["after midnight", "saturday", "monday noon"],
)
def test_run_up_and_feed_leave_no_gap_and_go_by_the_clock(now: datetime) -> None:
    """All that became known in eight hours, but for the day which the demo sends as a whole."""
    before = list(feed.run_up(now))
    since = now - feed.RUN_UP
    known = [record["known_at"] / 1e6 for _, record in before]
    assert known == sorted(known)
    assert known[-1] < now.timestamp()
    whole = synthetic.default_day(now)
    expected = [
        record
        for _, record in takewhile(
            lambda tick: tick[1]["known_at"] < now.timestamp() * 1e6, feed.ticks(since)
        )
        if datetime.fromtimestamp(record["known_at"] / 1e6, UTC).date() != whole
    ]
    assert len(before) == len(expected) > 50
    on = feed.ticks(now - feed.CATCH_UP)
    first = next(on)[1]["known_at"] / 1e6
    assert 0 <= first - (now - feed.CATCH_UP).timestamp() < 60
    kinds = Counter(kind for kind, _ in before)
    assert set(kinds) == {"trade", "quote"}


def test_the_feed_goes_on_over_midnight() -> None:
    late = datetime(2026, 11, 28, 23, 59, tzinfo=UTC)
    days = Counter[date]()
    for _, record in feed.ticks(late):
        days[datetime.fromtimestamp(record["known_at"] / 1e6, UTC).date()] += 1
        if days[SATURDAY + timedelta(days=1)] == 100:
            break
    assert days[SATURDAY] > 0
