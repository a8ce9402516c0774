"""Reference data edited at random and at real times: answers that were given stay as they are.

KNOWN_EDITS: how many edits, 30 unless told; the long form has 10000.
"""

import copy
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tests.known import known_from_the_beginning
from tests.pit.oracle import trading_time
from tests.pit.sessions import Hours, of_calendar
from tests.pit.world import World

EDITS = int(os.environ.get("KNOWN_EDITS", "30"))
SYMBOL, CALENDAR, OTHER = "SYN_EDITED", "edited", "crypto_24x7"
MINUTE, DAY, MICROSECOND = timedelta(minutes=1), timedelta(days=1), timedelta(microseconds=1)
ZONES = ["UTC", "America/New_York", "Asia/Tokyo", "Europe/London"]
HOURS = ["00:00", "06:00", "09:30", "12:00", "13:00", "17:00", "23:00"]
STALENESS = [60, 300, 900, 3600, 4 * 3600, 24 * 3600]
FIELDS = ["open", "high", "low", "close", "volume", "vwap", "sma_20", "volatility_1h"]
FIELDS += ["regime_tag", "spread_bps", "order_imbalance"]
ASK = "select s.* from feature_pit_snapshot(%s, %s::timestamptz[], %s::timestamptz[], %s) as s"
HASH = "select feature_pit_hash(%s, %s::timestamptz[], %s::timestamptz[], %s)"
FAR = date(2035, 12, 31)


@dataclass
class State:
    """What the reference tables say, as far as an answer about SYMBOL depends on it."""

    zone: str = "UTC"
    ends_on: date = FAR
    weeks: dict[date, dict[int, Hours]] = field(default_factory=dict)
    special: dict[date, Hours] = field(default_factory=dict)
    calendar: str | None = CALENDAR
    staleness: dict[str, int] = field(default_factory=dict)

    def age(self, closed_at: datetime, as_of: datetime) -> timedelta:
        """How old a bar that closed then is, in the hours that its market traded."""
        if self.calendar is None or self.calendar == OTHER:
            return as_of - closed_at
        first, last = closed_at.date() - 3 * DAY, min(as_of.date() + 3 * DAY, self.ends_on)

        def regular(day: date) -> Hours:
            begun = [start for start in self.weeks if start <= day]
            return self.weeks[max(begun)].get(day.isoweekday(), []) if begun else []

        sessions = of_calendar(ZoneInfo(self.zone), regular, self.special, first, last)
        horizon = datetime.combine(self.ends_on + 2 * DAY, datetime.min.time(), UTC)
        beyond = max(timedelta(0), as_of - max(closed_at, horizon))
        held = [s for s in sessions if s[1] > closed_at and s[0] < as_of]
        return trading_time(closed_at, as_of, held) + beyond


