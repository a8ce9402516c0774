"""The fields of momentum_1m and daily from ticks, bar by bar in plain Python, without the SQL.

momentum_1m() and daily() answer for one series, of all that its ticks are. Sums of floats are added
up in the order of the ticks or bars, as the formulas write them.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import pandas as pd

from tests.models import oracle

MOMENTUM_1M = ["rsi_14", "sma_50", "volume_sma_20", "order_flow_imbalance", "microprice"]
DAILY = [
    "open",
    "high",
    "low",
    "close",
    "volume",
    "previous_close",
    "gap",
    "atr_14",
    "realised_volatility_20",
]
TRADE = ["ts", "seq", "price", "size", "side"]
QUOTE = ["ts", "seq", "bid", "bid_size", "ask", "ask_size"]
BAR = ["ts", "open", "high", "low", "close", "volume"]
TOLERANCE = 1e-12

Value = float | None


@dataclass(frozen=True)
class Ticks:
    """Ticks of one series; None where a value is not there.

    bars_from: trade, quote or bar, what its minutes are made of.
    """

    trades: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=TRADE))
    quotes: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=QUOTE))
    bars: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=BAR))
    bars_from: str = "trade"


def minutes(ticks: Ticks) -> pd.DataFrame:
    """The one-minute bars by bucket: open, high, low, close and volume."""
    if ticks.bars_from == "bar":
        made = ticks.bars.rename(columns={"ts": "bucket"}).sort_values("bucket")
    elif ticks.bars_from == "quote":
        made = oracle.mid_bars(ticks.quotes)
    else:
        made = oracle.bars(ticks.trades)
    made = made.reindex(columns=["bucket", *BAR[1:]]).set_index("bucket").astype(object)
    return made.where(made.notna(), None)


def total(values: Iterable[float]) -> float:
    """Their sum, one after the other."""
    return reduce(add, values)


def mean_of_last(values: Sequence[Value], place: int, count: int) -> Value:
    """Mean of the value at a place and those before it; None where one of them is not there."""
    last = values[max(0, place - count + 1) : place + 1]
    there = [value for value in last if value is not None]
    return total(there) / count if len(there) == count else None


def rsi(closes: Sequence[float]) -> Value:
    """Rises among the changes of these closes, 0 to 100; None where nothing moved."""
    changes = [later - one for one, later in pairwise(closes)]
    rises = total(max(change, 0.0) for change in changes)
    falls = total(max(-change, 0.0) for change in changes)
    return 100 * rises / (rises + falls) if rises + falls else None


def flow(one: Any, later: Any) -> float:
    """e_n of Cont, Kukanov and Stoikov (2014), of two quotes that follow each other."""
    return float(
        (later.bid >= one.bid) * later.bid_size
        - (later.bid <= one.bid) * one.bid_size
        - (later.ask <= one.ask) * later.ask_size
        + (later.ask >= one.ask) * one.ask_size
    )


def sized(quotes: pd.DataFrame) -> dict[pd.Timestamp, list[Any]]:
    """By minute, the usable quotes whose sizes are both told, and not both 0."""
    found: dict[pd.Timestamp, list[Any]] = {}
    for row in oracle.usable(quotes):
        if None not in (row.bid_size, row.ask_size) and (row.bid_size or row.ask_size):
            found.setdefault(row.ts.floor("min"), []).append(row)
    return found


def momentum_1m(ticks: Ticks) -> pd.DataFrame:
    """One row per one-minute bar, indexed by bucket; None where the contract says NULL."""
    bars, quotes = minutes(ticks), sized(ticks.quotes)
    closes, volumes = bars["close"].tolist(), bars["volume"].tolist()
    rows = []
    for place, bucket in enumerate(bars.index):
        own = quotes.get(bucket, [])
        row: dict[str, Value] = dict.fromkeys(MOMENTUM_1M)
        if place >= 14:
            row["rsi_14"] = rsi(closes[place - 14 : place + 1])
        row["sma_50"] = mean_of_last(closes, place, 50)
        row["volume_sma_20"] = mean_of_last(volumes, place, 20)
        if len(own) >= 2:
            row["order_flow_imbalance"] = total(flow(*pair) for pair in pairwise(own))
        if own:
            last = own[-1]
            price = (last.bid * last.ask_size + last.ask * last.bid_size) / (
                last.bid_size + last.ask_size
            )
            row["microprice"] = min(max(price, last.bid), last.ask)
        rows.append(row)
    return framed(rows, bars.index, MOMENTUM_1M)


def daily(ticks: Ticks, sessions: Iterable[tuple[datetime, datetime]]) -> pd.DataFrame:
    """One row per session that has a minute, indexed by its opening.

    sessions: (opens_at, closes_at) of the instrument's calendar, those that have closed.
    """
    minute = minutes(ticks)
    bars: list[dict[str, Any]] = []
    opened = []
    for opens_at, closes_at in sorted(sessions):
        inside = minute[[opens_at <= bucket < closes_at for bucket in minute.index]]
        if inside.empty:
            continue
        told = [volume for volume in inside["volume"] if volume is not None]
        opened.append(opens_at)
        bars.append(
            {
                "open": inside["open"].iloc[0],
                "high": max(inside["high"]),
                "low": min(inside["low"]),
                "close": inside["close"].iloc[-1],
                "volume": total(told) if told else None,
            }
        )
    ranges: list[Value] = [None] * len(bars)
    squares: list[Value] = [None] * len(bars)
    for place, (before, bar) in enumerate(pairwise(bars), start=1):
        close = before["close"]
        bar["previous_close"] = close
        bar["gap"] = bar["open"] / close - 1 if close > 0 else None
        ranges[place] = max(
            bar["high"] - bar["low"], abs(bar["high"] - close), abs(bar["low"] - close)
        )
        if close > 0 and bar["close"] > 0:
            squares[place] = math.log(bar["close"] / close) ** 2
    for place, bar in enumerate(bars):
        bar["atr_14"] = mean_of_last(ranges, place, 14)
        mean_square = mean_of_last(squares, place, 20)
        bar["realised_volatility_20"] = None if mean_square is None else math.sqrt(20 * mean_square)
    return framed(bars, pd.DatetimeIndex(opened, name="bucket"), DAILY)


def framed(rows: list[dict[str, Any]], index: pd.Index, fields: list[str]) -> pd.DataFrame:
    """The rows as a frame of the fields."""
    frame = pd.DataFrame(rows, index=index, columns=fields).astype(object)
    return frame.where(frame.notna(), None)


def differences(got: Sequence[Sequence[Any]], want: pd.DataFrame) -> list[str]:
    """How rows (bucket, fields) differ from what an oracle says: floats by more than TOLERANCE."""
    if [row[0] for row in got] != list(want.index):
        return [f"bars {[str(row[0]) for row in got]}, not {[str(at) for at in want.index]}"]
    return [
        f"{bucket} {name}: {value!r}, not {wanted!r}"
        for (bucket, *values), wants in zip(got, want.itertuples(index=False), strict=True)
        for name, value, wanted in zip(want.columns, values, wants, strict=True)
        if (value is None) != (wanted is None)
        or (wanted is not None and not math.isclose(value, wanted, rel_tol=TOLERANCE))
    ]
