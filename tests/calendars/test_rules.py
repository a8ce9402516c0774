"""Hours of CME Group and of foreign exchange against what was published of single days."""

from datetime import date, time

import pytest

from calendars import rules
from calendars.model import Calendar, days

ENDS = date(2027, 12, 31)
CALENDARS = {calendar.calendar_id: calendar for calendar in rules.calendars(ENDS)}


def closes(calendar: Calendar, trade_day: str) -> str:
    """When the session of a trade day closes; it opens the evening before."""
    day = date.fromordinal(date.fromisoformat(trade_day).toordinal() - 1)
    hours = calendar.hours(day)
    assert all(opens == time(17) for opens, _ in hours)
    return " ".join(f"{end:%H:%M}" for _, end in hours) or "closed"


@pytest.mark.parametrize(
    ("trade_day", "equity", "rates", "energy"),
    [
        # the day itself is Monday 21 September: before, other hours held
        ("2015-09-18", "closed", "closed", "closed"),
        ("2015-09-21", "16:00", "16:00", "16:00"),
        ("2017-07-03", "12:15", "16:00", "16:00"),
        ("2017-07-04", "12:00", "12:00", "12:00"),
        ("2020-07-02", "16:00", "16:00", "16:00"),
        ("2020-07-03", "12:00", "12:00", "12:00"),
        ("2020-11-27", "12:15", "12:15", "12:45"),
        ("2021-04-02", "08:15", "10:15", "closed"),
        ("2021-12-24", "closed", "closed", "closed"),
        ("2021-12-31", "16:00", "16:00", "16:00"),
        ("2022-06-20", "12:00", "12:00", "13:30"),
        ("2022-09-05", "12:00", "12:00", "12:00"),
        ("2022-12-26", "closed", "closed", "closed"),
        ("2023-02-20", "12:00", "12:00", "13:30"),
        ("2024-03-29", "closed", "closed", "closed"),
        ("2024-07-03", "12:15", "16:00", "16:00"),
        ("2024-07-04", "12:00", "12:00", "13:30"),
        ("2025-07-04", "12:00", "12:00", "12:00"),
        ("2025-09-01", "12:00", "12:00", "13:30"),
        ("2026-01-19", "12:00", "12:00", "13:30"),
        ("2026-05-25", "12:00", "12:00", "13:30"),
        ("2026-11-27", "12:15", "12:15", "13:45"),
        ("2026-12-24", "12:15", "12:15", "12:45"),
        ("2027-01-01", "closed", "closed", "closed"),
    ],
)
def test_cme_closes_as_published(trade_day: str, equity: str, rates: str, energy: str) -> None:
    found = [closes(CALENDARS[name], trade_day) for name in ("cme_equity", "cme_rates")]
    assert [*found, closes(CALENDARS["cme_energy"], trade_day)] == [equity, rates, energy]


def test_foreign_exchange_rests_on_two_days_a_year_and_at_weekends() -> None:
    fx = CALENDARS["fx_24x5"]
    shut = [day for day in days(date(2024, 1, 1), date(2025, 1, 1)) if not fx.hours(day)]
    assert {f"{day:%a}" for day in shut} == {"Fri", "Sat", "Tue"}
    assert [day for day in shut if day.isoweekday() == 2] == [
        date(2024, 12, 24),
        date(2024, 12, 31),
    ]


def test_a_rule_says_no_more_than_its_end() -> None:
    for calendar in CALENDARS.values():
        assert calendar.ends_on == ENDS
        assert max(calendar.special, default=ENDS) <= ENDS
