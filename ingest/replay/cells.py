"""Single cells of a captured file: numbers and clocks, however they are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from decimal import InvalidOperation as NotDecimal
from math import floor, isnan
from typing import Any
from zoneinfo import ZoneInfo

from ingest.texts import MOST, quoted
from ingest.validate import EPOCH

# beyond it a number fits no 64 bits, and int() of a large exponent takes minutes
MOST_DIGITS = 40
LONGEST_DATE = 10
BIGINT = 2**63
MICROSECOND = timedelta(microseconds=1)
NANOSECONDS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
FINER = re.compile(r"(?<=[.,]\d{6})\d+")
NS_OF = {"us": 1_000, "ns": 1}

Clock = Callable[[Any], int]


class Unmappable(Exception):
    """One row does not fit the mapping; it is dead-lettered and the others go on."""


class CellError(ValueError):
    """A cell that is no clock; its text goes on after "ts is '...'"."""


def number(
    role: str, value: Any, none: frozenset[float | str], plain: Callable[[str], str] | None
) -> float | None:
    """The number; None where there is none: empty, NaN, or one of the feed's words for that.

    plain: makes of a text one that Python reads; None: it is one.
    """
    if value is None or value == "" or (isinstance(value, str) and value in none):
        return None
    try:
        found = float(_plain_number(plain(value) if plain and isinstance(value, str) else value))
    except (TypeError, ValueError, OverflowError):
        raise Unmappable(f"{role} is {quoted(value)}, not a number") from None
    return None if isnan(found) or found in none else found


def plain_text(decimal: str, thousands: str) -> Callable[[str], str] | None:
    """Return what makes "1234.5" of "1.234,5" where these are the marks; None: nothing to do.

    It raises ValueError for what is no number.
    """
    if decimal == "." and not thousands:
        return None
    d = re.escape(decimal)
    grouped = rf"\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+|" if thousands else ""
    form = re.compile(rf"\s*[+-]?(?:{grouped}\d+|(?={d}))(?:{d}\d*)?(?:[eE][+-]?\d+)?\s*")

    def plain(text: str) -> str:
        if not form.fullmatch(text):
            if text.strip().lower() == "nan":
                return text
            raise ValueError
        return (text.replace(thousands, "") if thousands else text).replace(decimal, ".")

    return plain


def integer(value: Any) -> int:
    """Return a whole number; ValueError or NotDecimal for all else."""
    if type(value) is int:
        return value
    found = _decimal(value)
    if found != found.to_integral_value():
        raise ValueError
    return int(found)


def read(convert: Clock, role: str, value: Any) -> int:
    """Return what convert makes of a cell; raises Unmappable with the value and why."""
    if value is None or value == "":
        raise Unmappable(f"{role} is empty")
    try:
        return convert(value)
    except CellError as error:
        raise Unmappable(f"{role} is {quoted(value)}, {error}") from None
    except (TypeError, ValueError, OverflowError, NotDecimal):
        raise Unmappable(f"{role} is {quoted(value)}, which the mapping cannot read") from None


def bigint(role: str, value: int) -> int:
    """Return the number where it has 64 bits; else raise Unmappable."""
    if not -BIGINT <= value < BIGINT:
        raise Unmappable(f"{role} is {quoted(value)}, beyond 64 bits")
    return value


def symbol(value: Any) -> str:
    """Return an instrument's name; raises Unmappable where it can be none."""
    if value is None or str(value).strip() == "":
        raise Unmappable("symbol is empty; --symbol gives one to all rows")
    found = text("symbol", value)
    if len(found) > MOST:
        raise Unmappable(f"symbol is {quoted(found)}, which names no instrument")
    return found


def text(role: str, value: Any) -> str:
    """Return a cell as text; raises Unmappable for what no message can hold."""
    found = str(value)
    if not found.isascii():
        try:
            found.encode()
        except UnicodeEncodeError:
            raise Unmappable(f"{role} is {quoted(found)}, which is no Unicode text") from None
    return found


