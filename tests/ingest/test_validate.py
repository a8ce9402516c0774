import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from ingest.kinds import KINDS, MINUTE_US, Record
from ingest.validate import EARLIEST_US, Known, passes, reasons, refusals, validate

NOW_US = 1_700_100_000_000_000
TOLERANCE_US = 5_000_000
KNOWN = Known(frozenset({1, 2}), frozenset({"SYN_ES", "SYN_CL"}), signed=frozenset({"SYN_CL"}))
# the first minute that has not begun
NEXT_US = NOW_US - NOW_US % MINUTE_US + MINUTE_US
NAN, INF = float("nan"), float("inf")
UNSET = 1.7976931348623157e308  # Interactive Brokers' word for no value

Table = list[tuple[dict[str, Any], str | None]]

TRADES: Table = [
    ({}, None),
    ({"side": None}, None),
    ({"known_at": None}, None),
    ({"action": "amend"}, "unknown_action"),
    ({"tenant_id": 3}, "unknown_tenant"),
    ({"tenant_id": 2**40}, "unknown_tenant"),
    ({"symbol": "ES\0"}, "unknown_symbol"),
    ({"symbol": ""}, "unknown_symbol"),
    ({"ts": EARLIEST_US}, None),
    ({"ts": EARLIEST_US - 1}, "time_too_early"),
    ({"ts": NOW_US // 1000}, "time_too_early"),
    ({"ts": -(2**63)}, "time_too_early"),
    ({"ts": NOW_US + TOLERANCE_US}, None),
    ({"ts": NOW_US + TOLERANCE_US + 1}, "time_in_future"),
    ({"ts": NOW_US * 1000}, "time_in_future"),
    ({"known_at": NOW_US + TOLERANCE_US}, None),
    ({"known_at": NOW_US + TOLERANCE_US + 1}, "time_in_future"),
    ({"known_at": 0}, None),
    ({"seq": 0}, None),
    ({"seq": -1}, "negative_seq"),
    ({"price": NAN}, "not_a_number"),
    ({"price": INF}, "not_a_number"),
    ({"price": -INF}, "not_a_number"),
    ({"size": NAN}, "not_a_number"),
    ({"price": 0.0}, "negative_price"),
    ({"price": -37.63}, "negative_price"),
    ({"price": 5e-324}, "out_of_range"),
    ({"price": math.nextafter(1e-12, 0)}, "out_of_range"),
    ({"price": 1e-12}, None),
    ({"price": 1e12}, None),
    ({"price": math.nextafter(1e12, INF)}, "out_of_range"),
    ({"price": UNSET}, "out_of_range"),
    ({"price": -UNSET}, "out_of_range"),
    ({"price": -1.0, "symbol": "SYN_CL"}, None),
    ({"price": 0.0, "symbol": "SYN_CL"}, None),
    ({"price": -1e12, "symbol": "SYN_CL"}, None),
    ({"price": -2e12, "symbol": "SYN_CL"}, "out_of_range"),
    ({"price": NAN, "symbol": "SYN_CL"}, "not_a_number"),
    ({"size": 0.0}, "zero_size"),
    ({"size": -1.0}, "zero_size"),
    ({"size": 1e-300}, "out_of_range"),
    ({"size": 1e-12}, None),
    ({"size": 1e18}, None),
    ({"size": 1e19}, "out_of_range"),
    ({"size": UNSET}, "out_of_range"),
    ({"side": "B"}, "unknown_side"),
    ({"action": "correction", "price": -1.0}, "negative_price"),
    ({"action": "cancel", "price": NAN, "size": 0.0, "side": "B"}, None),
    ({"action": "cancel", "symbol": "X"}, "unknown_symbol"),
]
QUOTES: Table = [
    ({}, None),
    ({"bid": None, "bid_size": None}, None),
    ({"ask": None}, None),
    ({"bid": 2.0, "ask": 1.0}, None),
    ({"bid_size": 0.0, "ask_size": 0.0}, None),
    ({"bid": None, "ask": None}, "no_side_quoted"),
    ({"bid": NAN}, "not_a_number"),
    ({"bid": None, "ask": NAN}, "not_a_number"),
    ({"bid_size": INF}, "not_a_number"),
    ({"ask_size": NAN}, "not_a_number"),
    ({"bid": 0.0}, "negative_price"),
    ({"bid": 0.0, "ask": -0.5, "symbol": "SYN_CL"}, None),
    ({"ask": UNSET}, "out_of_range"),
    ({"ask": 1e305}, "out_of_range"),
    ({"bid_size": UNSET}, "out_of_range"),
    ({"ask_size": 5e-324}, "out_of_range"),
    ({"ask": -1.0}, "negative_price"),
    ({"bid_size": -1.0}, "zero_size"),
    ({"ask_size": -0.5}, "zero_size"),
    ({"action": "cancel", "bid": None, "ask": None}, None),
]
BARS: Table = [
    ({}, None),
    ({"volume": None, "vwap": None, "known_at": None}, None),
    ({"volume": 0.0}, None),
    ({"open": 5.0, "high": 5.0, "low": 5.0, "close": 5.0}, None),
    ({"high": 4500.49}, "not_a_bar"),
    ({"low": 4500.26}, "not_a_bar"),
    ({"high": 4499.0, "low": 4501.0}, "not_a_bar"),
    ({"vwap": 9000.0}, None),
    ({"vwap": 0.0}, "negative_price"),
    ({"vwap": NAN}, "not_a_number"),
    ({"vwap": UNSET}, "out_of_range"),
    ({"open": NAN}, "not_a_number"),
    ({"close": INF}, "not_a_number"),
    ({"high": UNSET}, "out_of_range"),
    ({"low": 0.0}, "negative_price"),
    ({"low": -1.0, "vwap": -0.5, "symbol": "SYN_CL"}, None),
    ({"volume": -1.0}, "zero_size"),
    ({"volume": NAN}, "not_a_number"),
    ({"volume": 1e-300}, "out_of_range"),
    ({"volume": 1e19}, "out_of_range"),
    ({"seq": 1}, "not_alone"),
    ({"seq": -1}, "negative_seq"),
    ({"ts": NEXT_US - 2 * MINUTE_US + 1, "known_at": None}, "not_a_minute"),
    ({"ts": EARLIEST_US}, None),
    ({"ts": 2**63 - 1}, "time_in_future"),
    ({"ts": -(2**63)}, "time_too_early"),
    # the minute that is under way
    ({"ts": NEXT_US - MINUTE_US, "known_at": None}, "time_in_future"),
    ({"ts": NEXT_US - MINUTE_US, "known_at": NOW_US}, "time_in_future"),
    ({"ts": NEXT_US - 2 * MINUTE_US, "known_at": None}, None),
    ({"ts": NEXT_US - 2 * MINUTE_US, "known_at": NEXT_US - MINUTE_US}, None),
    ({"ts": NEXT_US - 2 * MINUTE_US, "known_at": NEXT_US - MINUTE_US - 1}, "known_before_end"),
    ({"known_at": 0}, "known_before_end"),
    ({"known_at": -(2**63)}, "known_before_end"),
    ({"known_at": 0, "action": "correction"}, "known_before_end"),
    ({"known_at": 0, "action": "cancel"}, "known_before_end"),
    ({"action": "correction", "high": 1.0}, "not_a_bar"),
    ({"action": "cancel", "high": NAN, "volume": -1.0}, None),
    ({"action": "cancel", "seq": 1}, "not_alone"),
    ({"action": "cancel", "ts": EARLIEST_US + 1}, "not_a_minute"),
]


@pytest.mark.parametrize(("change", "reason"), TRADES, ids=str)
def test_trade(trade: Callable[..., Record], change: dict[str, Any], reason: str | None) -> None:
    _check("trade", trade(**change), reason)


@pytest.mark.parametrize(("change", "reason"), QUOTES, ids=str)
def test_quote(quote: Callable[..., Record], change: dict[str, Any], reason: str | None) -> None:
    _check("quote", quote(**change), reason)


@pytest.mark.parametrize(("change", "reason"), BARS, ids=str)
def test_bar(bar: Callable[..., Record], change: dict[str, Any], reason: str | None) -> None:
    _check("bar", bar(**change), reason)


def _check(kind: str, record: dict[str, Any], reason: str | None) -> None:
    refusal = validate(kind, record, KNOWN, NOW_US, TOLERANCE_US)
    if reason is None:
        assert refusal is None
        return
    assert refusal is not None
    assert refusal.reason == reason
    assert repr(record["symbol"]) in refusal.message
    assert refusal.message.endswith(reasons()[reason].remedy)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_is_judged_as_its_records_are(kind: str, request: pytest.FixtureRequest) -> None:
    make = request.getfixturevalue(kind)
    table = {"trade": TRADES, "quote": QUOTES, "bar": BARS}[kind]
    records = [make(**change) for change, _ in table]
    rows = pl.DataFrame(records, schema=KINDS[kind].columns, orient="row")
    good = rows.select(passes(kind, KNOWN, NOW_US, TOLERANCE_US)).to_series()
    assert good.to_list() == [reason is None for _, reason in table]
    found = refusals(kind, rows.filter(~good), KNOWN, NOW_US, TOLERANCE_US)
    assert [refusal.reason for refusal in found] == [reason for _, reason in table if reason]
    alone = [validate(kind, record, KNOWN, NOW_US, TOLERANCE_US) for record in records]
    assert found == [refusal for refusal in alone if refusal]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"action": "amend"}, "action='amend' in trade of 'SYN_ES', tenant 1, ts "),
        ({"known_at": NOW_US * 10}, "known_at=2508-09-27T20:00:00+00:00 in"),
        ({"ts": -(2**63)}, "ts=-9223372036854775808 us in"),
        ({"price": -37.63}, "price=-37.63 in trade of"),
        ({"side": "B"}, "side='B' in trade of"),
    ],
)
def test_a_refusal_shows_the_bad_value(
    trade: Callable[..., Record], change: dict[str, Any], message: str
) -> None:
    refusal = validate("trade", trade(**change), KNOWN, NOW_US, TOLERANCE_US)
    assert refusal is not None
    assert refusal.message.startswith(message)


