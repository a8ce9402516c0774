from collections.abc import Callable

import pytest

from ingest.validate import EARLIEST_US, REMEDIES, Known, Reason, validate

NOW_US = 1_700_100_000_000_000
TOLERANCE_US = 5_000_000
KNOWN = Known(frozenset({1, 2}), frozenset({"SYN_ES"}))
NAN, INF = float("nan"), float("inf")

TRADES = [
    ({}, None),
    ({"side": None}, None),
    ({"known_at": None}, None),
    ({"action": "amend"}, Reason.UNKNOWN_ACTION),
    ({"tenant_id": 3}, Reason.UNKNOWN_TENANT),
    ({"tenant_id": 2**40}, Reason.UNKNOWN_TENANT),
    ({"symbol": "ES\0"}, Reason.UNKNOWN_SYMBOL),
    ({"symbol": ""}, Reason.UNKNOWN_SYMBOL),
    ({"ts": EARLIEST_US}, None),
    ({"ts": EARLIEST_US - 1}, Reason.TIME_TOO_EARLY),
    ({"ts": NOW_US // 1000}, Reason.TIME_TOO_EARLY),
    ({"ts": -(2**63)}, Reason.TIME_TOO_EARLY),
    ({"ts": NOW_US + TOLERANCE_US}, None),
    ({"ts": NOW_US + TOLERANCE_US + 1}, Reason.TIME_IN_FUTURE),
    ({"ts": NOW_US * 1000}, Reason.TIME_IN_FUTURE),
    ({"known_at": NOW_US + TOLERANCE_US}, None),
    ({"known_at": NOW_US + TOLERANCE_US + 1}, Reason.TIME_IN_FUTURE),
    ({"known_at": 0}, None),
    ({"seq": 0}, None),
    ({"seq": -1}, Reason.NEGATIVE_SEQ),
    ({"price": NAN}, Reason.NOT_A_NUMBER),
    ({"price": INF}, Reason.NOT_A_NUMBER),
    ({"price": -INF}, Reason.NOT_A_NUMBER),
    ({"size": NAN}, Reason.NOT_A_NUMBER),
    ({"price": 0.0}, Reason.NEGATIVE_PRICE),
    ({"price": -37.63}, Reason.NEGATIVE_PRICE),
    ({"price": 5e-324}, None),
    ({"size": 0.0}, Reason.ZERO_SIZE),
    ({"size": -1.0}, Reason.ZERO_SIZE),
    ({"side": "B"}, Reason.UNKNOWN_SIDE),
    ({"action": "correction", "price": -1.0}, Reason.NEGATIVE_PRICE),
    ({"action": "cancel", "price": NAN, "size": 0.0, "side": "B"}, None),
    ({"action": "cancel", "symbol": "X"}, Reason.UNKNOWN_SYMBOL),
]
QUOTES = [
    ({}, None),
    ({"bid": None, "bid_size": None}, None),
    ({"ask": None}, None),
    ({"bid": 2.0, "ask": 1.0}, None),
    ({"bid_size": 0.0, "ask_size": 0.0}, None),
    ({"bid": None, "ask": None}, Reason.NO_SIDE_QUOTED),
    ({"bid": NAN}, Reason.NOT_A_NUMBER),
    ({"bid": None, "ask": NAN}, Reason.NOT_A_NUMBER),
    ({"bid_size": INF}, Reason.NOT_A_NUMBER),
    ({"ask_size": NAN}, Reason.NOT_A_NUMBER),
    ({"bid": 0.0}, Reason.NEGATIVE_PRICE),
    ({"ask": -1.0}, Reason.NEGATIVE_PRICE),
    ({"bid_size": -1.0}, Reason.ZERO_SIZE),
    ({"ask_size": -0.5}, Reason.ZERO_SIZE),
    ({"action": "cancel", "bid": None, "ask": None}, None),
]


@pytest.mark.parametrize(("change", "reason"), TRADES, ids=str)
def test_trade(trade: Callable[..., dict], change: dict, reason: Reason | None) -> None:
    _check("trade", trade(**change), reason)


@pytest.mark.parametrize(("change", "reason"), QUOTES, ids=str)
def test_quote(quote: Callable[..., dict], change: dict, reason: Reason | None) -> None:
    _check("quote", quote(**change), reason)


def _check(kind: str, record: dict, reason: Reason | None) -> None:
    refusal = validate(kind, record, KNOWN, NOW_US, TOLERANCE_US)
    if reason is None:
        assert refusal is None
        return
    assert refusal is not None
    assert refusal.reason == reason
    assert repr(record["symbol"]) in refusal.message
    assert refusal.message.endswith(REMEDIES[reason])


def test_every_reason_of_validation_is_in_the_tables() -> None:
    others = {Reason.UNDECODABLE, Reason.UNKNOWN_TRADE, Reason.UNKNOWN_QUOTE}
    assert {reason for _, reason in TRADES + QUOTES if reason} == set(Reason) - others


def test_every_reason_has_a_remedy() -> None:
    assert set(REMEDIES) == set(Reason)
