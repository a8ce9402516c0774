"""The synthetic day: deterministic, complete, and true to the rules of real feeds."""

from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from ingest.errors import UndecodableError
from ingest.replay import synthetic
from ingest.replay.synthetic import CENTURY_US, DAY_US, SHARES, UNKNOWN_SYMBOL, Day, Message, events
from ingest.replay.synthetic_market import MICROSECOND, OUTAGES, SYMBOLS, TENANTS, open_seconds
from ingest.wire import codec

DAY = date(2026, 11, 20)
BEGINS = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp()) * MICROSECOND
MALFORMED = ("nan_price", "future_time", "unknown_symbol", "negative_price", "zero_size")


@pytest.fixture(scope="module")
def day() -> Day:
    return events(DAY)


@pytest.fixture(scope="module")
def messages(day: Day) -> list[Message]:
    return list(day.messages())


def payloads(day: Day) -> bytes:
    return b"".join(
        codec.encode(message.kind, message.record) if message.record else message.payload
        for message in day.messages()
    )


def test_the_same_arguments_give_the_same_bytes() -> None:
    assert payloads(events(DAY, 20_000, 3)) == payloads(events(DAY, 20_000, 3))


@pytest.mark.parametrize(("on", "seed"), [(DAY, 4), (date(2026, 11, 19), 3)])
def test_another_seed_or_day_gives_another_day(on: date, seed: int) -> None:
    assert payloads(events(on, 20_000, seed)) != payloads(events(DAY, 20_000, 3))


def test_there_are_at_least_120000_good_trades_and_quotes(day: Day) -> None:
    for columns in (day.trades, day.quotes):
        good = (columns["action"] == "new") & ~np.isin(
            columns["label"].astype(str), ["duplicate", *MALFORMED]
        )
        assert good.sum() >= 120_000


def test_every_special_kind_is_there_and_counted(day: Day) -> None:
    for kind, columns in (("trade", day.trades), ("quote", day.quotes)):
        found = Counter(columns["label"].tolist())
        del found[""]
        assert {f"{kind}_{label}": number for label, number in found.items()} == {
            name: number for name, number in day.counts.items() if name.startswith(f"{kind}_")
        }
        assert set(SHARES[kind]) <= set(found)
        for label in MALFORMED[:3] if kind == "quote" else MALFORMED:
            assert found[label] == synthetic.EACH_MALFORMED
    assert day.counts["malformed_bytes"] == len(day.raw) == synthetic.EACH_MALFORMED


def test_messages_come_in_the_order_in_which_they_became_known(messages: list[Message]) -> None:
    known = [message.record["known_at"] for message in messages if message.record]
    assert known == sorted(known)


def test_everything_is_known_within_the_day_and_never_before_it_happened(
    messages: list[Message],
) -> None:
    for message in messages:
        record = message.record
        if record is not None:
            assert BEGINS <= record["known_at"] < BEGINS + DAY_US
            assert record["ts"] <= record["known_at"] or record["ts"] > BEGINS + CENTURY_US - DAY_US


def test_keys_are_unique_but_for_repeats_corrections_and_cancels(day: Day) -> None:
    for columns in (day.trades, day.quotes):
        first = (columns["label"] != "duplicate") & (columns["action"] == "new")
        names = ("tenant_id", "symbol", "ts", "seq")
        keys = list(zip(*(columns[name][first].tolist() for name in names), strict=True))
        assert len(keys) == len(set(keys))


