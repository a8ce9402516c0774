"""Calendars of stock exchanges, from exchange_calendars."""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from importlib.metadata import version
from typing import Any

import exchange_calendars
import pandas as pd
from exchange_calendars import lunisolar_holidays

from calendars.model import CLOSED, Calendar, SpecialDay, Week, days

SOURCE = f"exchange_calendars {version('exchange_calendars')}"
BEGINS = date(2000, 1, 1)
UNNAMED = "Not named by the library"
EXCHANGES = {
    "XNYS": "New York Stock Exchange, regular session",
    "XNAS": "Nasdaq, regular session",
    "XLON": "London Stock Exchange, SETS",
    "XETR": "Xetra, Frankfurt; evenings of 2000 to 2003 are not in it",
    "XTKS": "Tokyo Stock Exchange; before 2011-11-21 the lunch break began at 11:00",
    "XHKG": "Hong Kong Exchanges, securities; before 2012-03-05 the lunch break was longer",
}
# what the library closes without a name
CLOSURES = {
    "XNYS": {
        **dict.fromkeys(days(date(2001, 9, 11), date(2001, 9, 14)), "Attacks of 11 September"),
        date(2003, 12, 26): "Day after Christmas",
        date(2004, 6, 11): "Day of Mourning for Ronald Reagan",
        date(2007, 1, 2): "Day of Mourning for Gerald Ford",
        **dict.fromkeys(days(date(2012, 10, 29), date(2012, 10, 30)), "Hurricane Sandy"),
        date(2018, 12, 5): "National Day of Mourning for George H. W. Bush",
        date(2025, 1, 9): "National Day of Mourning for Jimmy Carter",
    },
    "XLON": {
        date(2002, 6, 3): "Golden Jubilee",
        date(2002, 6, 4): "Spring Bank Holiday",
        date(2011, 4, 29): "Royal Wedding",
        date(2012, 6, 4): "Spring Bank Holiday",
        date(2012, 6, 5): "Diamond Jubilee",
        date(2020, 5, 8): "Early May Bank Holiday",
        date(2022, 6, 2): "Spring Bank Holiday",
        date(2022, 6, 3): "Platinum Jubilee",
        date(2022, 9, 19): "State Funeral of Queen Elizabeth II",
        date(2023, 5, 8): "Coronation of King Charles III",
    },
    "XETR": {date(2007, 5, 28): "Whit Monday", date(2017, 10, 31): "Reformation Day"},
    "XTKS": {
        **dict.fromkeys(
            [date(2009, 9, 22), date(2015, 9, 22), date(2026, 9, 22)], "Citizens' Holiday"
        ),
        **dict.fromkeys(days(date(2019, 4, 30), date(2019, 5, 2)), "Imperial Succession"),
        date(2019, 10, 22): "Enthronement Ceremony",
        date(2020, 10, 1): "Failure of the trading system",
    },
    "XHKG": {
        date(2001, 7, 6): "Typhoon Utor",
        date(2001, 7, 25): "Typhoon Yutu",
        date(2008, 8, 6): "Typhoon Kammuri",
        date(2008, 8, 22): "Typhoon Nuri",
        date(2010, 4, 6): "Day after Ching Ming Festival",
        date(2011, 9, 29): "Typhoon Nesat",
        date(2012, 10, 2): "Day after Mid-Autumn Festival",
        date(2013, 8, 14): "Typhoon Utor",
        date(2015, 4, 7): "Day after Easter Monday",
        date(2015, 9, 3): "70th Anniversary of Victory",
        date(2016, 8, 2): "Typhoon Nida",
        date(2016, 10, 21): "Typhoon Haima",
        date(2017, 8, 23): "Typhoon Hato",
        date(2020, 10, 13): "Typhoon Nangka",
        date(2021, 10, 13): "Typhoon Kompasu",
        date(2022, 9, 12): "Day after Mid-Autumn Festival",
        date(2023, 7, 17): "Typhoon Talim",
        date(2024, 9, 6): "Typhoon Yagi",
    },
}
CLOSURES["XNAS"] = CLOSURES["XNYS"]
# a festival of the moon, and the days after it on which the exchange may be closed for it
FESTIVALS = (
    ("chinese_lunar_new_year", "Lunar New Year's Eve", [-1]),
    ("chinese_lunar_new_year", "Lunar New Year", [0, 1, 2, 3]),
    ("qingming_festival", "Ching Ming Festival", [0, 1, 2]),
    ("chinese_buddhas_birthday", "Buddha's Birthday", [0, 1]),
    ("dragon_boat_festival", "Dragon Boat Festival", [0, 1]),
    ("mid_autumn_festival", "Day after Mid-Autumn Festival", [1, 2]),
    ("double_ninth_festival", "Chung Yeung Festival", [0, 1]),
)
EQUINOXES = {3: "Vernal Equinox Day", 9: "Autumnal Equinox Day"}
# names of the library's rules that say for which years they are, or are not a day's
SHORTER = (
    (re.compile(r" \(.*\)$"), ""),
    (re.compile(r"^.*Before Independence Day.*$"), "Day before Independence Day"),
    (re.compile(r"^.*after Independence Day.*$"), "Day after Independence Day"),
    (re.compile(r"^July 4th$"), "Independence Day"),
    (re.compile(r"^Weekend (.*)$"), r"\1"),
    (re.compile(r"^Last Working Day.*$"), "Last trading day of the year"),
)


