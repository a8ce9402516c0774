"""Bars of one series as each publish leaves them where the formulas change between publishes.

What a publish does not recompute stays as another definition has made it: an own field where no
tick of the bar changed, a window where nothing that windows read changed in its reach.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tests.pit.oracle import MINUTE, Event, Trade, floor_minute

# how far windows of market_1m look back
REACH_BARS, REACH = 20, timedelta(hours=6)


@dataclass(frozen=True)
class Said:
    """What a version of a bar says, as far as it is followed here."""

    close: float
    volume: float
    sma_20: float | None = None


class Restated:
    """Trades of one series, and what was said of its bars since when."""

    def __init__(self) -> None:
        self.believed: dict[datetime, dict[tuple[datetime, int], Trade]] = {}
        self._changed: set[datetime] = set()
        self._said: dict[datetime, Said] = {}
        self._stamps: list[datetime] = []
        self._states: list[Mapping[datetime, Said]] = []

    def apply(self, events: Iterable[Event]) -> None:
        """What the next publish will take."""
        for event in events:
            assert isinstance(event.values, Trade)
            minute = floor_minute(event.ts)
            trades = self.believed.setdefault(minute, {})
            key = event.ts, event.seq
            if event.action == "cancel":
                del trades[key]
            elif trades.get(key) == event.values:
                # corrected to what it was: nothing changes
                continue
            else:
                trades[key] = event.values
            self._changed.add(minute)

    def published(self, stamp: datetime, values: Mapping[str, float]) -> None:
        """values: of variables and factors of formulas, as the models have them by then."""
        before, now = self._said, dict(self._said)
        reached = []
        for minute in sorted(self._changed):
            was = before.get(minute)
            trades = [trade for _, trade in sorted(self.believed[minute].items())]
            if not trades:
                now.pop(minute, None)
            else:
                volume = values["volume"] * sum(trade.size for trade in trades)
                now[minute] = Said(trades[-1].price, volume, was.sma_20 if was else None)
            if (was and was.close) != (trades[-1].price if trades else None):
                reached.append((minute, self._reached_to(minute)))
        self._changed.clear()
        buckets, bars = sorted(now), int(values["sma_bars"])
        closes = [now[bucket].close for bucket in buckets]
        for place, bucket in enumerate(buckets):
            if any(first <= bucket <= last for first, last in reached):
                window = closes[max(0, place + 1 - bars) : place + 1]
                mean = sum(window) / bars if len(window) == bars else None
                now[bucket] = replace(now[bucket], sma_20=mean)
        self._said = now
        self._stamps.append(stamp)
        self._states.append(now)

    def _reached_to(self, minute: datetime) -> datetime:
        """The last bar that windows bring a change of this one to."""
        later = sorted(bucket for bucket in self._said if bucket > minute)
        if len(later) <= REACH_BARS:
            return datetime.max.replace(tzinfo=minute.tzinfo)
        return max(later[0] + REACH, later[REACH_BARS])

    def at(self, known: datetime) -> Mapping[datetime, Said]:
        """The bars as known then; none before the first publish."""
        place = bisect_right(self._stamps, known)
        return self._states[place - 1] if place else {}


def closed(bars: Mapping[datetime, Said], as_of: datetime) -> list[datetime]:
    """The bars that had closed by then, oldest first."""
    return sorted(bucket for bucket in bars if bucket + MINUTE <= as_of)
