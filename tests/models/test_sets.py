"""momentum_1m and daily equal their oracles to 1e-12, as dbt's models are read."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.known import known_from_the_beginning
from tests.models import oracle_sets, ticks
from tests.models.making_ticks import MINUTE, Moment, frame, loaded, made, patterns, rows
from tests.models.oracle_sets import DAILY, MOMENTUM_1M, QUOTE, TRADE, Ticks
from tests.pit import sessions, test_real_ticks
from tests.pit.oracle import Quote, Trade
from tests.pit.sessions import DAY, Session

MICROSECOND = timedelta(microseconds=1)
TEN = datetime(2024, 3, 4, 10, 0, tzinfo=UTC)
BARS_FROM = st.sampled_from(["trade", "quote", "bar"])
# of the seeds, one for each calendar, and one that gets the calendar of the test
SYMBOLS = ["SYN_ES", "SYN_BTCUSD", "SYN_EURUSD", "SYN_AAPL", "SYN_NQ"]
TWICE = "SYN_NQ"
TOKYO = {weekday: [("09:00", "11:30"), ("12:30", "15:00")] for weekday in range(1, 6)}
HALF_DAYS = {date(2024, 3, 8): [("09:00", "11:30")], date(2024, 3, 20): []}
# clocks go forward in America, Globex closes early, clocks go back and shares close early
STARTS = [date(2024, 2, 26), date(2024, 6, 24), date(2024, 10, 28), date(2024, 11, 11)]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
EXAMPLES = settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def built(modelled_database: str) -> Iterator[psycopg.Connection]:
    """The database with dbt's models, a calendar of two sessions a day, and no ticks."""
    with psycopg.connect(modelled_database, autocommit=True) as connection:
        connection.execute("set timezone = 'America/New_York'")
        connection.execute(
            "select alter_job(job_id, scheduled => false) from timescaledb_information.jobs"
            " where proc_name = 'policy_refresh_continuous_aggregate'"
        )
        connection.execute(
            "insert into market.calendar"
            " values ('twice', 'Asia/Tokyo', 'twice', 'a test', '2027-12-31')"
        )
        for weekday, hours in TOKYO.items():
            for opens, closes in hours:
                connection.execute(
                    "insert into market.calendar_session (calendar_id, iso_weekday, opens, closes)"
                    " values ('twice', %s, %s, %s)",
                    [weekday, opens, closes],
                )
        for day, hours in HALF_DAYS.items():
            connection.execute(
                "insert into market.calendar_holiday values ('twice', %s, 'half', %s, %s)",
                [day, *(hours[0] if hours else (None, None))],
            )
        connection.execute(
            "update market.instrument set calendar_id = 'twice' where symbol = %s", [TWICE]
        )
        known_from_the_beginning(connection)
        yield connection


def sessions_of(symbol: str, first: date, last: date) -> list[Session]:
    """The symbol's sessions, without the SQL."""
    if symbol == TWICE:
        return sessions.of_calendar(
            ZoneInfo("Asia/Tokyo"),
            lambda day: TOKYO.get(day.isoweekday(), []),
            HALF_DAYS,
            first,
            last,
        )
    return sessions.of_symbol(symbol, first, last)


@st.composite
def minutes_of_a_morning(draw: st.DrawFn) -> Ticks:
    """Up to 70 minutes, with gaps, or with none, so that every window is full."""
    full = draw(st.sampled_from([True, True, True, False]))
    pattern = st.sampled_from(draw(patterns(places=3, least=int(full))))
    came: list[tuple[datetime, Moment]] = []
    minute = TEN
    for _ in range(draw(st.integers(52, 70) if full else st.integers(1, 30))):
        at = [minute, minute + 7 * MINUTE / 60, minute + MINUTE - MICROSECOND]
        came += [(at[place], moment) for place, moment in draw(pattern)]
        minute += MINUTE if full else draw(st.sampled_from([1, 1, 2, 30])) * MINUTE
    return made(came, draw(BARS_FROM))


