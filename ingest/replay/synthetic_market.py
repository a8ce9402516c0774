"""The market behind the synthetic day: sessions, price paths, activity, ticks of each stream."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

SECONDS = 86_400
MICROSECOND = 1_000_000
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Columns = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Symbol:
    """One instrument: price at the day's start, tick, volatility (fraction a day), activity."""

    name: str
    price: float
    tick: float
    volatility: float
    weight: float
    lot: float
    lot_step: float
    venue: str


SYMBOLS = (
    Symbol("SYN_ES", 6000.0, 0.25, 0.011, 1.6, 2.0, 1.0, "futures"),
    Symbol("SYN_NQ", 21000.0, 0.25, 0.015, 1.4, 2.0, 1.0, "futures"),
    Symbol("SYN_CL", 70.0, 0.01, 0.022, 1.0, 2.0, 1.0, "futures"),
    Symbol("SYN_GC", 2700.0, 0.1, 0.012, 0.9, 2.0, 1.0, "futures"),
    Symbol("SYN_BTCUSD", 95000.0, 0.01, 0.030, 1.4, 0.05, 0.0001, "crypto"),
    Symbol("SYN_ETHUSD", 3400.0, 0.01, 0.038, 1.1, 0.6, 0.001, "crypto"),
    Symbol("SYN_EURUSD", 1.08, 1e-05, 0.006, 1.2, 500_000.0, 1000.0, "fx"),
    Symbol("SYN_AAPL", 230.0, 0.01, 0.016, 0.9, 120.0, 1.0, "equity"),
)
TENANTS = {
    1: tuple(symbol.name for symbol in SYMBOLS),
    2: ("SYN_ES", "SYN_BTCUSD", "SYN_EURUSD", "SYN_AAPL"),
}
# (tenant, symbols, first second of the day, seconds): the feed was down, nothing arrived
OUTAGES = (
    (1, ("SYN_ES", "SYN_NQ", "SYN_CL", "SYN_GC"), 11 * 3600 + 17 * 60, 9 * 60),
    (2, ("SYN_BTCUSD",), 4 * 3600 + 41 * 60, 6 * 60),
)


def open_seconds(venue: str, day: date) -> npt.NDArray[np.bool_]:
    """For each second of the UTC day, whether the venue trades (daylight saving included)."""
    is_open = np.ones(SECONDS, dtype=np.bool_)
    if venue == "equity":
        is_open[:] = False
        is_open[_second(day, time(9, 30), "New_York") : _second(day, time(16), "New_York")] = True
    elif venue == "futures":
        closes = _second(day, time(16), "Chicago")
        friday = day.isoweekday() == 5
        is_open[closes : None if friday else closes + 3600] = False
    elif venue == "fx" and day.isoweekday() == 5:
        is_open[_second(day, time(17), "New_York") :] = False
    return is_open


def _second(day: date, local: time, city: str) -> int:
    moment = datetime.combine(day, local, ZoneInfo(f"America/{city}")).astimezone(UTC)
    return int((moment - datetime.combine(day, time(), UTC)) / timedelta(seconds=1))


@dataclass(frozen=True)
class Path:
    """A symbol's day, second by second: mid price, activity, agitation (1 is usual)."""

    mid: Floats
    activity: Floats
    agitation: Floats


