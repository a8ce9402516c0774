"""What a calendar is: regular weeks, each from a day on, and the days that differ from them."""

from dataclasses import dataclass, field
from datetime import date, time, timedelta

# sessions that open on a local day, in order; one whose end is not later ends on the next day
Hours = tuple[tuple[time, time], ...]
CLOSED: Hours = ()


@dataclass(frozen=True)
class Week:
    """The regular sessions by ISO weekday, from a local day on; None: from the beginning."""

    valid_from: date | None
    hours: dict[int, Hours]


@dataclass(frozen=True)
class SpecialDay:
    """The sessions of a day that differ from its week's. known_at: as seeds/ write it, or empty."""

    name: str
    hours: Hours
    known_at: str = ""


@dataclass(frozen=True)
class Calendar:
    """A calendar until ends_on, the last local day that it knows. weeks: oldest first."""

    calendar_id: str
    time_zone: str
    description: str
    source: str
    ends_on: date
    weeks: list[Week]
    special: dict[date, SpecialDay] = field(default_factory=dict)

    def regular(self, day: date) -> Hours:
        """The sessions that the week of a day has then, whatever is announced."""
        found = CLOSED
        for week in self.weeks:
            if week.valid_from is None or week.valid_from <= day:
                found = week.hours.get(day.isoweekday(), CLOSED)
        return found

    def hours(self, day: date) -> Hours:
        """The sessions that open on a day."""
        special = self.special.get(day)
        return special.hours if special else self.regular(day)


def days(first: date, last: date) -> list[date]:
    """Every day from first to last."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
