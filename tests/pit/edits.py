"""Reference rows of some symbols edited at random, and what is known of them since."""

import random
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.known import known_from_the_beginning
from tests.pit.sessions import DAY, Session, as_seeded, calendar_of
from tests.pit.world import World

# around the clock, with nights off, and with an hour off
CALENDARS = ("crypto_24x7", "XNAS", "cme_equity")
ZONES = ("UTC", "America/New_York", "Asia/Tokyo", "Europe/London")
HOURS = ("00:00", "06:00", "09:30", "14:00", "16:00", "18:00", "23:00")
STALENESS = (60, 300, 900, 3600, 4 * 3600, 24 * 3600)
# a bar of an instrument that was taken out ages by the clock
ALWAYS: list[Session] = [(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))]


class Edits:
    """What the reference tables say of the symbols, of days from `first` on.

    lasting: those that stay an instrument, as their bars are not made of trades.
    """

    def __init__(
        self,
        world: World,
        symbols: Sequence[str],
        lasting: Sequence[str],
        max_staleness: Mapping[str, timedelta],
        first: date,
    ) -> None:
        self.world = world
        self.lasting = lasting
        self.first = first
        self.max_staleness = dict(max_staleness)
        self.calendar: dict[str, str | None] = {symbol: calendar_of(symbol) for symbol in symbols}
        self.used = sorted({*CALENDARS, *map(calendar_of, symbols)})
        self.hours = {calendar: as_seeded(calendar) for calendar in self.used}
        # what is put back
        self.rows = {
            (table, key): self._rows(table, key, names)
            for table, key, names in (
                ("calendar", "calendar_id", self.used),
                ("calendar_holiday", "calendar_id", self.used),
                ("calendar_session", "calendar_id", self.used),
                ("instrument", "symbol", list(symbols)),
            )
        }

    def _rows(self, table: str, key: str, names: list[str]) -> list[Any]:
        found = self.world.connection.execute(
            f"select to_jsonb(t) from market.{table} as t where {key} = any(%s)".encode(), [names]
        )
        return [row for (row,) in found.fetchall()]

    def _put(self, table: str, rows: list[Any]) -> None:
        self.world.connection.execute(
            f"insert into market.{table}"
            f" select * from jsonb_populate_recordset(null::market.{table}, %s)".encode(),
            [Jsonb(rows)],
        )

    def edit(self, rng: random.Random, kind: str, known_at: datetime) -> bool:
        """An edit, known from then on; False where sessions would overlap, and none is made."""
        kinds: dict[str, Callable[[random.Random], None]] = {
            "holiday": self._edit_holiday,
            "week": self._edit_week,
            "zone": self._edit_zone,
            "instrument": self._edit_instrument,
            "contract": self._edit_contract,
        }
        before = deepcopy((self.calendar, self.hours, self.max_staleness))
        try:
            with self.world.known_from(known_at):
                kinds[kind](rng)
        except psycopg.errors.InvalidParameterValue as error:
            if "before the one of" not in str(error):
                raise
            self.calendar, self.hours, self.max_staleness = before
            return False
        return True

    def _any_calendar(self, rng: random.Random) -> str:
        return rng.choice([c for c in self.calendar.values() if c] or [CALENDARS[0]])

    def _edit_holiday(self, rng: random.Random) -> None:
        """A day is closed, or has one session or two, or is as others again."""
        calendar, day = self._any_calendar(rng), self.first + rng.randrange(6) * DAY
        self.world.connection.execute(
            "delete from market.calendar_holiday where calendar_id = %s and day = %s",
            [calendar, day],
        )
        self.hours[calendar].special.pop(day, None)
        two = [["06:00", "09:30"], ["14:00", "16:00"]]
        choices: list[list[Any]] = [[], [[None, None]], [rng.sample(HOURS, 2)], two]
        held = rng.choice(choices)
        if held:
            self.hours[calendar].special[day] = [(o, c) for o, c in held if o]
        rows = [
            {"calendar_id": calendar, "day": str(day), "name": "a day", "opens": o, "closes": c}
            for o, c in held
        ]
        self._put("calendar_holiday", rows)

    def _edit_week(self, rng: random.Random) -> None:
        """A weekday has other hours, or none."""
        calendar, day = self._any_calendar(rng), self.first + rng.randrange(6) * DAY
        weeks = self.hours[calendar].weeks
        start = max(start for start in weeks if start <= day)
        self.world.connection.execute(
            "delete from market.calendar_session where calendar_id = %s"
            " and coalesce(valid_from, '0001-01-01') = %s and iso_weekday = %s",
            [calendar, start, day.isoweekday()],
        )
        opens, closes = rng.sample(HOURS, 2)
        weeks[start][day.isoweekday()] = held = rng.choice([[(opens, closes)], []])
        row = {
            "calendar_id": calendar,
            "valid_from": None if start == date.min else str(start),
            "iso_weekday": day.isoweekday(),
            "opens": opens,
            "closes": closes,
        }
        self._put("calendar_session", [row] if held else [])

    def _edit_zone(self, rng: random.Random) -> None:
        calendar = self._any_calendar(rng)
        self.hours[calendar].zone = rng.choice(ZONES)
        self.world.connection.execute(
            "update market.calendar set time_zone = %s where calendar_id = %s",
            [self.hours[calendar].zone, calendar],
        )

    def _edit_instrument(self, rng: random.Random) -> None:
        """Another calendar, or no instrument."""
        symbol = rng.choice(sorted(self.calendar))
        chosen = rng.choice([*CALENDARS, *([] if symbol in self.lasting else [None])])
        self.calendar[symbol] = chosen
        self.world.connection.execute("delete from market.instrument where symbol = %s", [symbol])
        (row,) = (r for r in self.rows["instrument", "symbol"] if r["symbol"] == symbol)
        self._put("instrument", [{**row, "calendar_id": chosen}] if chosen else [])

    def _edit_contract(self, rng: random.Random) -> None:
        """Another maximum, of one field or of all."""
        seconds = rng.choice(STALENESS)
        fields = rng.choice([list(self.max_staleness), [rng.choice(list(self.max_staleness))]])
        self.world.connection.execute(
            "update market.contract set max_staleness_s = %s"
            " where feature_set = 'market_1m' and field = any(%s)",
            [seconds, fields],
        )
        self.max_staleness |= dict.fromkeys(fields, timedelta(seconds=seconds))

    def sessions(self, symbol: str, first: date, last: date) -> list[Session]:
        """The symbol's sessions that open on local days first to last, as last edited."""
        calendar = self.calendar[symbol]
        return self.hours[calendar].sessions(first, last) if calendar else ALWAYS

    def undo(self) -> None:
        """As it was, and as if it had always been known."""
        execute = self.world.connection.execute
        with self.world.connection.transaction():
            for (table, key), rows in self.rows.items():
                if table == "calendar":
                    for row in rows:
                        execute(
                            "update market.calendar set time_zone = %s where calendar_id = %s",
                            [row["time_zone"], row["calendar_id"]],
                        )
                    continue
                names = self.used if key == "calendar_id" else list(self.calendar)
                execute(f"delete from market.{table} where {key} = any(%s)".encode(), [names])
                self._put(table, rows)
        known_from_the_beginning(self.world.connection)
