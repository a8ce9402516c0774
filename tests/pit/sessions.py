"""Trading sessions from seeds/, without market.trading_session."""

import csv
from collections.abc import Mapping
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
    regular: Mapping[int, Hours],
    special: Mapping[date, Hours],
    first: date,
    last: date,
) -> list[tuple[datetime, datetime]]:
    """(opens, closes) in UTC of a calendar's sessions that open on local days first to last.

    regular: local hours by ISO weekday; special: those of a day that has others.
    """
    found = []
    for number in range((last - first).days + 1):
        day = first + number * DAY
        for opens, closes in special.get(day, regular.get(day.isoweekday(), [])):
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
    regular: dict[int, Hours] = {}
    for row in _rows("calendar_session"):
        if row["calendar_id"] == calendar:
            hours = row["opens"], row["closes"]
            regular.setdefault(int(row["iso_weekday"]), []).append(hours)
    special = {
        date.fromisoformat(row["day"]): [(row["opens"], row["closes"])] if row["opens"] else []
        for row in _rows("calendar_holiday")
        if row["calendar_id"] == calendar
    }
    return of_calendar(zone, regular, special, first, last)