def key(record: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(record[name] for name in ("tenant_id", "symbol", "ts", "seq"))


def test_corrections_and_cancels_follow_the_row_they_change(messages: list[Message]) -> None:
    current: dict[tuple[Any, ...], dict[str, Any]] = {}
    seen: Counter[str] = Counter()
    for message in messages:
        record = message.record
        if record is None:
            continue
        name = (message.kind, *key(record))
        if record["action"] == "new":
            current.setdefault(name, record)
            continue
        seen[f"{message.kind}_{record['action']}"] += 1
        assert name in current
        if record["action"] == "correction":
            values = ("price",) if message.kind == "trade" else ("bid", "ask")
            assert all(record[value] != current[name][value] for value in values)
            current[name] = record
        else:
            del current[name]
    assert set(seen) == {"trade_correction", "trade_cancel", "quote_correction"}


def test_a_duplicate_repeats_a_row_exactly_but_for_its_clock(
    day: Day, messages: list[Message]
) -> None:
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    repeated = 0
    for message in messages:
        if message.record is not None and message.record["action"] == "new":
            first = rows.setdefault((message.kind, *key(message.record)), message.record)
            if first is not message.record:
                repeated += 1
                assert {**first, "known_at": 0} == {**message.record, "known_at": 0}
    assert repeated == day.counts["trade_duplicate"] + day.counts["quote_duplicate"]


def test_late_rows_are_seconds_to_hours_late(day: Day) -> None:
    late = day.trades["label"] == "late"
    lag = (day.trades["known_at"] - day.trades["ts"])[late] / MICROSECOND
    assert lag.min() >= 20
    assert lag.max() > 3600


def test_rows_out_of_order_are_overtaken(day: Day) -> None:
    columns = day.trades
    plain = np.isin(columns["label"].astype(str), ["", "out_of_order"])
    stream = plain & (columns["tenant_id"] == 1) & (columns["symbol"] == "SYN_ES")
    by_known = np.argsort(columns["known_at"][stream], kind="stable")
    assert (np.diff(columns["ts"][stream][by_known]) < 0).sum() > 20


def test_malformed_rows_are_what_they_say(day: Day) -> None:
    trades = day.trades

    def labelled(label: str, name: str) -> Any:
        return trades[name][trades["label"] == label]

    assert np.isnan(labelled("nan_price", "price")).all()
    assert (labelled("negative_price", "price") < 0).all()
    assert (labelled("zero_size", "size") == 0).all()
    assert (labelled("future_time", "ts") > BEGINS + 36_500 * DAY_US).all()
    assert (labelled("unknown_symbol", "symbol") == UNKNOWN_SYMBOL).all()
    for _, kind, payload in day.raw:
        with pytest.raises(UndecodableError):
            codec.decode(kind, payload)


def test_quotes_are_crossed_or_one_sided_only_where_they_say_so(messages: list[Message]) -> None:
    found: Counter[str] = Counter()
    for message in messages:
        record = message.record
        if message.kind == "quote" and record is not None and record["bid"] == record["bid"]:
            assert record["bid"] is not None or record["ask"] is not None
            if record["bid"] is None or record["ask"] is None:
                found["one_sided"] += 1
            elif record["bid"] >= record["ask"]:
                found["crossed"] += 1
    assert found["one_sided"] == 720
    assert found["crossed"] == 360


def test_each_tenant_has_its_symbols(day: Day) -> None:
    for columns in (day.trades, day.quotes):
        for tenant, names in TENANTS.items():
            mine = set(columns["symbol"][columns["tenant_id"] == tenant].tolist())
            assert mine - {UNKNOWN_SYMBOL} == set(names)


def test_prices_lie_on_the_tick(day: Day) -> None:
    good = ~np.isin(day.trades["label"].astype(str), MALFORMED)
    for symbol in SYMBOLS:
        prices = day.trades["price"][good & (day.trades["symbol"] == symbol.name)] / symbol.tick
        assert np.abs(prices - np.round(prices)).max() < 1e-4


def test_nothing_happens_in_an_outage(day: Day) -> None:
    for tenant, names, begins, length in OUTAGES:
        for columns in (day.trades, day.quotes):
            mine = (columns["tenant_id"] == tenant) & np.isin(columns["symbol"].astype(str), names)
            second = (columns["ts"][mine] - BEGINS) // MICROSECOND
            assert not ((second >= begins) & (second < begins + length)).any()
            assert ((second >= begins - 600) & (second < begins)).any()


@pytest.mark.parametrize(
    ("venue", "on", "opens", "closes"),
    [
        ("equity", date(2026, 11, 20), 14.5, 21.0),
        ("equity", date(2026, 7, 20), 13.5, 20.0),
        ("fx", date(2026, 11, 20), 0.0, 22.0),
        ("fx", date(2026, 11, 19), 0.0, 24.0),
        ("futures", date(2026, 11, 20), 0.0, 22.0),
        ("crypto", date(2026, 11, 20), 0.0, 24.0),
    ],
)
def test_sessions_follow_the_local_clock(venue: str, on: date, opens: float, closes: float) -> None:
    seconds = np.flatnonzero(open_seconds(venue, on))
    assert (seconds[0], seconds[-1] + 1) == (opens * 3600, closes * 3600)


def test_futures_pause_for_an_hour() -> None:
    closed = np.flatnonzero(~open_seconds("futures", date(2026, 11, 19)))
    assert (closed[0], closed[-1] + 1) == (22 * 3600, 23 * 3600)


def test_shares_trade_in_their_session_only(day: Day) -> None:
    good = (day.trades["symbol"] == "SYN_AAPL") & (day.trades["label"] != "future_time")
    hours = (day.trades["ts"][good] - BEGINS) / MICROSECOND / 3600
    assert hours.min() >= 14.5
    assert hours.max() < 21.0


def test_there_are_quiet_and_wild_hours(day: Day) -> None:
    rows = (day.trades["symbol"] == "SYN_ES") & (day.trades["label"] == "")
    hour = ((day.trades["ts"][rows] - BEGINS) // (3600 * MICROSECOND)).astype(int)
    trades = np.bincount(hour, minlength=24)
    assert trades[trades > 0].max() > 4 * np.median(trades)


def test_every_regime_appears(day: Day) -> None:
    """The contract's formula, on one-minute closes of one stream."""
    rows = (day.trades["symbol"] == "SYN_BTCUSD") & (day.trades["tenant_id"] == 1)
    rows &= (day.trades["action"] == "new") & np.isin(day.trades["label"].astype(str), ["", "late"])
    order = np.lexsort((day.trades["seq"][rows], day.trades["ts"][rows]))
    minute = ((day.trades["ts"][rows][order] - BEGINS) // (60 * MICROSECOND)).astype(int)
    last = np.append(np.flatnonzero(np.diff(minute)), len(minute) - 1)
    minutes, closes = minute[last], np.log(day.trades["price"][rows][order][last])
    squared = np.append(0.0, np.diff(closes) ** 2)
    tags: Counter[str] = Counter()
    for place in range(360, len(minutes)):
        age = minutes[place] - minutes[: place + 1]
        hour = np.sqrt(squared[: place + 1][age < 60].sum())
        usual = np.sqrt(squared[: place + 1][age < 360].sum() / 6)
        trend = (closes[place] - closes[place - 20]) / (hour * np.sqrt(20 / 60))
        calm = "trend_up" if trend >= 1 else "trend_down" if trend <= -1 else "range"
        tags["volatile" if hour > 1.5 * usual else calm] += 1
    assert min(tags[tag] for tag in ("volatile", "trend_up", "trend_down", "range")) >= 10


def test_a_weekend_and_too_few_rows_are_refused() -> None:
    with pytest.raises(synthetic.SyntheticError, match="2026-11-21 is a weekend"):
        events(date(2026, 11, 21))
    with pytest.raises(synthetic.SyntheticError, match="--rows 10 is too few"):
        events(DAY, 10)


def test_a_day_that_is_not_over_is_refused() -> None:
    today = datetime.now(UTC).date()
    with pytest.raises(synthetic.SyntheticError, match="is not over; give one before"):
        synthetic.main(["--day", today.isoformat()])


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (datetime(2026, 11, 24, 0, 0, 1, tzinfo=UTC), date(2026, 11, 23)),
        (datetime(2026, 11, 23, 12, tzinfo=UTC), date(2026, 11, 20)),
        (datetime(2026, 11, 22, 12, tzinfo=UTC), date(2026, 11, 20)),
        (datetime(2026, 12, 26, 12, tzinfo=UTC), date(2026, 12, 23)),
    ],
)
def test_the_default_is_the_last_completed_trading_day(now: datetime, expected: date) -> None:
    assert synthetic.default_day(now) == expected
