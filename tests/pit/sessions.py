"""Trading sessions from seeds/, or as edited since, without market.trading_session."""

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

SEEDS = Path(__file__).resolve().parents[2] / "seeds"
DAY = timedelta(days=1)

Hours = list[tuple[str, str]]
Session = tuple[datetime, datetime]


@cache
def _rows(name: str) -> list[dict[str, str]]:
    with (SEEDS / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def of_calendar(
    zone: ZoneInfo,
    regular: Callable[[date], Hours],
    special: Mapping[date, Hours],
    first: date,
    last: date,
) -> list[Session]:
    """(opens, closes) in UTC of a calendar's sessions that open on local days first to last.

    regular: local hours of a day; special: those of a day that has others.
    """
    found = []
    for number in range((last - first).days + 1):
        day = first + number * DAY
        for opens, closes in special.get(day, regular(day)):
            start, end = time.fromisoformat(opens), time.fromisoformat(closes)
            # not after it opens means on the next day
            end_day = day if end > start else day + DAY
            found.append(
                (
                    datetime.combine(day, start, zone).astimezone(UTC),
                    datetime.combine(end_day, end, zone).astimezone(UTC),
                )
            )
    return sorted(found)


def trading_time(since: datetime, until: datetime, sessions: Iterable[Session]) -> timedelta:
    """How much of [since, until) lies in sessions."""
    inside = (min(until, closes) - max(since, opens) for opens, closes in sessions)
    return sum((part for part in inside if part > timedelta()), timedelta())


@dataclass
class Calendar:
    """A calendar's local hours: of weekdays, by the day from which they hold; of days apart."""

    zone: str
    weeks: dict[date, dict[int, Hours]]
    special: dict[date, Hours]

    def week(self, day: date) -> dict[int, Hours]:
        """The one that holds on a day; before the first there is none."""
        begun = [start for start in self.weeks if start <= day]
        return self.weeks[max(begun)] if begun else {}

    def sessions(self, first: date, last: date) -> list[Session]:
        """Those that open on local days first to last."""
        return of_calendar(
            ZoneInfo(self.zone),
            lambda day: self.week(day).get(day.isoweekday(), []),
            self.special,
            first,
            last,
        )


def calendar_of(symbol: str) -> str:
    """The calendar that seeds/ give a symbol."""
    return next(row["calendar_id"] for row in _rows("instrument") if row["symbol"] == symbol)


def as_seeded(calendar: str) -> Calendar:
    """A calendar of seeds/."""
    zone = next(row["time_zone"] for row in _rows("calendar") if row["calendar_id"] == calendar)
    weeks: dict[date, dict[int, Hours]] = {}
    for row in _rows("calendar_session"):
        if row["calendar_id"] == calendar:
            week = weeks.setdefault(date.fromisoformat(row["valid_from"] or "0001-01-01"), {})
            week.setdefault(int(row["iso_weekday"]), []).append((row["opens"], row["closes"]))
    special: dict[date, Hours] = {}
    for row in _rows("calendar_holiday"):
        if row["calendar_id"] == calendar:
            held = special.setdefault(date.fromisoformat(row["day"]), [])
            if row["opens"]:
                held.append((row["opens"], row["closes"]))
    return Calendar(zone, weeks, special)


@cache
def of_symbol(symbol: str, first: date, last: date) -> list[Session]:
    """(opens, closes) in UTC of the symbol's sessions that open on local days first to last."""
    return as_seeded(calendar_of(symbol)).sessions(first, last)