@st.composite
def sessions_of_a_month(draw: st.DrawFn) -> tuple[str, Ticks, list[Session]]:
    """A symbol, ticks around the borders of its sessions, and these."""
    symbol, start = draw(st.sampled_from(SYMBOLS)), draw(st.sampled_from(STARTS))
    full = draw(st.booleans())
    days = draw(st.integers(30, 36) if full else st.integers(1, 8))
    pattern = st.sampled_from(draw(patterns(places=5, least=int(full))))
    came: list[tuple[datetime, Moment]] = []
    for opens_at, closes_at in sessions_of(symbol, start, start + days * DAY):
        middle = opens_at + (closes_at - opens_at) / 2
        at = [middle, opens_at, closes_at - MICROSECOND, opens_at - MICROSECOND, closes_at]
        came += [(at[place], moment) for place, moment in draw(pattern)]
    # a tick at a border can lie in the session before or after them
    held = sessions_of(symbol, start - 4 * DAY, start + (days + 4) * DAY)
    return symbol, made(came, draw(BARS_FROM)), held


@EXAMPLES
@given(minutes_of_a_morning())
def test_momentum_equals_the_oracle(built: psycopg.Connection, series: Ticks) -> None:
    with loaded(built, "SYN_ES", series):
        found = rows(built, "momentum_1m", MOMENTUM_1M, "SYN_ES")
    assert oracle_sets.differences(found, oracle_sets.momentum_1m(series)) == []


@EXAMPLES
@given(sessions_of_a_month())
def test_daily_equals_the_oracle(
    built: psycopg.Connection, case: tuple[str, Ticks, list[Session]]
) -> None:
    symbol, series, held = case
    with loaded(built, symbol, series):
        found = rows(built, "daily", DAILY, symbol)
        inside = built.execute(
            "select bar, closes_at, bucket from staging.stg_market_1m__session"
            " where symbol = %s order by 1, 3",
            [symbol],
        ).fetchall()
    assert oracle_sets.differences(found, oracle_sets.daily(series, held)) == []
    there = sorted(oracle_sets.minutes(series).index)
    assert inside == [
        (*one, bucket) for one in held for bucket in there if one[0] <= bucket < one[1]
    ]


LENGTHS = {"5m": 5 * MINUTE, "15m": 15 * MINUTE, "1h": 60 * MINUTE}


@pytest.mark.parametrize("grain", LENGTHS)
def test_a_minute_with_its_fields_lies_in_the_closed_bar_that_holds_it(
    built: psycopg.Connection, grain: str
) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    series = walked([now - back * MINUTE for back in range(1, 130, 3)], 3)
    with loaded(built, "SYN_BTCUSD", series):
        minute = built.execute(
            "select *, now() as now from feature.feature_1m order by bucket"
        ).fetchall()
        found = built.execute(
            f"select * from staging.stg_market_1m__{grain} order by bucket".encode()
        )
        names = [column.name for column in found.description or ()]
        inside = found.fetchall()
    length = LENGTHS[grain]
    wanted = []
    for *fields, moment in minute:
        bar = fields[2] - (fields[2] - TEN) % length
        if bar + length <= moment:
            wanted.append((bar, bar + length, *fields))
    assert names[:5] == ["bar", "closes_at", "tenant_id", "symbol", "bucket"]
    assert inside == wanted
    assert len(minute) == 43
    assert len(inside) > 20


def walked(at: list[datetime], seed: int) -> Ticks:
    """Four moments near each of these, prices a walk, sizes of two decimals."""
    rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
    price, came = 100.0, []
    for moment in at:
        for second in (1, 1, 20, 40):
            price = round(price * (1 + rng.gauss(0, 0.01)), 2)
            size = [rng.randint(1, 900) / 100 for _ in range(3)]
            came.append(
                (moment + second * MINUTE / 60, Moment(price, size[0], size[0], 0.01, *size[1:]))
            )
    return made(came, "trade")


