"""What was known at any moment, by brute force from the raw events, without the SQL.

An oracle answers for two logs. The exact one learns every event at its own known_at, as
feature.backfill does. The live one is told, at the stamps of the publishes, `published`, what the
events applied so far say of that moment. What was known by `live_from` can be given to it exactly,
as a backfill before the first publish does.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

from tests.pit.beliefs import Tick, Version
from tests.pit.sessions import Session, trading_time

FIELDS = (
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
)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
LONGEST_AGE = timedelta(days=31)
MAX_STALENESS = dict.fromkeys(FIELDS, timedelta(seconds=900))
# two float sums of the same numbers in another order differ by less than this
TOLERANCE = 1e-9

Stream = tuple[int, str]
Value = float | str | None


@dataclass(frozen=True)
class Trade:
    """Values of a trade; side is buy, sell or None."""

    price: float
    size: float
    side: str | None


@dataclass(frozen=True)
class Quote:
    """Values of a quote; a side that is not there is None."""

    bid: float | None
    bid_size: float | None
    ask: float | None
    ask_size: float | None


@dataclass(frozen=True)
class VendorBar:
    """Values of a bar as a vendor made it: its ts is the minute, its seq 0."""

    open: float
    high: float
    low: float
    close: float
    volume: float | None
    vwap: float | None


Values = Trade | Quote | VendorBar
# the kinds of the database's names
KINDS: dict[str, type[Trade | Quote | VendorBar]] = {
    "trade": Trade,
    "quote": Quote,
    "bar": VendorBar,
}


@dataclass(frozen=True)
class Event:
    """A message: action is new, correction or cancel; the values of a cancel do not matter."""

    action: str
    tenant_id: int
    symbol: str
    ts: datetime
    seq: int
    values: Values
    known_at: datetime

    @property
    def earliest(self) -> datetime:
        """When it can be known at the earliest."""
        return self.ts + (MINUTE if isinstance(self.values, VendorBar) else timedelta())


@dataclass(frozen=True)
class Bar:
    """The fields that come from the bar's own trades and quotes."""

    open: float
    high: float
    low: float
    close: float
    volume: float | None
    vwap: float | None
    spread_bps: float | None
    order_imbalance: float | None
    spreads: tuple[float, ...]


@dataclass(frozen=True)
class Snapshot:
    """One row of feature_pit_snapshot without the echo of its arguments.

    tags: the regime_tag, and a second one when the bar is so near a threshold that the order of
    a sum decides. later: moments after known_at at which quotes came whose mean is the same but for
    the rounding of a sum, which may be versions or not.
    """

    bucket: datetime | None
    known_at: datetime | None
    values: Mapping[str, Value]
    is_stale: bool
    tags: frozenset[str | None] = frozenset({None})
    later: frozenset[datetime] = frozenset()


NOTHING = Snapshot(None, None, dict.fromkeys(FIELDS), True)


def floor_minute(moment: datetime) -> datetime:
    """Start of the minute."""
    return moment.replace(second=0, microsecond=0)


def bars(believed: Mapping[str, Iterable[Version]], bars_from: str) -> dict[datetime, Bar]:
    """Bars of the minutes that had what they are made of: a quote must be one that counts."""
    spreads: dict[datetime, list[float]] = {}
    mids: dict[datetime, list[float]] = {}
    for version in sorted(believed["quote"], key=lambda v: (v.ts, v.seq)):
        quote = version.values
        assert isinstance(quote, Quote)
        if (
            quote.bid is not None
            and quote.ask is not None
            and 0 < quote.bid <= quote.ask <= 2 * quote.bid
        ):
            spread = 10_000 * (quote.ask - quote.bid) / ((quote.ask + quote.bid) / 2)
            spreads.setdefault(floor_minute(version.ts), []).append(spread)
            mids.setdefault(floor_minute(version.ts), []).append((quote.bid + quote.ask) / 2)
    if bars_from == "quote":
        return {minute: _mid_bar(mid, spreads[minute]) for minute, mid in mids.items()}
    if bars_from == "bar":
        return {v.ts: _vendor_bar(v.values, spreads.get(v.ts, [])) for v in believed["bar"]}
    by_minute: dict[datetime, list[Version]] = {}
    for version in sorted(believed["trade"], key=lambda v: (v.ts, v.seq)):
        by_minute.setdefault(floor_minute(version.ts), []).append(version)
    return {
        minute: _bar([v.values for v in versions], spreads.get(minute, []))
        for minute, versions in by_minute.items()
    }


