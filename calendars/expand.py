"""The sessions of seeds/ as moments, to be compared with those of the library."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from calendars import library
from calendars.files import CALENDAR, HOLIDAY, SESSION, Row, Rows, announced, ends, hours
from calendars.model import CLOSED, Hours, days

Moments = list[tuple[datetime, datetime]]


def written(rows: Rows, calendar_id: str) -> Moments:
    """What the files say, in order, as market.trading_session() has it."""
    weeks: dict[str, list[Row]] = {}
    for row in rows[SESSION]:
        if row["calendar_id"] == calendar_id:
            weeks.setdefault(row["valid_from"], []).append(row)
    special: dict[str, list[Row]] = {}
    for row in rows[HOLIDAY]:
        if row["calendar_id"] == calendar_id:
            special.setdefault(row["day"], []).append(row)
    found: Moments = []
    for day in days(library.BEGINS, ends(rows)[calendar_id]):
        if str(day) in special:
            held = hours(special[str(day)])
        else:
            # empty sorts before every date
            week = max((begins for begins in weeks if begins <= str(day)), default=None)
            of_day = [row for row in weeks.get(week or "", []) if row["iso_weekday"] == f"{day:%u}"]
            held = hours(of_day) if week is not None else CLOSED
        found += moments(day, held, _zone(rows, calendar_id))
    return found


def expected(rows: Rows, calendar_id: str) -> Moments:
    """What the library says, and of the days that were announced what was announced."""
    sessions = library.sessions(calendar_id, ends(rows)[calendar_id])
    for (other, day), of_day in announced(rows).items():
        if other == calendar_id:
            at = date.fromisoformat(day)
            sessions[at] = moments(at, hours(of_day), _zone(rows, calendar_id))
    return sorted(session for of_day in sessions.values() for session in of_day)


def moments(day: date, held: Hours, zone: ZoneInfo) -> Moments:
    """The sessions that open on a local day, as moments."""

    def at(day: date, clock: time) -> datetime:
        return datetime.combine(day, clock, zone).astimezone(UTC)

    return [
        (at(day, opens), at(day if closes > opens else day + timedelta(days=1), closes))
        for opens, closes in held
    ]


def _zone(rows: Rows, calendar_id: str) -> ZoneInfo:
    (zone,) = (row["time_zone"] for row in rows[CALENDAR] if row["calendar_id"] == calendar_id)
    return ZoneInfo(zone)
