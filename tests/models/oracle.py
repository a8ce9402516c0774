"""The eleven contract fields from ticks, bar by bar in plain Python, without the SQL."""

import math
from typing import Any

import pandas as pd

FIELDS = [
    "open",
    "high",
    "low",
    "close",
    "volume",
    "vwap",
    "sma_20",
    "volatility_1h",
    "regime_tag",
    "spread_bps",
    "order_imbalance",
]
MINUTE = pd.Timedelta(minutes=1)


def bars(trades: pd.DataFrame) -> pd.DataFrame:
    """One row per minute that traded: prices, volume, vwap and order_imbalance.

    trades: ts (UTC), seq, price, size, side ('buy', 'sell' or None) of one symbol.
    """
    rows = []
    ordered = trades.sort_values(["ts", "seq"])
    for bucket, group in ordered.groupby(ordered["ts"].dt.floor("min")):
        price, size = group["price"].tolist(), group["size"].tolist()
        volume = math.fsum(size)
        buy = math.fsum(group.loc[group["side"] == "buy", "size"])
        sell = math.fsum(group.loc[group["side"] == "sell", "size"])
        rows.append(
            {
                "bucket": bucket,
                "open": price[0],
                "high": max(price),
                "low": min(price),
                "close": price[-1],
                "volume": volume,
                "vwap": min(
                    max(
                        math.fsum(p * s for p, s in zip(price, size, strict=True)) / volume,
                        min(price),
                    ),
                    max(price),
                ),
                "order_imbalance": (buy - sell) / (buy + sell) if buy + sell else None,
            }
        )
    return pd.DataFrame(rows)


def usable(quotes: pd.DataFrame) -> list[Any]:
    """The quotes with 0 < bid <= ask <= 2 bid, by (ts, seq)."""
    return [
        row
        for row in quotes.sort_values(["ts", "seq"]).itertuples()
        if row.bid is not None and row.ask is not None and 0 < row.bid <= row.ask <= 2 * row.bid
    ]


def mid_bars(quotes: pd.DataFrame) -> pd.DataFrame:
    """One row per minute with such a quote: the prices are its mids', the rest is not there."""
    mids: dict[pd.Timestamp, list[float]] = {}
    for row in usable(quotes):
        mids.setdefault(row.ts.floor("min"), []).append(0.5 * (row.bid + row.ask))
    return pd.DataFrame(
        {
            "bucket": bucket,
            "open": mid[0],
            "high": max(mid),
            "low": min(mid),
            "close": mid[-1],
            "volume": None,
            "vwap": None,
            "order_imbalance": None,
        }
        for bucket, mid in mids.items()
    )


def spreads(quotes: pd.DataFrame) -> dict[pd.Timestamp, float]:
    """Mean spread in basis points of each minute with a quote of 0 < bid <= ask <= 2 bid."""
    found = [
        (row.ts.floor("min"), 10000 * (row.ask - row.bid) / (row.bid + row.ask) * 2)
        for row in usable(quotes)
    ]
    return {
        minute: math.fsum(group["bps"]) / len(group)
        for minute, group in pd.DataFrame(found, columns=["minute", "bps"]).groupby("minute")
    }


def realised(
    returns: list[tuple[pd.Timestamp, float | None]], bucket: pd.Timestamp, minutes: int
) -> list[tuple[pd.Timestamp, float]]:
    """The returns that there are whose bar starts in (bucket - minutes, bucket]."""
    start = bucket - minutes * MINUTE
    return [(at, value) for at, value in returns if value is not None and start < at <= bucket]


def regime(volatility: float, baseline: float, close: float, close_20_ago: float) -> str:
    """The tag of a bar whose inputs are all there and whose volatility is above zero."""
    if volatility > 1.5 * baseline:
        return "volatile"
    score = math.log(close / close_20_ago) / (volatility * math.sqrt(20 / 60))
    return "trend_up" if score >= 1 else "trend_down" if score <= -1 else "range"


def features(trades: pd.DataFrame, quotes: pd.DataFrame, bars_from: str) -> pd.DataFrame:
    """One row per bar of one symbol, indexed by bucket; None where the contract says NULL.

    bars_from: trade or quote.
    """
    frame = bars(trades) if bars_from == "trade" else mid_bars(quotes)
    spread = spreads(quotes)
    closes, buckets = frame["close"].tolist(), frame["bucket"].tolist()
    # the return of the bar at [i - 1]; None where a price is not above zero
    returns = [
        (later, math.log(close / before) if min(close, before) > 0 else None)
        for later, close, before in zip(buckets[1:], closes[1:], closes, strict=False)
    ]
    sma: list[float | None] = []
    hourly: list[float | None] = []
    tags: list[str | None] = []
    for i, bucket in enumerate(buckets):
        sma.append(math.fsum(closes[i - 19 : i + 1]) / 20 if i >= 19 else None)
        hour = realised(returns[:i], bucket, 60)
        volatility = math.sqrt(math.fsum(r * r for _, r in hour)) if len(hour) >= 30 else None
        hourly.append(volatility)
        if not volatility or i < 20 or min(closes[i], closes[i - 20]) <= 0:
            tags.append(None)
            continue
        six = realised(returns[:i], bucket, 360)
        # "per hour": of the hours that the window's bars cover (DECISIONS.md, regime_tag)
        first = next(b for b in buckets if b > bucket - 360 * MINUTE)
        hours = max(1.0, (bucket + MINUTE - first) / pd.Timedelta(hours=1))
        baseline = math.sqrt(math.fsum(r * r for _, r in six) / hours)
        tags.append(regime(volatility, baseline, closes[i], closes[i - 20]))
    frame["sma_20"], frame["volatility_1h"], frame["regime_tag"] = sma, hourly, tags
    frame["spread_bps"] = [spread.get(bucket) for bucket in buckets]
    return frame.set_index("bucket")[FIELDS].astype(object).where(lambda f: f.notna(), None)