def calendar(exchange: str, ends_on: date) -> Calendar:
    """One of EXCHANGES, from BEGINS on."""
    found = _open(exchange, ends_on)
    names = _names(exchange, found, ends_on)
    held = {
        day: tuple((_local(found, opens), _local(found, closes)) for opens, closes in moments)
        for day, moments in _sessions(found)
    }
    made = Calendar(
        exchange, str(found.tz), EXCHANGES[exchange], SOURCE, ends_on, list(_weeks(found))
    )
    for day in days(BEGINS, ends_on):
        hours = held.get(day, CLOSED)
        if hours != made.regular(day):
            made.special[day] = SpecialDay(names.get(day, UNNAMED), hours)
    return made


def sessions(exchange: str, ends_on: date) -> dict[date, list[tuple[datetime, datetime]]]:
    """The library's own sessions of each of its days, as moments."""
    return dict(_sessions(_open(exchange, ends_on)))


def _open(exchange: str, ends_on: date) -> Any:
    return exchange_calendars.get_calendar(exchange, start=str(BEGINS), end=str(ends_on))


def _sessions(found: Any) -> Iterator[tuple[date, list[tuple[datetime, datetime]]]]:
    columns = ["open", "break_start", "break_end", "close"]
    bounds = [found.schedule[column].astype(object) for column in columns]
    for day, *of_day in zip(found.schedule.index, *bounds, strict=True):
        moments = [bound.to_pydatetime() for bound in of_day if not pd.isna(bound)]
        yield day.date(), list(zip(moments[::2], moments[1::2], strict=True))


def _local(found: Any, moment: datetime) -> time:
    return moment.astimezone(found.tz).time()


def _weeks(found: Any) -> Iterator[Week]:
    """A week for each day from which the library has other regular hours."""
    times = (found.open_times, found.break_start_times, found.break_end_times, found.close_times)
    changes = {start.date() for kind in times for start, _ in kind or () if start is not None}
    for begins in sorted({BEGINS} | {day for day in changes if day > BEGINS}):
        local = [_at(kind, begins) for kind in times if kind]
        hours = tuple(zip(local[::2], local[1::2], strict=True))
        yield Week(
            begins,
            {
                weekday: hours
                for weekday, is_open in enumerate(found.weekmask, start=1)
                if is_open == "1"
            },
        )


def _at(kind: Any, day: date) -> time:
    at = time()
    for start, value in kind:
        if start is None or start.date() <= day:
            at = value
    return at


def _names(exchange: str, found: Any, ends_on: date) -> dict[date, str]:
    """What a day is called: by us, by the library's rules, by the moon or the sun."""
    named = dict(CLOSURES.get(exchange, {}))
    for rule in [found.regular_holidays, *(rule for _, rule in found.special_closes)]:
        holidays = rule.holidays(pd.Timestamp(BEGINS), pd.Timestamp(ends_on), return_name=True)
        for day, name in holidays.items():
            for pattern, shorter in SHORTER:
                name = pattern.sub(shorter, name)
            named.setdefault(day.date(), name)
    if exchange == "XHKG":
        for array, name, distances in FESTIVALS:
            for day in getattr(lunisolar_holidays, f"{array}_dates"):
                for distance in distances:
                    named.setdefault(day.date() + timedelta(days=distance), name)
    if exchange == "XTKS":
        for day in days(BEGINS, ends_on):
            if day.month in EQUINOXES and 19 < day.day < 25:
                named.setdefault(day, EQUINOXES[day.month])
    return named
