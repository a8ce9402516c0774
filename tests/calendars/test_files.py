"""What people put into the calendars of seeds/ stays when they are made anew."""

from datetime import date, time

import pytest

from calendars import files
from calendars.files import Row, Rows
from calendars.model import CLOSED, Calendar, SpecialDay, Week

DAY = date(2025, 1, 9)
LONG = ((time(9), time(16)),)
SHORT = ((time(9), time(12)),)


def source(special: dict[date, SpecialDay]) -> Calendar:
    """What the source of a calendar knows."""
    week = Week(date(2000, 1, 1), dict.fromkeys(range(1, 6), LONG))
    return Calendar("ours", "UTC", "a", "source 1", date(2027, 12, 31), [week], special)


@pytest.fixture
def kept() -> Rows:
    """The files as they were made of a source without special days."""
    return files.merge([source({})], {name: [] for name in files.FILES})[0]


def holiday(**cells: str) -> Row:
    row = dict.fromkeys(files.COLUMNS[files.HOLIDAY], "")
    return row | {"calendar_id": "ours", "day": str(DAY), "name": "Storm"} | cells


def test_what_was_announced_stays_and_the_difference_is_said(kept: Rows) -> None:
    kept[files.HOLIDAY] = [holiday(known_at="2025-01-08 20:00:00+00")]
    made, notes = files.merge([source({})], kept)
    assert made == kept
    assert notes == ["announced: ours 2025-01-09 Storm: closed, where its source has a regular day"]
    made, notes = files.merge([source({DAY: SpecialDay("Half", SHORT)})], kept)
    assert made == kept
    assert notes == ["announced: ours 2025-01-09 Storm: closed, where its source has 09:00-12:00"]


def test_once_the_source_knows_it_nothing_is_said(kept: Rows) -> None:
    kept[files.HOLIDAY] = [holiday(known_at="2025-01-08 20:00:00+00")]
    assert files.merge([source({DAY: SpecialDay("Its name", CLOSED)})], kept) == (kept, [])


def test_a_day_of_two_sessions_is_announced_as_a_whole(kept: Rows) -> None:
    kept[files.HOLIDAY] = [
        holiday(opens="09:00", closes="10:00"),
        holiday(opens="13:00", closes="14:00", known_at="2025-01-08 20:00:00+00"),
    ]
    made, notes = files.merge([source({DAY: SpecialDay("Half", SHORT)})], kept)
    assert made == kept
    assert "09:00-10:00 and 13:00-14:00, where its source has 09:00-12:00" in notes[0]


def test_what_nobody_announced_goes_and_that_is_said(kept: Rows) -> None:
    kept[files.HOLIDAY] = [holiday()]
    made, notes = files.merge([source({})], kept)
    assert made[files.HOLIDAY] == []
    assert notes == [
        "taken out: ours 2025-01-09: its source does not know it, nor has it a known_at"
    ]


def test_a_known_at_stays_while_its_row_is_the_same(kept: Rows) -> None:
    for name in (files.CALENDAR, files.SESSION):
        kept[name][0]["known_at"] = "2024-01-01 00:00:00+00"
    assert files.merge([source({})], kept)[0] == kept
    kept[files.SESSION][0]["closes"] = "17:00"
    (of_calendar, *_), (monday, *_) = (
        files.merge([source({})], kept)[0][name] for name in (files.CALENDAR, files.SESSION)
    )
    assert of_calendar["known_at"] == "2024-01-01 00:00:00+00"
    assert (monday["closes"], monday["known_at"]) == ("16:00", "")


def test_calendars_of_others_stay_in_their_place(kept: Rows) -> None:
    for name in (files.CALENDAR, files.SESSION):
        kept[name].insert(0, kept[name][0] | {"calendar_id": "others"})
    kept[files.HOLIDAY] = [holiday(calendar_id="others")]
    assert files.merge([source({})], kept) == (kept, [])


def test_seeds_are_sorted_and_every_announcement_is_before_the_day_ends() -> None:
    rows = files.read(files.SEEDS)
    for name in files.FILES:
        assert files.text(rows[name], name) == (files.SEEDS / f"{name}.csv").read_text()
        assert rows[name] == sorted(rows[name], key=lambda row: [*row.values()])
    found = files.announced(rows)
    assert len(found) > 30
    for (_, day), of_day in found.items():
        for row in of_day:
            assert row["known_at"].endswith("+00")
            assert row["known_at"][:10] <= day, row
