"""Rows on a terminal: never wider than it, and more of them in a wider one."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo import tables

ROWS = [
    {
        "tenant_id": 1,
        "symbol": "SYN_AAPL",
        "bucket": datetime(2026, 11, 24, 22, 33, tzinfo=UTC),
        "close": 233.7435123,
        "volume": 5039.0,
        "sma_20": None,
        "volatility_1h": 0.008015831,
        "regime_tag": "trend_down",
    },
    {
        "tenant_id": 12,
        "symbol": "SYN_BTCUSD",
        "bucket": datetime(2026, 11, 24, 23, 59, tzinfo=UTC),
        "close": 97340.2,
        "volume": 0.1761,
        "sma_20": 97369.34,
        "volatility_1h": 0.003087,
        "regime_tag": "range",
    },
]


def test_eighty_columns_show_what_fits_and_name_the_rest() -> None:
    assert tables.fitted(ROWS, 80) == [
        "  tenant_id  symbol      bucket              close  volume   sma_20",
        "          1  SYN_AAPL    2026-11-24 22:33  233.744    5039        -",
        "         12  SYN_BTCUSD  2026-11-24 23:59  97340.2  0.1761  97369.3",
        "  and, in a wider terminal: volatility_1h, regime_tag",
    ]


def test_a_wider_terminal_shows_more() -> None:
    head, first, second = tables.fitted(ROWS, 160)
    assert head.endswith("sma_20  volatility_1h  regime_tag")
    assert first.endswith("     -     0.00801583  trend_down")
    assert second.endswith("97369.3       0.003087  range")


def test_a_long_text_at_the_end_is_cut_and_the_numbers_before_it_are_not() -> None:
    rows = [{"reason": "negative_price", "messages": 32, "example": "price=-1.0 " * 20}]
    head, line = tables.fitted(rows, 60)
    assert line.startswith("  negative_price        32  price=-1.0 price=")
    assert line.endswith("...")
    assert len(line) == 60
    assert len(tables.fitted(rows, 500)[1]) > 200
    assert head == "  reason          messages  example"


def test_nothing_is_said_as_such() -> None:
    assert tables.fitted([], 80) == ["  none"]


def test_few_things_side_by_side() -> None:
    then, now = ({"close": close, "regime_tag": None} for close in (1.25, 1.5))
    assert tables.across({"known then": then, "known now": now}) == [
        "              known then  known now",
        "  close       1.25        1.5",
        "  regime_tag  -           -",
    ]


@pytest.mark.parametrize("width", [40, 80, 160])
@given(
    texts=st.lists(st.text("ab \n", max_size=90), min_size=1, max_size=6),
    number=st.floats(allow_nan=False),
)
def test_no_line_is_wider_than_the_terminal(width: int, texts: list[str], number: float) -> None:
    rows = [{"number": number, **{f"c{place}": text for place, text in enumerate(texts)}}]
    lines = tables.fitted(rows, width)
    assert max(map(len, lines)) <= width
    assert f"{number:.6g}" in lines[1]
