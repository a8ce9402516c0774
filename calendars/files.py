"""The three files of seeds/: read, and written so that what people put in them stays."""

import csv
import io
from collections.abc import Iterable
from datetime import date, time
from pathlib import Path

from calendars.model import Calendar, Hours

SEEDS = Path(__file__).resolve().parent.parent / "seeds"
CALENDAR, SESSION, HOLIDAY = FILES = "calendar", "calendar_session", "calendar_holiday"
COLUMNS = {
    CALENDAR: ["calendar_id", "time_zone", "description", "source", "ends_on", "known_at"],
    SESSION: ["calendar_id", "valid_from", "iso_weekday", "opens", "closes", "known_at"],
    HOLIDAY: ["calendar_id", "day", "name", "opens", "closes", "known_at"],
}

Row = dict[str, str]
Rows = dict[str, list[Row]]


def read(directory: Path) -> Rows:
    """The rows of each file, every column of it filled."""
    rows = {}
    for name, columns in COLUMNS.items():
        with (directory / f"{name}.csv").open(newline="", encoding="utf-8-sig") as file:
            rows[name] = [
                {column: row.get(column) or "" for column in columns}
                for row in csv.DictReader(file)
            ]
    return rows


def text(rows: list[Row], name: str) -> str:
    """A file's whole text; without known_at where no row has one."""
    columns = [
        column for column in COLUMNS[name] if column != "known_at" or any(r[column] for r in rows)
    ]
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def merge(calendars: Iterable[Calendar], kept: Rows) -> tuple[Rows, list[str]]:
    """The rows of calendars and of what is kept, and a line for each thing that differs.

    Kept are the calendars that are none of ours, the days of ours that have a known_at, whatever
    we say of them: they were announced; and the known_at of other rows that are the same.
    """
    made: Rows = {name: [] for name in FILES}
    for calendar in calendars:
        made[CALENDAR].append(
            {
                "calendar_id": calendar.calendar_id,
                "time_zone": calendar.time_zone,
                "description": calendar.description,
                "source": calendar.source,
                "ends_on": str(calendar.ends_on),
            }
        )
        for week in calendar.weeks:
            for weekday, hours in week.hours.items():
                of = {
                    "calendar_id": calendar.calendar_id,
                    "valid_from": str(week.valid_from or ""),
                    "iso_weekday": str(weekday),
                }
                made[SESSION] += [of | bounds for bounds in _bounds(hours)]
        for day, special in calendar.special.items():
            of = {"calendar_id": calendar.calendar_id, "day": str(day), "name": special.name}
            made[HOLIDAY] += [of | bounds for bounds in _bounds(special.hours) or [{}]]
    for name, columns in COLUMNS.items():
        made[name] = [dict.fromkeys(columns, "") | row for row in made[name]]
    notes = _announced(made, kept)
    ours = {row["calendar_id"] for row in made[CALENDAR]}
    for name in FILES:
        known = {_said(row): row["known_at"] for row in kept[name]}
        for row in made[name]:
            row["known_at"] = row["known_at"] or known.get(_said(row), "")
        made[name] += [row for row in kept[name] if row["calendar_id"] not in ours]
        made[name].sort(key=lambda row: [*row.values()])
    days = {_day(row) for row in made[HOLIDAY]}
    notes += [
        f"taken out: {' '.join(day)}: its source does not know it, nor has it a known_at"
        for day in sorted({_day(row) for row in kept[HOLIDAY]} - days)
    ]
    return made, notes


def announced(rows: Rows) -> dict[tuple[str, str], list[Row]]:
    """The rows of the days, by calendar and day, that have a known_at."""
    found = {_day(row) for row in rows[HOLIDAY] if row["known_at"]}
    return {day: [row for row in rows[HOLIDAY] if _day(row) == day] for day in sorted(found)}


def _announced(made: Rows, kept: Rows) -> list[str]:
    """Put the announced days of kept in the place of made's; say where these differ."""
    ours = {row["calendar_id"] for row in made[CALENDAR]}
    notes = []
    for day, here in announced(kept).items():
        if day[0] not in ours:
            continue
        there = [row for row in made[HOLIDAY] if _day(row) == day]
        if not there or hours(here) != hours(there):
            notes.append(
                f"announced: {' '.join(day)} {here[0]['name']}: {_words(here)}, where its source "
                f"has {_words(there) if there else 'a regular day'}"
            )
        made[HOLIDAY] = [row for row in made[HOLIDAY] if _day(row) != day]
        made[HOLIDAY] += [dict(row) for row in here]
    return notes


def _day(row: Row) -> tuple[str, str]:
    return row["calendar_id"], row["day"]


def _said(row: Row) -> tuple[str, ...]:
    return tuple(value for column, value in row.items() if column != "known_at")


def _words(rows: list[Row]) -> str:
    held = [f"{opens:%H:%M}-{closes:%H:%M}" for opens, closes in hours(rows)]
    return " and ".join(held) or "closed"


def _bounds(hours: Hours) -> list[Row]:
    return [{"opens": f"{opens:%H:%M}", "closes": f"{closes:%H:%M}"} for opens, closes in hours]


def ends(rows: Rows) -> dict[str, date]:
    """The last day of each calendar."""
    return {row["calendar_id"]: date.fromisoformat(row["ends_on"]) for row in rows[CALENDAR]}


def hours(rows: list[Row]) -> Hours:
    """The sessions of rows of one day, in order; none where it is closed."""
    return tuple(
        sorted(
            (time.fromisoformat(row["opens"]), time.fromisoformat(row["closes"]))
            for row in rows
            if row["opens"]
        )
    )
