"""Trading sessions from seeds/, without market.trading_session."""

import csv
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

SEEDS = Path(__file__).resolve().parents[2] / "seeds"
DAY = timedelta(days=1)

Hours = list[tuple[str, str]]


def _rows(name: str) -> list[dict[str, str]]:
    with (SEEDS / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def of_calendar(
    zone: ZoneInfo,
    regular: Callable[[date], Hours],
    special: Mapping[date, Hours],
    first: date,
    last: date,
) -> list[tuple[datetime, datetime]]:
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


@cache
def of_symbol(symbol: str, first: date, last: date) -> list[tuple[datetime, datetime]]:
    """(opens, closes) in UTC of the symbol's sessions that open on local days first to last."""
    calendar = next(row["calendar_id"] for row in _rows("instrument") if row["symbol"] == symbol)
    zone = ZoneInfo(
        next(row["time_zone"] for row in _rows("calendar") if row["calendar_id"] == calendar)
    )
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

    def regular(day: date) -> Hours:
        return weeks[max(start for start in weeks if start <= day)].get(day.isoweekday(), [])

    return of_calendar(zone, regular, special, first, last)
