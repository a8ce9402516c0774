"""Calendars by rule: futures of CME Group, spot foreign exchange, markets that never close."""

from collections.abc import Iterator
from datetime import date, time, timedelta

from dateutil.easter import easter

from calendars.model import CLOSED, Calendar, Hours, SpecialDay, Week

ALL_DAY: Hours = ((time(0), time(0)),)
# spot foreign exchange turns its day at 17:00 New York
FX_DAY: Hours = ((time(17), time(17)),)
CME_OPENS = time(17)
CME_DAY: Hours = ((CME_OPENS, time(16)),)
# the local days on which the sessions of a week of Monday to Friday open
EVENINGS = (7, 1, 2, 3, 4)
# Before 21 September 2015 equity and energy closed at 16:15, with other hours on holidays.
CME_BEGINS = date(2015, 9, 20)
CME_SOURCE = "rule: after CME Group's holiday hours; those not seen are in docs/calendars.md"
CME = {
    "cme_equity": "CME Globex equity-index futures; the halt of 15:15 to 15:30 until 2021-06-25 "
    "is no end of a session",
    "cme_rates": "CME Globex interest-rate futures",
    "cme_energy": "CME Globex energy futures; metals have the same hours",
}
# the Employment Situation came out on these Good Fridays: stock-index and rates futures were open
# until after it. It comes out on the first Friday of a month
REPORT_DAYS = 7
JUNETEENTH_FROM = 2022
# since when NYMEX and COMEX halt at 13:30 on holidays, where the others do at noon
LATER_HALT_FROM = 2022


def calendars(ends_on: date) -> Iterator[Calendar]:
    """All of them until ends_on."""
    for group, description in CME.items():
        yield _cme(group, description, ends_on)
    yield Calendar(
        "crypto_24x7",
        "UTC",
        "Every minute of every day",
        "rule: never closed",
        ends_on,
        [Week(None, dict.fromkeys(range(1, 8), ALL_DAY))],
    )
    yield _fx(ends_on)


def _fx(ends_on: date) -> Calendar:
    made = Calendar(
        "fx_24x5",
        "America/New_York",
        "Spot foreign exchange from Sunday 17:00 to Friday 17:00 New York",
        "rule: closed from 17:00 New York before Christmas Day and before New Year's Day for a day",
        ends_on,
        [Week(None, dict.fromkeys(EVENINGS, FX_DAY))],
    )
    for year in range(2000, ends_on.year + 1):
        for day, name in ((24, "Christmas Day"), (31, "New Year's Day")):
            if made.regular(date(year, 12, day)):
                made.special[date(year, 12, day)] = SpecialDay(name, CLOSED)
    return made


def _cme(group: str, description: str, ends_on: date) -> Calendar:
    made = Calendar(
        group,
        "America/Chicago",
        description,
        CME_SOURCE,
        ends_on,
        [Week(CME_BEGINS, dict.fromkeys(EVENINGS, CME_DAY))],
    )
    for year in range(CME_BEGINS.year, ends_on.year + 2):
        for trade_day, name, closes in _cme_holidays(group, year):
            day = trade_day - timedelta(days=1)
            if CME_BEGINS <= day <= ends_on and made.regular(day):
                made.special[day] = SpecialDay(
                    name, CLOSED if closes is None else ((CME_OPENS, closes),)
                )
    return made


def _cme_holidays(group: str, year: int) -> Iterator[tuple[date, str, time | None]]:
    """Trade days of a year with the time at which they end early, None: that have no session."""
    new_year, christmas = date(year, 1, 1), date(year, 12, 25)
    if new_year.isoweekday() != 6:
        yield _observed(new_year), "New Year's Day", None
    yield _observed(christmas), "Christmas Day", None
    good_friday = easter(year) - timedelta(days=2)
    report = {"cme_equity": time(8, 15), "cme_rates": time(10, 15)}.get(group)
    yield good_friday, "Good Friday", report if good_friday.day <= REPORT_DAYS else None
    for day, name in _halts(year):
        yield day, name, _halt(group, day, name)
    energy = group == "cme_energy"
    thanksgiving = _nth(year, 11, 4, 4)
    # the year's published hours have another close of energy than those before it
    after = time(13, 45) if energy and year == 2026 else None
    early = time(12, 45) if energy else time(12, 15)
    yield thanksgiving + timedelta(days=1), "Day after Thanksgiving", after or early
    if christmas.isoweekday() in (2, 3, 4, 5):
        yield christmas - timedelta(days=1), "Christmas Eve", early
    if group == "cme_equity" and date(year, 7, 4).isoweekday() in (2, 3, 4, 5):
        yield date(year, 7, 3), "Day before Independence Day", time(12, 15)


def _halts(year: int) -> Iterator[tuple[date, str]]:
    """Holidays on which trading halts early, and resumes in the evening for the next trade day."""
    yield _nth(year, 1, 1, 3), "Martin Luther King Jr. Day"
    yield _nth(year, 2, 1, 3), "Presidents' Day"
    # Memorial Day is the last Monday of May
    yield _nth(year, 5, 1, 5 if _nth(year, 5, 1, 5).month == 5 else 4), "Memorial Day"
    if year >= JUNETEENTH_FROM:
        yield _observed(date(year, 6, 19)), "Juneteenth"
    yield _observed(date(year, 7, 4)), "Independence Day"
    yield _nth(year, 9, 1, 1), "Labor Day"
    yield _nth(year, 11, 4, 4), "Thanksgiving Day"


def _halt(group: str, day: date, name: str) -> time:
    is_later = group == "cme_energy" and day.year >= LATER_HALT_FROM
    # before a weekend all of them close at noon; Labor Day of 2022 was still published with noon
    if not is_later or day.isoweekday() == 5 or (day.year, name) == (2022, "Labor Day"):
        return time(12)
    return time(13, 30)


def _observed(day: date) -> date:
    """A Saturday's holiday is observed on Friday, a Sunday's on Monday."""
    return day + timedelta(days={6: -1, 7: 1}.get(day.isoweekday(), 0))


def _nth(year: int, month: int, weekday: int, number: int) -> date:
    """The number-th ISO weekday of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.isoweekday()) % 7 + 7 * (number - 1))