def test_a_quote_without_sides_shows_both(quote: Callable[..., Record]) -> None:
    refusal = validate("quote", quote(bid=None, ask=None), KNOWN, NOW_US, TOLERANCE_US)
    assert refusal is not None
    assert refusal.message.startswith("bid=null, ask=null in quote of 'SYN_ES', tenant 1, ts 2023")


def test_every_reason_of_validation_is_in_the_tables() -> None:
    # a retention is no rule by default: test_a_retention_says_what_is_too_old
    others = {"undecodable", "conflict", "beyond_retention"}
    assert {reason for _, reason in TRADES + QUOTES + BARS if reason} == set(reasons()) - others


@pytest.mark.parametrize("kind", KINDS)
def test_a_retention_says_what_is_too_old(kind: str, request: pytest.FixtureRequest) -> None:
    make = request.getfixturevalue(kind)
    first = NEXT_US - 2 * MINUTE_US
    kept = replace(KNOWN, earliest_us={kind: first})
    assert validate(kind, make(ts=first, known_at=NOW_US), kept, NOW_US, TOLERANCE_US) is None
    refusal = validate(kind, make(ts=first - 1, known_at=NOW_US), kept, NOW_US, TOLERANCE_US)
    assert refusal is not None
    assert refusal.reason == "beyond_retention"
    assert "market.policy_setting" in refusal.message
    other = replace(KNOWN, earliest_us={"other": NOW_US})
    assert validate(kind, make(ts=first, known_at=NOW_US), other, NOW_US, TOLERANCE_US) is None