def _mid_bar(mid: Sequence[float], spreads: list[float]) -> Bar:
    return Bar(
        open=mid[0],
        high=max(mid),
        low=min(mid),
        close=mid[-1],
        volume=None,
        vwap=None,
        spread_bps=math.fsum(spreads) / len(spreads),
        order_imbalance=None,
        spreads=tuple(sorted(spreads)),
    )


def _vendor_bar(told: Values, spreads: list[float]) -> Bar:
    assert isinstance(told, VendorBar)
    vwap = (
        None if not told.volume or told.vwap is None else min(max(told.vwap, told.low), told.high)
    )
    return Bar(
        open=told.open,
        high=told.high,
        low=told.low,
        close=told.close,
        volume=told.volume,
        vwap=vwap,
        spread_bps=math.fsum(spreads) / len(spreads) if spreads else None,
        order_imbalance=None,
        spreads=tuple(sorted(spreads)),
    )


def _bar(ticks: Sequence[Values], spreads: list[float]) -> Bar:
    trades = [tick for tick in ticks if isinstance(tick, Trade)]
    price = [trade.price for trade in trades]
    volume = math.fsum(trade.size for trade in trades)
    bought = math.fsum(trade.size for trade in trades if trade.side == "buy")
    sold = math.fsum(trade.size for trade in trades if trade.side == "sell")
    return Bar(
        open=price[0],
        high=max(price),
        low=min(price),
        close=price[-1],
        volume=volume,
        vwap=min(max(math.fsum(t.price * t.size for t in trades) / volume, min(price)), max(price)),
        spread_bps=math.fsum(spreads) / len(spreads) if spreads else None,
        order_imbalance=(bought - sold) / (bought + sold) if bought + sold else None,
        spreads=tuple(sorted(spreads)),
    )


@dataclass(frozen=True)
class Series:
    """Bars, oldest first, and the log return of each against the one before it."""

    bars: Mapping[datetime, Bar]
    buckets: Sequence[datetime]
    returns: Sequence[float]


def series(made: Mapping[datetime, Bar]) -> Series:
    """The bars with their returns; NaN: the first one has none, nor has a price at or below 0."""
    buckets = sorted(made)
    closes = [made[bucket].close for bucket in buckets]
    returns = [
        math.log(later / one) if min(one, later) > 0 else math.nan
        for one, later in pairwise(closes)
    ]
    return Series(made, buckets, [math.nan, *returns])


def features(made: Series, bucket: datetime) -> tuple[dict[str, Value], frozenset[str | None]]:
    """The eleven fields of one of the bars, and the tags it may have."""
    end = bisect_right(made.buckets, bucket)
    closes = [made.bars[b].close for b in made.buckets[max(0, end - 21) : end]]

    def window(length: timedelta) -> list[float]:
        # a return belongs to the minute of the later bar, however long ago the earlier one was
        begin = bisect_right(made.buckets, bucket - length)
        return [r * r for r in made.returns[max(1, begin) : end] if not math.isnan(r)]

    hour = window(HOUR)
    volatility = math.sqrt(math.fsum(hour)) if len(hour) >= 30 else None
    tags: tuple[str | None, ...] = (None,)
    if volatility and len(closes) > 20 and min(closes[0], closes[-1]) > 0:
        first = made.buckets[bisect_right(made.buckets, bucket - 6 * HOUR)]
        hours = max(1.0, (bucket + MINUTE - first) / HOUR)
        baseline = math.sqrt(math.fsum(window(6 * HOUR)) / hours)
        tags = regime(volatility, baseline, closes[-1], closes[0])
    bar = made.bars[bucket]
    values: dict[str, Value] = {
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume,
        "vwap": bar.vwap,
        "sma_20": math.fsum(closes[-20:]) / 20 if len(closes) >= 20 else None,
        "volatility_1h": volatility,
        "regime_tag": tags[0],
        "spread_bps": bar.spread_bps,
        "order_imbalance": bar.order_imbalance,
    }
    return values, frozenset(tags)


