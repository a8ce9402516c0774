"""How a series kept its contract on a day, and what each miss means, in sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np

from demo.report.pack import Floats
from ingest.replay.synthetic_market import OUTAGES, SYMBOLS

SECOND = 1_000_000
MINUTE = 60 * SECOND
GAP = 5 * MINUTE
NAMED = 3
SYNTHETIC = {one.name for one in SYMBOLS}


@dataclass(frozen=True)
class Day:
    """The versions of one series' day, ordered by bucket and known_at; clocks in microseconds.

    values: a column for each field of the contract, NaN for NULL. sessions: when its market
    trades; None: its calendar has no sessions, or it has no calendar.
    """

    tenant_id: int
    symbol: str
    starts: int
    bucket: Floats
    known_at: Floats
    values: Mapping[str, Floats]
    sessions: Sequence[tuple[int, int]] | None


@dataclass(frozen=True)
class Level:
    """A field's service: when a bar first had a value, and what changed after it was due."""

    field: str
    due_s: int
    bars: int
    in_time: int
    p99_s: float
    worst_s: float
    changed: int
    late: tuple[int, ...]

    def row(self) -> dict[str, Any]:
        """The level for the page."""
        names = ("field", "due_s", "bars", "in_time", "p99_s", "worst_s", "changed")
        return {name: getattr(self, name) for name in names}


def level(day: Day, field: str, due_s: int) -> Level:
    """What a field's service level was.

    A bar is in time if its first value was known due_s after its close at the latest; it is
    changed if a version of after that moment has another value.
    """
    value, gone = day.values[field], np.isnan(day.values[field])
    after_s = (day.known_at - day.bucket - MINUTE) / SECOND
    first_s: dict[int, float] = {}
    for bucket, at in zip(
        day.bucket[~gone].astype(int).tolist(), after_s[~gone].tolist(), strict=True
    ):
        first_s.setdefault(bucket, at)
    same_bar = day.bucket[1:] == day.bucket[:-1]
    other = (value[1:] != value[:-1]) & ~(gone[1:] & gone[:-1]) & ~gone[:-1]
    changed = np.unique(day.bucket[1:][same_bar & other & (after_s[1:] > due_s)])
    took = np.array(sorted(first_s.values())) if first_s else np.zeros(1)
    late = tuple(bucket for bucket, at in first_s.items() if at > due_s)
    return Level(
        field=field,
        due_s=due_s,
        bars=len(first_s),
        in_time=len(first_s) - len(late),
        p99_s=float(took[int(np.ceil(0.99 * len(took))) - 1]),
        worst_s=float(took[-1]),
        changed=len(changed),
        late=late,
    )


def levels(day: Day, contract: Sequence[Mapping[str, Any]]) -> list[Level]:
    """One for each field of the contract, in its order."""
    return [level(day, one["field"], one["due_s"]) for one in contract]


def sentences(day: Day, kept: Sequence[Level], events: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each miss of these levels means, for somebody who has not read the contract."""
    return [*_late(kept), *_changed(day, kept, events), *_gaps(day)]


def _late(kept: Sequence[Level]) -> list[str]:
    """Fields that were late in the same bars share a sentence."""
    fields: dict[tuple[int, ...], list[Level]] = {}
    for one in kept:
        if one.late:
            fields.setdefault(one.late, []).append(one)
    said = []
    for late, those in fields.items():
        names = ", ".join(one.field for one in those)
        said.append(
            f"{names}: {_number(len(late), 'bar')} of {those[0].bars:,} had no value when it was "
            f"due ({_some([_clock(bucket) for bucket in late])}), at worst for "
            f"{span(max(one.worst_s for one in those))}: the ticks that make it came late. Until "
            "then a reader was given the bar before, or NULL."
        )
    return said


def _changed(day: Day, kept: Sequence[Level], events: Sequence[Mapping[str, Any]]) -> list[str]:
    most = max(kept, key=lambda one: one.changed, default=None)
    if most is None or not most.changed:
        return []
    counts = {
        action: sum(event["action"] == action for event in events)
        for action in ("new", "correction", "cancel")
    }
    said = (
        f"Restated: {most.field} of {_number(most.changed, 'bar')} changed after it was due, the "
        f"most of all fields. {_number(counts['new'], 'late tick')}, "
        f"{_number(counts['correction'], 'correction')} and {_number(counts['cancel'], 'cancel')} "
        "changed bars or windows over them. That is no miss: the first value was in time, and a "
        "reader who asks what was known then is still given it."
    )
    if day.symbol in SYNTHETIC:
        said += " The demo sends such ticks on purpose."
    return [said]


def _gaps(day: Day) -> list[str]:
    """Stretches of trading hours without a bar, longest first; and what the demo staged."""
    staged = [
        (day.starts + begins * SECOND, day.starts + (begins + length) * SECOND)
        for tenant_id, symbols, begins, length in OUTAGES
        if tenant_id == day.tenant_id and day.symbol in symbols
    ]
    buckets = np.unique(day.bucket).astype(int).tolist()
    gaps = []
    for before, after in pairwise(buckets):
        begins, ends = before + MINUTE, after
        # a pause of the market is no gap
        traded = day.sessions is None or any(
            opens <= before and after < closes for opens, closes in day.sessions
        )
        if ends - begins >= GAP and traded:
            gaps.append((begins, ends))
    said = []
    for begins, ends in sorted(gaps, key=lambda gap: gap[0] - gap[1])[:NAMED]:
        length = _number(round((ends - begins) / MINUTE), "minute")
        text = f"No bar for {length}, {_clock(begins)} to {_clock(ends)} UTC: "
        if any(begins < until and since < ends for since, until in staged):
            text += "the demo stages this outage, in which nothing arrives. "
        else:
            text += "nothing traded, or the feed was down; the ticks alone do not tell. "
        said.append(
            text + "A bar without a trade does not exist: readers are given the last one, and NULL "
            "once it is stale."
        )
    return said


def span(seconds: float) -> str:
    """A length of time in two digits or so: 0.4 s, 35 s, 12 min, 3.9 h."""
    if seconds < 99.5:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5970 else f"{seconds / 3600:.1f} h"


def _clock(micros: int) -> str:
    return f"{datetime.fromtimestamp(micros / SECOND, UTC):%H:%M}"


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _some(names: list[str]) -> str:
    left = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {left:,} more" if left > 0 else "")