@cache
def expected(model: str, symbol: str) -> tuple[Ticks, pd.DataFrame]:
    """Ticks that fill every field, and what the oracle makes of them."""
    if model == "momentum_1m":
        series = walked([TEN + place * MINUTE for place in range(120)], 1)
        return series, oracle_sets.momentum_1m(series)
    held = sessions_of(symbol, STARTS[0], STARTS[0] + 50 * DAY)
    series = walked([opens_at + place * MINUTE for opens_at, _ in held for place in (0, 3)], 2)
    return series, oracle_sets.daily(series, held)


@pytest.mark.parametrize(
    ("model", "fields", "symbol"),
    [("momentum_1m", MOMENTUM_1M, "SYN_ES"), *(("daily", DAILY, symbol) for symbol in SYMBOLS)],
)
def test_a_walk_fills_every_field_and_equals_the_oracle(
    built: psycopg.Connection, model: str, fields: list[str], symbol: str
) -> None:
    series, want = expected(model, symbol)
    assert (want.notna().sum() > 5).all()
    with loaded(built, symbol, series):
        found = rows(built, model, fields, symbol)
    assert oracle_sets.differences(found, want) == []


def captured(symbol: str) -> Ticks:
    """The ticks of a captured market."""
    if not ticks.DATA.is_dir():
        pytest.skip("the real files are not here: ../shared/data")
    trades, quotes = [], []
    for event in test_real_ticks.source(symbol, "captured"):
        of, key = event.values, (event.ts, event.seq)
        if isinstance(of, Trade):
            trades.append((*key, of.price, of.size, of.side))
        elif isinstance(of, Quote):
            quotes.append((*key, of.bid, of.bid_size, of.ask, of.ask_size))
    return Ticks(
        frame(trades, TRADE), frame(quotes, QUOTE), bars_from="trade" if trades else "quote"
    )


@pytest.mark.parametrize("symbol", ["ESH4", "BTCUSDT", "USDJPY"])
def test_a_real_day_equals_the_oracle(built: psycopg.Connection, symbol: str) -> None:
    series = captured(symbol)
    first = min([*series.trades["ts"], *series.quotes["ts"]]).date()
    held = sessions_of(symbol, first - 2 * DAY, first + 2 * DAY)
    momentum, daily = oracle_sets.momentum_1m(series), oracle_sets.daily(series, held)
    with loaded(built, symbol, series):
        found = rows(built, "momentum_1m", MOMENTUM_1M, symbol), rows(built, "daily", DAILY, symbol)
    assert len(momentum) > 0
    assert len(daily) > 0
    assert oracle_sets.differences(found[0], momentum) == []
    assert oracle_sets.differences(found[1], daily) == []


@pytest.mark.parametrize(
    ("model", "fields", "symbol", "reach", "skipped"),
    [("momentum_1m", MOMENTUM_1M, "SYN_ES", 49, 40), ("daily", DAILY, "SYN_ES", 20, 10)],
)
def test_a_bar_is_what_its_reach_makes_of_it_to_the_bit(
    built: psycopg.Connection,
    model: str,
    fields: list[str],
    symbol: str,
    reach: int,
    skipped: int,
) -> None:
    series, want = expected(model, symbol)
    start: Any = want.index[skipped]
    shorter = Ticks(*(of[of["ts"] >= start] for of in (series.trades, series.quotes, series.bars)))
    with loaded(built, symbol, series):
        whole = rows(built, model, fields, symbol)
    with loaded(built, symbol, shorter):
        cut = rows(built, model, fields, symbol)
    assert len(cut) == len(whole) - skipped > reach
    assert cut[reach:] == whole[skipped + reach :]
    assert cut[reach - 1] != whole[skipped + reach - 1]