def numeric_clock(unit: str) -> Clock:
    """Nanoseconds since 1970 of a number in that unit."""
    nanoseconds = NANOSECONDS[unit]

    def clock(value: Any) -> int:
        if type(value) is int:
            return value * nanoseconds
        return floor(_decimal(value) * nanoseconds)

    return clock


def typed_clock(unit: str, localised: Callable[[datetime], datetime] | None) -> Clock:
    """Nanoseconds since 1970 of an integer column of times; localised: where they name no zone."""
    per = NS_OF[unit]

    def clock(value: Any) -> int:
        if type(value) is not int:
            raise ValueError
        whole, rest = divmod(value * per, 1000)
        if localised is None:
            return whole * 1000 + rest
        moment = datetime(1970, 1, 1) + whole * MICROSECOND
        return (localised(moment) - EPOCH) // MICROSECOND * 1000 + rest

    return clock


def text_clock(
    form: str | None, localised: Callable[[datetime], datetime], *, dates: bool = False
) -> Clock:
    """Nanoseconds since 1970 of a text: of strptime's form, else ISO 8601.

    localised: gives a moment without a zone its own, or raises CellError. dates: whether a date
    alone is its midnight.
    """

    def clock(value: Any) -> int:
        text = str(value).strip()
        if form is None:
            if not dates and len(text) <= LONGEST_DATE and _is_date(text):
                raise CellError("a date without a time: give the moment, midnight is none")
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(text)
            finer = FINER.search(text)
        else:
            finer = FINER.search(text) if "%f" in form else None
            moment = datetime.strptime(FINER.sub("", text) if finer else text, form)
        if moment.tzinfo is None:
            moment = localised(moment)
        nanoseconds = int(finer[0][:3].ljust(3, "0")) if finer else 0
        return (moment - EPOCH) // MICROSECOND * 1000 + nanoseconds

    return clock


def localiser(zone: str | None, ambiguous: str | None) -> Callable[[datetime], datetime]:
    """Return what gives a local time its zone.

    zone: IANA's name; None: none is given, and CellError is raised. ambiguous: which of two
    moments a time means that a clock set back shows twice, "earlier" or "later"; None: CellError.
    A time that a clock set forward never showed is a CellError.
    """
    if zone is None:

        def refuse(_: datetime) -> datetime:
            raise CellError(
                'a clock without a zone: say time_zone = "..." in the mapping, for example "UTC" '
                'or "America/New_York"'
            )

        return refuse
    if zone == "UTC":
        return lambda moment: moment.replace(tzinfo=UTC)
    where = ZoneInfo(zone)

    def localised(moment: datetime) -> datetime:
        first, second = (moment.replace(tzinfo=where, fold=fold) for fold in (0, 1))
        before, after = first.utcoffset(), second.utcoffset()
        if before == after or before is None or after is None:
            return first.astimezone(UTC)
        if before < after:
            raise CellError(f"which {zone} never had: the clock was set forward over it")
        if ambiguous is None:
            raise CellError(
                f"which {zone} had twice, as the clock was set back: say which is meant with "
                'ambiguous = "earlier" or "later" in the mapping'
            )
        return (first if ambiguous == "earlier" else second).astimezone(UTC)

    return localised


def joined(parts: Iterable[Any]) -> str:
    """Return a date and a time of two columns as one text; empty where one is."""
    texts = ["" if part is None else str(part).strip() for part in parts]
    return " ".join(texts) if all(texts) else ""


def _plain_number(value: Any) -> Any:
    """Refuse what Python would take for a number and no feed means as one: True, 1_000."""
    if isinstance(value, bool) or (isinstance(value, str | bytes) and "_" in str(value)):
        raise ValueError
    return value


def _decimal(value: Any) -> Decimal:
    found = Decimal(str(_plain_number(value)))
    if not found.is_finite() or abs(found.adjusted()) > MOST_DIGITS:
        raise ValueError
    return found


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
