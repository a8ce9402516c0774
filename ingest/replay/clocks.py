"""Which clock the cells of a column are: a unit since 1970, ISO 8601, or a form of strptime."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product

from ingest.replay.cells import FINER, NANOSECONDS
from ingest.validate import EARLIEST_US

AHEAD_US = 2 * 86_400_000_000
WHOLE = re.compile(r"\d{9,19}(\.\d+)?")
DATES = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y"),
    *("%m-%d-%Y", "%d-%m-%Y", "%m/%d/%y", "%d/%m/%y", "%d %b %Y", "%d-%b-%Y", "%d%b%Y", "%b %d %Y"),
)
TIMES = (
    *("%H:%M:%S", "%H:%M:%S.%f", "%H:%M:%S,%f", "%H:%M", "%H%M%S", "%H%M%S%f", "%H%M"),
    *("%I:%M:%S %p", "%I:%M:%S.%f %p", "%I:%M %p"),
)
ZONES = ("", " UTC", " GMT", "Z", "%z", " %z")
ROWS = 200


@dataclass(frozen=True)
class ClockForm:
    """How a clock is written. zoned: whether it says its zone. also: another reading that fits.

    unit: of time_unit, "iso" for texts; form: of strptime, "" for ISO 8601 itself. dates: a date
    without a time.
    """

    unit: str
    form: str = ""
    zoned: bool = False
    dates: bool = False
    also: str = ""


def clock_form(cells: Sequence[object]) -> ClockForm | None:
    """What clock all these cells are; None: none."""
    texts = [str(cell).strip() for cell in cells[:ROWS] if not isinstance(cell, bool)]
    if not texts:
        return None
    if all(WHOLE.fullmatch(text) for text in texts) and (found := _unit(texts)):
        return ClockForm(found, zoned=True)
    if not all(any(c.isdigit() for c in text) and len(text) <= 40 for text in texts):
        return None
    if not any(mark in texts[0] for mark in "-/.: ") and len(texts[0]) != 8:
        return None
    return _iso(texts) or _form(texts)


def fits(form: str, cells: Sequence[object]) -> bool:
    """Whether a form of strptime reads all these cells."""
    return bool(cells) and all(_fits(form, str(cell).strip()) for cell in cells[:ROWS])


def time_form(cells: Sequence[object]) -> str:
    """The form of strptime of times without a date; "" where they are none."""
    texts = [str(cell).strip() for cell in cells[:ROWS]]
    return next(_fitting(TIMES, texts), "") if texts else ""


def date_form(cells: Sequence[object]) -> ClockForm | None:
    """The form of strptime of dates without a time; None where they are none."""
    texts = [str(cell).strip() for cell in cells[:ROWS]]
    forms = [*_fitting(DATES, texts)] if texts else []
    return _unsure(forms, dates=True) if forms else None


def _unit(texts: Sequence[str]) -> str:
    latest = time.time_ns() // 1000 + AHEAD_US
    for unit, per in NANOSECONDS.items():
        micros = [float(text) * per / 1000 for text in texts]
        if all(EARLIEST_US <= one <= latest for one in micros):
            return unit
    return ""


def _iso(texts: Sequence[str]) -> ClockForm | None:
    try:
        moments = [datetime.fromisoformat(text) for text in texts]
    except ValueError:
        return None
    if all(len(text) <= 10 for text in texts):
        return ClockForm("iso", dates=True) if "-" in texts[0] else None
    if any(len(text) <= 10 for text in texts):
        return None
    return ClockForm("iso", zoned=all(moment.tzinfo is not None for moment in moments))


def _form(texts: Sequence[str]) -> ClockForm | None:
    forms = (f"{d}{s}{t}{z}" for d, s, t, z in product(DATES, (" ", "T"), TIMES, ZONES))
    fitting = [*_fitting(forms, texts)]
    if fitting:
        return _unsure(fitting, dates=False)
    return date_form(texts)


def _unsure(forms: list[str], *, dates: bool) -> ClockForm:
    """The first form; also: one that reads another day or month out of the same text."""
    first = forms[0]
    swapped = first.replace("%d", "%\0").replace("%m", "%d").replace("%\0", "%m")
    also = swapped if swapped != first and swapped in forms else ""
    return ClockForm("iso", first, "%z" in first, dates, also)


def _fitting(forms: Iterable[str], texts: Sequence[str]) -> Iterator[str]:
    for form in forms:
        if all(_fits(form, text) for text in texts):
            yield form


def _fits(form: str, text: str) -> bool:
    try:
        datetime.strptime(FINER.sub("", text) if "%f" in form else text, form)
    except (ValueError, OverflowError, re.error):
        return False
    return True
