"""A bar of a session waits until it closes, and is published then, though no tick comes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.known import known_from_the_beginning
from tests.pit.conftest import Past, Scene
from tests.pit.world import World

MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
TWICE = "SYN_NQ"
# Tokyo's morning and afternoon
LUNCH = [("09:00", "11:30"), ("12:30", "15:00")]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


MORNING = (TWICE, utc("2024-03-05 00:00"), utc("2024-03-05 02:30"))
AFTERNOON = (TWICE, utc("2024-03-05 03:30"), utc("2024-03-05 06:00"))
CASES = {
    "a day": ("SYN_AAPL", utc("2024-03-08 14:30"), utc("2024-03-08 21:00")),
    "after clocks went forward": ("SYN_AAPL", utc("2024-03-11 13:30"), utc("2024-03-11 20:00")),
    "a shortened day": ("SYN_AAPL", utc("2024-11-29 14:30"), utc("2024-11-29 18:00")),
    "across midnight": ("SYN_ES", utc("2024-03-04 23:00"), utc("2024-03-05 22:00")),
    "the night clocks went forward": ("SYN_ES", utc("2024-03-10 22:00"), utc("2024-03-11 21:00")),
    "across midnight, shortened": ("SYN_ES", utc("2024-02-18 23:00"), utc("2024-02-19 18:00")),
    "clocks go forward in it": ("SYN_BTCUSD", utc("2024-03-10 00:00"), utc("2024-03-11 00:00")),
    "the first of two": MORNING,
    "the second of two": AFTERNOON,
}


@pytest.fixture(scope="module", autouse=True)
def twice(small_world: World) -> Iterator[None]:
    """A calendar of two sessions a day, and an instrument that keeps it."""
    execute = small_world.connection.execute
    execute(
        "insert into market.calendar"
        " values ('twice', 'Asia/Tokyo', 'twice a day', 'a test', '2027-12-31')"
    )
    for weekday in range(1, 6):
        for opens, closes in LUNCH:
            execute(
                "insert into market.calendar_session (calendar_id, iso_weekday, opens, closes)"
                " values ('twice', %s, %s, %s)",
                [weekday, opens, closes],
            )
    execute("update market.instrument set calendar_id = 'twice' where symbol = %s", [TWICE])
    known_from_the_beginning(small_world.connection)
    yield
    execute("update market.instrument set calendar_id = 'cme_equity' where symbol = %s", [TWICE])
    execute("delete from market.calendar_session where calendar_id = 'twice'")
    execute("delete from market.calendar where calendar_id = 'twice'")
    known_from_the_beginning(small_world.connection)


@pytest.fixture
def early(scene: Scene) -> Scene:
    """Live before all of the sessions; nothing waits."""
    scene.world.connection.execute("truncate feature.changed_bar, feature.waiting_bar")
    scene.world.set_clock(utc("2024-01-02 00:00"), utc("2024-01-02 00:00"))
    return scene


def daily(scene: Scene, columns: str) -> list[tuple[Any, ...]]:
    return scene.world.connection.execute(
        f"select {columns} from feature.daily_log where tenant_id = %s"
        " order by symbol, bucket, known_at".encode(),
        [scene.tenant],
    ).fetchall()


def waiting(scene: Scene) -> list[tuple[Any, ...]]:
    return scene.world.connection.execute(
        "select symbol, bucket, closes_at from feature.waiting_bar where tenant_id = %s"
        " and feature_set = 'daily' order by symbol, bucket",
        [scene.tenant],
    ).fetchall()


@pytest.mark.parametrize(("symbol", "opens", "closes"), CASES.values(), ids=CASES)
def test_a_bar_is_published_with_its_close_and_not_before(
    early: Scene, symbol: str, opens: datetime, closes: datetime
) -> None:
    early.trade(opens, 100, symbol=symbol)
    early.trade(opens + MINUTE, 103, symbol=symbol)
    early.trade(closes - 2 * MINUTE, 101, symbol=symbol)
    for stamp in (opens + 2 * MINUTE, closes - MINUTE, closes - MICROSECOND):
        early.world.publish(stamp)
        assert daily(early, "bucket") == []
        assert waiting(early) == [(symbol, opens, closes)]
    queued = early.world.connection.execute("select count(*) from feature.changed_bar").fetchone()
    assert queued == (0,)
    early.world.publish(closes)
    assert waiting(early) == []
    assert daily(early, "bucket, closes_at, known_at, cause, open, high, low, close, volume") == [
        (opens, closes, closes, "close", 100, 103, 100, 101, 3)
    ]
    early.world.publish(closes + MINUTE)
    assert len(daily(early, "bucket")) == 1


@pytest.mark.parametrize(
    ("symbol", "opens", "closes"),
    [case for case in CASES.values() if case[0] != "SYN_BTCUSD"],
    ids=[name for name, case in CASES.items() if case[0] != "SYN_BTCUSD"],
)
def test_a_minute_outside_a_session_is_in_no_bar(
    early: Scene, symbol: str, opens: datetime, closes: datetime
) -> None:
    for at, price in ((opens - MICROSECOND, 1), (closes, 2)):
        early.trade(at, price, symbol=symbol)
    early.trade(closes - MICROSECOND, 100, symbol=symbol)
    early.world.publish(closes + MINUTE)
    assert len(early.log()) == 3
    assert daily(early, "bucket, open, low, close, volume") == [(opens, 100, 100, 100, 1)]


def test_two_sessions_a_day_follow_one_another(early: Scene) -> None:
    (symbol, opens, closes), (_, reopens, ends) = MORNING, AFTERNOON
    early.trade(opens, 100, symbol=symbol)
    early.trade(closes + MINUTE, 1, symbol=symbol)
    early.trade(reopens, 110, symbol=symbol)
    early.world.publish(ends - MICROSECOND)
    assert daily(early, "bucket, close") == [(opens, 100)]
    early.world.publish(ends)
    assert daily(early, "bucket, known_at, close, previous_close, gap") == [
        (opens, ends - MICROSECOND, 100, None, None),
        (reopens, ends, 110, 100, pytest.approx(0.1)),
    ]


def test_what_came_late_and_what_was_corrected_restates_it_and_the_next(early: Scene) -> None:
    (symbol, opens, closes), (_, reopens, ends) = MORNING, AFTERNOON
    first = early.trade(opens, 100, symbol=symbol)
    early.trade(reopens, 110, symbol=symbol)
    early.world.publish(ends)
    early.trade(opens + MINUTE, 104, ends, symbol=symbol)
    early.world.publish(ends + MINUTE)
    early.amend(first, "correction", ends + MINUTE, price=90)
    early.world.publish(ends + 2 * MINUTE)
    assert daily(early, "bucket, known_at, cause, open, close, previous_close") == [
        (opens, ends, "close", 100, 100, None),
        (opens, ends + MINUTE, "late", 100, 104, None),
        (opens, ends + 2 * MINUTE, "correction", 90, 104, None),
        (reopens, ends, "close", 110, 110, 100),
        (reopens, ends + MINUTE, "late", 110, 110, 104),
    ]
    assert closes < reopens


def test_a_session_without_a_minute_left_goes_and_can_come_back(early: Scene) -> None:
    symbol, opens, closes = CASES["across midnight"]
    only = early.trade(opens + MINUTE, 100, symbol=symbol)
    early.world.publish(closes)
    early.amend(only, "cancel", closes)
    early.world.publish(closes + MINUTE)
    early.trade(opens, 7, closes + MINUTE, symbol=symbol)
    early.world.publish(closes + 2 * MINUTE)
    assert daily(early, "known_at, closes_at, cause, close") == [
        (closes, closes, "close", 100),
        (closes + MINUTE, None, "cancel", None),
        (closes + 2 * MINUTE, closes, "late", 7),
    ]


def test_a_session_whose_minutes_went_before_it_closed_is_never_said(early: Scene) -> None:
    symbol, opens, closes = CASES["across midnight"]
    only = early.trade(opens + MINUTE, 100, symbol=symbol)
    early.world.publish(opens + 2 * MINUTE)
    early.amend(only, "cancel", opens + 3 * MINUTE)
    early.world.publish(opens + 4 * MINUTE)
    early.world.publish(closes)
    assert (daily(early, "bucket"), waiting(early)) == ([], [])


def test_a_reader_sees_a_session_once_it_has_closed_and_was_published(early: Scene) -> None:
    symbol, opens, closes = CASES["after clocks went forward"]
    early.trade(opens, 100, symbol=symbol)
    early.world.publish(closes)

    def ask(as_of: datetime) -> tuple[Any, ...]:
        row = early.world.connection.execute(
            "select bucket, close from daily_pit_snapshot(%s, %s::timestamptz, null, %s)",
            [[symbol], as_of, early.tenant],
        ).fetchone()
        assert row is not None
        return tuple(row)

    assert ask(closes - MICROSECOND) == (None, None)
    assert ask(closes) == (opens, 100)


def test_publishing_goes_on_where_a_calendar_has_no_session(early: Scene) -> None:
    saturday = utc("2024-03-09 12:00")
    early.trade(saturday, 100, symbol="SYN_AAPL")
    early.world.publish(saturday + MINUTE)
    assert len(early.log()) == 1
    assert (daily(early, "bucket"), waiting(early)) == ([], [])


@pytest.mark.parametrize("order", ["published, built", "built, published", "closed, built"])
def test_a_session_that_was_open_when_the_database_went_live_has_its_history(
    past: Past, order: str
) -> None:
    """All its minutes were known before that, and a backfill builds them: no tick comes after."""
    closes = past.day + timedelta(days=1)
    past.world.set_clock(past.at(5), past.at(5))
    past.bars(5)
    stamp = past.at(6)
    for step in order.split(", "):
        if step == "built":
            past.world.backfill(past.day, closes)
            continue
        past.world.publish(stamp)
        if step == "closed":
            stamp = past.at(24 * 60 + 2)
            past.trade(past.at(24 * 60), 110)
            past.world.publish(stamp)
    assert daily(past, "bucket") == []
    stamp = max(closes, stamp + MICROSECOND)
    past.world.publish(stamp)
    columns = "bucket, closes_at, known_at, cause, open, close, volume"
    said = [(past.day, closes, stamp, "close", 100, 101, 5)]
    assert daily(past, columns) == said
    past.world.backfill(past.day, closes)
    past.world.publish(closes + timedelta(days=1))
    assert [row for row in daily(past, columns) if row[0] == past.day] == said