def path(symbol: Symbol, day: date, random: np.random.Generator) -> Path:
    """A price with quiet and wild hours, bursts, trends; activity is zero while closed."""
    hour = np.arange(SECONDS) / 3600
    is_open = open_seconds(symbol.venue, day)
    # two humps: Europe opens, New York opens and closes (a U within its session)
    shape = 0.30 + 0.45 * _hump(hour, 8.0, 1.2) + 1.2 * _hump(hour, 14.6, 0.8)
    shape += 0.9 * _hump(hour, 20.7, 0.7)
    bursts = np.ones(SECONDS)
    for _ in range(5):
        begins = random.integers(0, SECONDS - 3600)
        bursts[begins : begins + random.integers(1500, 3600)] *= random.uniform(2.5, 4.0)
    slow = np.repeat(np.cumsum(random.normal(0, 0.06, SECONDS // 60)), 60)
    agitation = bursts * np.exp(slow - slow.mean())
    volatility = np.where(is_open, (0.4 + shape) * agitation, 0.0)
    volatility *= symbol.volatility / np.sqrt(np.sum(volatility**2))
    drift = np.zeros(SECONDS)
    for direction in (1, -1, 1, -1, 1, -1):
        begins, length = random.integers(0, SECONDS - 5400), random.integers(2400, 5400)
        span = slice(begins, begins + length)
        # about twice the hour's standard deviation in an hour
        drift[span] += direction * 2.0 * volatility[span].mean() / np.sqrt(3600)
    steps = drift + volatility * random.standard_normal(SECONDS)
    activity = np.where(is_open, shape * np.sqrt(agitation * bursts), 0.0)
    return Path(symbol.price * np.exp(np.cumsum(steps)), activity, agitation)


def _hump(hour: Floats, centre: float, width: float) -> Floats:
    return np.exp(-(((hour - centre) / width) ** 2))


def _times(count: int, activity: Floats, random: np.random.Generator) -> Ints:
    """Sorted microseconds of the day, dense where activity is."""
    sums = np.cumsum(activity)
    seconds = np.searchsorted(sums, np.sort(random.uniform(0, sums[-1], count)), side="right")
    return np.sort(seconds * MICROSECOND + random.integers(0, MICROSECOND, count))


def ticks(
    symbol: Symbol, tenant_id: int, market: Path, counts: tuple[int, int], random: Any
) -> tuple[Columns, Columns]:
    """The stream of one tenant and symbol: trades and quotes by column, clocks from 00:00.

    counts is (trades, quotes). known_at follows ts by some milliseconds, more when agitated.
    """
    activity = market.activity.copy()
    for outage_tenant, names, begins, length in OUTAGES:
        if outage_tenant == tenant_id and symbol.name in names:
            activity[begins : begins + length] = 0.0
    trade_ts, quote_ts = (_times(count, activity, random) for count in counts)
    # a large order meets several others at once: equal times, told apart by seq
    sweeps = np.flatnonzero(random.random(len(trade_ts)) < 0.02)
    sweeps = sweeps[sweeps > 0]
    trade_ts[sweeps] = trade_ts[sweeps - 1]
    trade_ts.sort()
    bought = random.random(len(trade_ts)) < 0.5 + 0.25 * np.sin(trade_ts / (900 * MICROSECOND))
    bid, ask = _book(symbol, market, trade_ts, random)
    trades: Columns = {
        "ts": trade_ts,
        "price": np.where(bought, ask, bid),
        "size": _sizes(symbol, len(trade_ts), random),
        "side": np.where(bought, "buy", "sell").astype(object),
    }
    bid, ask = _book(symbol, market, quote_ts, random)
    quotes: Columns = {
        "ts": quote_ts,
        "bid": bid,
        "bid_size": _sizes(symbol, len(quote_ts), random),
        "ask": ask,
        "ask_size": _sizes(symbol, len(quote_ts), random),
    }
    for columns in (trades, quotes):
        count = len(columns["ts"])
        agitation = market.agitation[columns["ts"] // MICROSECOND]
        lag = random.lognormal(np.log(3000), 0.6, count) * np.sqrt(agitation)
        columns["known_at"] = columns["ts"] + lag.astype(np.int64)
        columns["seq"] = np.arange(1, count + 1)
        columns["tenant_id"] = np.full(count, tenant_id)
        columns["symbol"] = np.full(count, symbol.name, dtype=object)
    return trades, quotes


def _book(symbol: Symbol, market: Path, ts: Ints, random: Any) -> tuple[Floats, Floats]:
    """Best bid and offer on the tick grid around the mid, wider when agitated."""
    second = ts // MICROSECOND
    mid = market.mid[second]
    usual = max(1.0, symbol.price * 0.00002 / symbol.tick)
    wider = 1 + random.poisson(0.3 * usual * np.minimum(market.agitation[second], 6.0))
    bid = np.floor(mid / symbol.tick) - wider // 2
    decimals = max(2, round(-np.log10(symbol.tick)))
    return (
        np.round(bid * symbol.tick, decimals),
        np.round((bid + wider) * symbol.tick, decimals),
    )


def _sizes(symbol: Symbol, count: int, random: Any) -> Floats:
    steps = np.maximum(1, np.round(random.lognormal(0, 1.0, count) * symbol.lot / symbol.lot_step))
    return np.asarray(np.round(steps * symbol.lot_step, 4), dtype=np.float64)