def regime(
    volatility: float, baseline: float, close: float, close_20_ago: float
) -> tuple[str, ...]:
    """The tag; a second one follows when a threshold is nearer than TOLERANCE."""
    limit = 1.5 * baseline
    score = math.log(close / close_20_ago) / (volatility * math.sqrt(20 / 60))
    tag = "trend_up" if score >= 1 else "trend_down" if score <= -1 else "range"
    if math.isclose(abs(score), 1, rel_tol=TOLERANCE):
        calm: tuple[str, ...] = (tag, "range" if tag != "range" else _trend(score))
    else:
        calm = (tag,)
    if math.isclose(volatility, limit, rel_tol=TOLERANCE):
        return ("volatile", *calm) if volatility > limit else (*calm, "volatile")
    return ("volatile",) if volatility > limit else calm


def _trend(score: float) -> str:
    return "trend_up" if score > 0 else "trend_down"


@dataclass
class Oracle:
    """All events of all streams; sessions by symbol, the longest staleness by field.

    bars_from: what the bars of symbols are made of that are not made of trades: quote or bar.
    """

    sessions: Mapping[str, Sequence[Session]]
    max_staleness: Mapping[str, timedelta] = field(default_factory=lambda: MAX_STALENESS)
    stamps: list[datetime] = field(default_factory=list)
    live_from: datetime | None = None
    bars_from: Mapping[str, str] = field(default_factory=dict)
    # from when sessions and longest staleness were known to be others, oldest first
    edits: list[tuple[datetime, Mapping[str, Sequence[Session]], Mapping[str, timedelta]]] = field(
        default_factory=list
    )
    _ticks: dict[tuple[type, Stream], dict[tuple[datetime, int], Tick]] = field(
        default_factory=dict
    )
    _bars: dict[tuple[Stream, datetime, bool], Series] = field(default_factory=dict)
    _features: dict[
        tuple[Stream, datetime, datetime, bool], tuple[dict[str, Value], frozenset[str | None]]
    ] = field(default_factory=dict)

    def apply(self, batch: Sequence[Event]) -> None:
        """Apply events; how they are cut into batches makes no difference."""
        self._forget()
        for event in batch:
            ticks = self._ticks.setdefault(
                (type(event.values), (event.tenant_id, event.symbol)), {}
            )
            ticks.setdefault((event.ts, event.seq), Tick()).apply(event)

    def _forget(self) -> None:
        self._bars.clear()
        self._features.clear()

    @property
    def ticks(self) -> Iterator[Tick]:
        """Every trade, quote and bar."""
        for ticks in self._ticks.values():
            yield from ticks.values()

    def of(self, kind: type[Values], stream: Stream, live: bool = False) -> list[Version]:
        """Every version of a stream's trades, quotes or bars."""
        ticks = self._ticks.get((kind, stream), {}).values()
        return [version for tick in ticks for version in (tick.told if live else tick.exact)]

    def published(self, stamp: datetime) -> None:
        """The live log learns now what was applied so far and known at or before the stamp."""
        self._forget()
        self.stamps.append(stamp)
        for tick in self.ticks:
            tick.tell(stamp)

    def backfilled(self, live_from: datetime) -> None:
        """The live log is given what is known by then, at the moments at which it was known."""
        self._forget()
        self.live_from = live_from
        for tick in self.ticks:
            tick.told = [replace(v) for v in tick.exact if v.known_at <= live_from]
            for version in tick.told:
                if version.superseded_at is not None and version.superseded_at > live_from:
                    version.superseded_at = None

    def complete(self, stamp: datetime) -> bool:
        """Whether the live log's belief at the stamp is the exact one: nothing came later."""
        return all(tick.value(stamp, True) == tick.value(stamp, False) for tick in self.ticks)

    def versions(self) -> Iterator[Version]:
        """Every version of every trade, quote and bar."""
        for tick in self.ticks:
            yield from tick.exact

    def bars_at(self, stream: Stream, known_as_of: datetime, live: bool) -> Series:
        """Every closed bar of the stream as believed at a moment."""
        key = stream, known_as_of, live
        if key not in self._bars:
            believed = {
                name: [v for v in self.of(kind, stream, live) if v.believed(known_as_of)]
                for name, kind in KINDS.items()
            }
            made = bars(believed, self.bars_from.get(stream[1], "trade"))
            self._bars[key] = series(
                {bucket: bar for bucket, bar in made.items() if bucket + MINUTE <= known_as_of}
            )
        return self._bars[key]

    def learnt(self, known_as_of: datetime) -> datetime | None:
        """The moment at which the live log last learnt something; None: nothing so far."""
        at = bisect_right(self.stamps, known_as_of)
        if at:
            return self.stamps[at - 1]
        return min(known_as_of, self.live_from) if self.live_from is not None else None

    def snapshot(
        self,
        tenant_id: int,
        symbol: str,
        as_of: datetime,
        known_as_of: datetime | None = None,
        live: bool = False,
    ) -> Snapshot:
        """What the live log, or else the exact one, answers for one symbol."""
        known: datetime | None = as_of if known_as_of is None else known_as_of
        assert known is not None
        before = bisect_right(self.edits, known, key=lambda edit: edit[0])
        _, sessions, max_staleness = (
            self.edits[before - 1] if before else (None, self.sessions, self.max_staleness)
        )
        if live:
            known = self.learnt(known)
        if known is None:
            return NOTHING
        stream = tenant_id, symbol
        made = self.bars_at(stream, known, live)
        closed = bisect_right(made.buckets, as_of - MINUTE)
        if not closed:
            return NOTHING
        bucket = made.buckets[closed - 1]
        age = trading_time(bucket + MINUTE, as_of, sessions[symbol])
        too_old = as_of - (bucket + MINUTE) > LONGEST_AGE
        stale = {name for name in FIELDS if too_old or age > max_staleness[name]}
        if len(stale) == len(FIELDS):
            return NOTHING
        values, tags = self.features_at(stream, bucket, known, live)
        known_at, later = self.known_since(stream, bucket, known, live)
        return Snapshot(
            bucket,
            known_at,
            {name: None if name in stale else values[name] for name in FIELDS},
            bool(stale),
            frozenset({None}) if "regime_tag" in stale else tags,
            later,
        )

    def features_at(
        self, stream: Stream, bucket: datetime, known_as_of: datetime, live: bool
    ) -> tuple[dict[str, Value], frozenset[str | None]]:
        """The fields of a bar as believed at a moment; KeyError when it does not exist then."""
        key = stream, bucket, known_as_of, live
        if key not in self._features:
            self._features[key] = features(self.bars_at(stream, known_as_of, live), bucket)
        return self._features[key]

    def moments(self, stream: Stream, bucket: datetime, live: bool) -> list[datetime]:
        """When the log could learn something about a bar, from its close on."""
        closes = bucket + MINUTE
        learnt = {
            moment
            for kind in KINDS.values()
            for v in self.of(kind, stream, live)
            if v.ts < closes
            for moment in (v.known_at, v.superseded_at)
            if moment is not None and moment >= closes
        }
        # what was known before the close is learnt at the close, or at the first stamp after it
        is_exact = not live or (self.live_from is not None and closes <= self.live_from)
        learnt.add(closes if is_exact else next(s for s in self.stamps if s >= closes))
        return sorted(learnt)

    def known_since(
        self, stream: Stream, bucket: datetime, known_as_of: datetime, live: bool
    ) -> tuple[datetime, frozenset[datetime]]:
        """Since when the bar has had the values it has at known_as_of: its version's known_at.

        And the moments since then that may be versions too, see Snapshot.
        """
        moments = [m for m in self.moments(stream, bucket, live) if m <= known_as_of]
        values, _ = self.features_at(stream, bucket, known_as_of, live)
        spreads = self.bars_at(stream, known_as_of, live).bars[bucket].spreads
        since, later = moments[-1], set()
        for moment in reversed(moments):
            bar = self.bars_at(stream, moment, live).bars.get(bucket)
            if bar is None or self.features_at(stream, bucket, moment, live)[0] != values:
                break
            if bar.spreads != spreads:
                later.add(since)
            since, spreads = moment, bar.spreads
        return since, frozenset(later)


def differences(got: Mapping[str, object], want: Snapshot) -> list[str]:
    """How a row of feature_pit_snapshot differs; floats may differ by TOLERANCE, relative."""
    wanted = {
        "bucket": want.bucket,
        "is_stale": want.is_stale,
        **want.values,
    }
    wrong = [
        f"{name}: {got[name]!r}, not {value!r}"
        for name, value in wanted.items()
        if not (got[name] in want.tags if name == "regime_tag" else same(got[name], value))
    ]
    if got["known_at"] != want.known_at and got["known_at"] not in want.later:
        wrong.append(f"known_at: {got['known_at']!r}, not {want.known_at!r}")
    return wrong


def same(got: object, want: object) -> bool:
    """Equal, or floats that differ by no more than the order of a sum explains."""
    if isinstance(got, float) and isinstance(want, float):
        return math.isclose(got, want, rel_tol=TOLERANCE)
    return got == want and type(got) is type(want)