class Edited:
    """Bars of three days, the states that were known of their reference data, and the answers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.connection = world.connection
        self.rng = random.Random(20)  # noqa: S311
        self.state = State()
        self.tenant = world.tenant()
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.bars = sorted(
            {
                self.now.replace(second=0) - self.rng.randrange(60, 3 * 1440) * MINUTE
                for _ in range(40)
            }
        )
        self._fill()
        # since when each state was known
        self.known: list[tuple[datetime, State]] = [
            (datetime(2020, 1, 1, tzinfo=UTC), copy.deepcopy(self.state))
        ]
        self.asked: list[tuple[list[datetime], list[datetime], str]] = []
        self.refused = 0

    def _fill(self) -> None:
        execute = self.connection.execute
        execute(
            "insert into market.calendar values (%s, 'UTC', 'edited', 'a test', %s)",
            [CALENDAR, FAR],
        )
        for weekday in range(1, 6):
            self.put_session(None, weekday, "09:30", "17:00")
        self.put_instrument(CALENDAR)
        self.state.staleness = dict(
            execute(
                "select field, max_staleness_s from market.contract where feature_set = 'market_1m'"
            ).fetchall()
        )
        known_from_the_beginning(self.connection)
        with self.connection.cursor() as cursor:
            cursor.executemany(
                "insert into market.trade (tenant_id, symbol, ts, seq, price, size, side, known_at)"
                " values (%s, %s, %s, 1, %s, 1, 'buy', %s)",
                [
                    (self.tenant, SYMBOL, bar, 100 + place, bar)
                    for place, bar in enumerate(self.bars)
                ],
            )
        self.world.set_clock(self.now, self.now)
        self.world.backfill(self.now - 4 * DAY, self.now)

    def put_instrument(self, calendar: str) -> None:
        self.connection.execute(
            "insert into market.instrument select (jsonb_populate_record(i, jsonb_build_object("
            "'symbol', %s::text, 'calendar_id', %s::text))).* from market.instrument as i"
            " where i.symbol = 'SYN_ES'",
            [SYMBOL, calendar],
        )

    def put_session(self, valid_from: date | None, weekday: int, opens: str, closes: str) -> None:
        done = self.connection.execute(
            "insert into market.calendar_session (calendar_id, valid_from, iso_weekday, opens,"
            " closes) values (%s, %s, %s, %s, %s) on conflict do nothing",
            [CALENDAR, valid_from, weekday, opens, closes],
        )
        if done.rowcount:
            week = self.state.weeks.setdefault(valid_from or date.min, {})
            week[weekday] = sorted([*week.get(weekday, []), (opens, closes)])

    # one method for each kind of edit

    def edit_week(self) -> None:
        """A session more, or a day's sessions less, of the week that holds from some day on."""
        near = self.now.date() - self.rng.randrange(5) * DAY
        valid_from = self.rng.choice([None, near])
        weekday = self.rng.randint(1, 7)
        if self.rng.random() < 0.6:
            self.put_session(valid_from, weekday, *self.hours())
            return
        self.connection.execute(
            "delete from market.calendar_session where calendar_id = %s"
            " and valid_from is not distinct from %s and iso_weekday = %s",
            [CALENDAR, valid_from, weekday],
        )
        week = self.state.weeks.get(valid_from or date.min, {})
        week.pop(weekday, None)
        if not week:
            self.state.weeks.pop(valid_from or date.min, None)

    def hours(self) -> tuple[str, str]:
        opens, closes = self.rng.sample(HOURS, 2)
        return opens, closes

    def edit_holiday(self) -> None:
        """A day that is closed, or has one session or two, or is as others again."""
        day = self.now.date() - self.rng.randrange(6) * DAY
        self.connection.execute(
            "delete from market.calendar_holiday where calendar_id = %s and day = %s",
            [CALENDAR, day],
        )
        self.state.special.pop(day, None)
        kind = self.rng.choice(["none", "closed", "one", "two"])
        if kind == "none":
            return
        held: list[tuple[str | None, str | None]] = [(None, None)]
        if kind == "one":
            held = [self.hours()]
        elif kind == "two":
            held = [("06:00", "09:30"), ("13:00", "17:00")]
        self.state.special[day] = [(o, c) for o, c in held if o and c]
        for opens, closes in held:
            self.connection.execute(
                "insert into market.calendar_holiday values (%s, %s, 'a day', %s, %s)",
                [CALENDAR, day, opens, closes],
            )

    def edit_calendar(self) -> None:
        """Another time zone, or another end."""
        self.state.zone = self.rng.choice(ZONES)
        self.state.ends_on = self.rng.choice([FAR, FAR, self.now.date() - 4 * DAY])
        self.connection.execute(
            "update market.calendar set time_zone = %s, ends_on = %s where calendar_id = %s",
            [self.state.zone, self.state.ends_on, CALENDAR],
        )

    def edit_instrument(self) -> None:
        """Another calendar, or none."""
        self.state.calendar = self.rng.choice([CALENDAR, CALENDAR, OTHER, None])
        self.connection.execute("delete from market.instrument where symbol = %s", [SYMBOL])
        if self.state.calendar is not None:
            self.put_instrument(self.state.calendar)

    def edit_contract(self) -> None:
        """Another maximum, of one field or of all."""
        seconds = self.rng.choice(STALENESS)
        fields = self.rng.choice([FIELDS, [self.rng.choice(FIELDS)]])
        self.connection.execute(
            "update market.contract set max_staleness_s = %s"
            " where feature_set = 'market_1m' and field = any(%s)",
            [seconds, fields],
        )
        self.state.staleness |= dict.fromkeys(fields, seconds)

    def edit_words(self) -> None:
        """What no answer depends on."""
        self.connection.execute(
            "update market.instrument set description = description || '.' where symbol = %s",
            [SYMBOL],
        )

    def edit(self) -> None:
        """One edit or some in one transaction, refused where sessions overlap; and a publish."""
        kinds = [self.edit_week, self.edit_holiday, self.edit_calendar, self.edit_instrument]
        kinds += [self.edit_contract, self.edit_words]
        before = copy.deepcopy(self.state)
        try:
            with self.connection.transaction():
                for _ in range(self.rng.choice([1, 1, 1, 3])):
                    self.rng.choice(kinds)()
        except psycopg.errors.InvalidParameterValue as error:
            if "before the one of" not in str(error):
                raise
            # nothing of it was taken
            self.state, self.refused = before, self.refused + 1
        row = self.connection.execute("select market.last_version()").fetchone()
        assert row is not None
        if row[0] > self.known[-1][0]:
            self.known.append((row[0], copy.deepcopy(self.state)))
        self.connection.execute("call feature.publish()")

    # what is asked

    def ask(self, pairs: int = 8) -> None:
        """Questions about the bars, as known at any state, answered as the oracle says."""
        as_ofs, knowns = [], []
        for _ in range(pairs):
            bar = self.rng.choice(self.bars)
            moment = bar + self.rng.choice(
                [MINUTE, self.rng.randrange(1, 7200) * timedelta(seconds=1), 20 * MINUTE, DAY]
            )
            as_ofs.append(min(moment, self.now))
            since = self.rng.choice(self.known[-5:])[0]
            edge = since + self.rng.choice([-1, 0, 1]) * MICROSECOND
            knowns.append(max(edge, self.now))
        arguments = [[SYMBOL] * pairs, as_ofs, knowns, self.tenant]
        with self.connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
            found = cursor.execute(ASK, arguments).fetchall()
        for as_of, known, row in zip(as_ofs, knowns, found, strict=True):
            assert row["known_as_of"] == known
            state = next(s for since, s in reversed(self.known) if since <= known)
            said = f"{as_of} known {known}: {state}"
            closed = [bar for bar in self.bars if bar + MINUTE <= as_of]
            if not closed:
                assert (row["bucket"], row["is_stale"]) == (None, True), said
                continue
            age = state.age(closed[-1] + MINUTE, as_of).total_seconds()
            there = max(state.staleness.values()) >= age
            assert row["bucket"] == (closed[-1] if there else None), said
            assert row["is_stale"] == (age > min(state.staleness.values())), said
            value = 100.0 + len(closed) - 1 if age <= state.staleness["close"] else None
            assert row["close"] == value, said
        digest = self.connection.execute(HASH, arguments).fetchone()
        assert digest is not None
        self.asked.append((as_ofs, knowns, digest[0]))

    def check(self, asked: list[tuple[list[datetime], list[datetime], str]]) -> None:
        """Asked again, each is answered as it was."""
        for as_ofs, knowns, digest in asked:
            arguments = [[SYMBOL] * len(as_ofs), as_ofs, knowns, self.tenant]
            assert self.connection.execute(HASH, arguments).fetchone() == (digest,)


@pytest.fixture
def edited(small_world: World) -> Iterator[Edited]:
    """The world, whose reference data is as it was afterwards."""
    yield Edited(small_world)
    execute = small_world.connection.execute
    execute("delete from market.instrument where symbol = %s", [SYMBOL])
    for table in ("calendar_session", "calendar_holiday", "calendar"):
        execute(f"delete from market.{table} where calendar_id = %s".encode(), [CALENDAR])
    execute("update market.contract set max_staleness_s = 900 where feature_set = 'market_1m'")
    known_from_the_beginning(small_world.connection)


def test_no_edit_moves_an_answer_and_each_is_the_oracles(edited: Edited) -> None:
    edited.ask()
    for number in range(EDITS):
        edited.edit()
        edited.ask()
        some = min(len(edited.asked), 3)
        edited.check(edited.rng.sample(edited.asked, some))
        if number % 2500 == 0:
            edited.check(edited.asked)
    edited.check(edited.asked)
    assert edited.refused < EDITS / 2
