"""What was believed of one trade, quote or bar, by brute force from its events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.pit.oracle import Event, Values


@dataclass
class Version:
    """One version of a trade, quote or bar, believed in [known_at, superseded_at); None: still."""

    ts: datetime
    seq: int
    values: Values
    known_at: datetime
    superseded_at: datetime | None = None

    def believed(self, at: datetime) -> bool:
        """Whether this version is what is believed at that moment."""
        return self.known_at <= at and (self.superseded_at is None or at < self.superseded_at)


RANK = {"new": 0, "correction": 1, "cancel": 2}


@dataclass
class Tick:
    """A key: its events as they came, without repetitions and contradictions.

    exact: what they say was believed, whatever their order; told: what the live log believed.
    """

    events: list[Event] = field(default_factory=list)
    exact: list[Version] = field(default_factory=list)
    told: list[Version] = field(default_factory=list)

    def apply(self, event: Event) -> None:
        """Take an event, unless it was said or contradicts one that was."""
        if not any(self._is_same(old, event) for old in self.events if old.action == event.action):
            self.events.append(event)
            self.exact = list(self._believed())

    def _is_same(self, old: Event, event: Event) -> bool:
        """Whether the two speak of the same: then the second one says it again or is wrong."""
        if event.action != "new":
            return old.known_at == event.known_at
        first = min(e.known_at for e in (*self.events, event) if e.action == "new")
        early, late = sorted((old.known_at, event.known_at))
        cancels = (max(e.known_at, first) for e in self.events if e.action == "cancel")
        return not any(early <= at < late for at in cancels)

    def _believed(self) -> Iterator[Version]:
        """Walk through the moments at which something became known."""
        ticks = [event for event in self.events if event.action == "new"]
        if not ticks:
            return
        first = min(ticks, key=lambda event: event.known_at)
        others = [event for event in self.events if event is not first]
        others.sort(key=lambda event: (event.known_at, RANK[event.action]))
        by_moment: dict[datetime, list[Event]] = {}
        for event in (first, *others):
            by_moment.setdefault(max(event.known_at, first.known_at), []).append(event)
        version: Version | None = None
        for moment, events in by_moment.items():
            values = None if events[-1].action == "cancel" else events[-1].values
            opening = None if events[0].action == "cancel" else events[0].values
            if version is None and opening is not None and opening != values:
                yield Version(first.ts, first.seq, opening, moment, moment)
            if values == (version and version.values):
                continue
            if version is not None:
                version.superseded_at = moment
                yield version
            version = None if values is None else Version(first.ts, first.seq, values, moment)
        if version is not None:
            yield version

    def value(self, at: datetime, live: bool) -> Values | None:
        """What is believed at that moment; None: no such tick."""
        versions = self.told if live else self.exact
        return next((v.values for v in versions if v.believed(at)), None)

    def tell(self, stamp: datetime) -> None:
        """Publish: the live log believes from now on what the events say of the stamp."""
        values = self.value(stamp, live=False)
        last = self.told[-1] if self.told and self.told[-1].superseded_at is None else None
        if values == (last and last.values):
            return
        if last is not None:
            last.superseded_at = stamp
        if values is not None:
            ts, seq = self.events[0].ts, self.events[0].seq
            self.told.append(Version(ts, seq, values, stamp))
