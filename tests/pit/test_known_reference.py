"""What was answered stays so, whatever is learned later of calendars, instruments and contract."""

import csv
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import dbt, reference
from engine.errors import ReferenceRefused
from tests.known import known_from_the_beginning
from tests.pit.conftest import Scene
from tests.pit.world import World

SHARE = "SYN_AAPL"
# the last bar before New York's markets stayed closed, and a moment after they opened again
EVENING = datetime(2025, 1, 8, 20, 59, tzinfo=UTC)
MORNING = datetime(2025, 1, 10, 14, 35, tzinfo=UTC)
CLOSED_DAY = "2025-01-09"
EDITS = {
    "a holiday less": "delete from market.calendar_holiday as h"
    f" where h.day = '{CLOSED_DAY}' and h.calendar_id in ({{calendar}})",
    "a holiday more": "insert into market.calendar_holiday (calendar_id, day, name)"
    " select c.id, '2025-01-08', 'a day before' from ({calendar}) as c (id)",
    "a shorter maximum": "update market.contract set max_staleness_s = 300",
    "a shorter maximum of one field": "update market.contract set max_staleness_s = 61"
    " where field = 'close'",
    "another calendar": "update market.instrument set calendar_id = 'crypto_24x7'"
    f" where symbol = '{SHARE}'",
    "no instrument": f"delete from market.instrument where symbol = '{SHARE}'",
    "another time zone": "update market.calendar set time_zone = 'Asia/Tokyo'"
    " where calendar_id in ({calendar})",
    "other hours": "update market.calendar_session set opens = '09:00'"
    " where calendar_id in ({calendar})",
    "no sessions": "delete from market.calendar_session",
    "an earlier end": "update market.calendar set ends_on = '2024-12-31'",
}
CALENDAR = f"select i.calendar_id from market.instrument as i where i.symbol = '{SHARE}'"
HASH = "select feature_pit_hash(%s, %s::timestamptz[], %s::timestamptz[], %s)"

Digests = list[str]


@pytest.fixture
def answered(scene: Scene) -> Iterator[Scene]:
    """A share's bars before the closed day and after, published in their time."""
    connection = scene.world.connection
    scene.world.set_clock(EVENING, EVENING)
    for minute, price in ((EVENING, 242.7), (MORNING + timedelta(hours=1), 240.0)):
        scene.trade(minute, price, symbol=SHARE)
        scene.world.publish(minute + timedelta(minutes=1))
    with edits(connection):
        yield scene


@contextmanager
def edits(connection: psycopg.Connection) -> Iterator[None]:
    """Reference data that a test may edit: at the end all is as it was, and as it was known."""
    known_from_the_beginning(connection)
    with connection.transaction(force_rollback=True):
        yield


def edit(scene: Scene, statement: str) -> None:
    """Edit reference data as at a commit of its own."""
    execute = scene.world.connection.execute
    execute(statement.format(calendar=CALENDAR).encode())
    execute("set constraints all immediate")
    execute("set constraints all deferred")


def digests(scene: Scene, until: datetime) -> Digests:
    """Of questions between the evening and until, each as known then, and one of all at once."""
    asked = [EVENING + timedelta(minutes=m) for m in (1, 6, 17, 400, 1100, 2400, 2497, 2513)]
    asked = [moment for moment in asked if moment <= until]
    questions = [[moment] for moment in asked] + [asked]
    found = []
    for moments in questions:
        row = scene.world.connection.execute(
            HASH, [[SHARE] * len(moments), moments, moments, scene.tenant]
        ).fetchone()
        assert row is not None
        found.append(row[0])
    return found


def test_the_closed_day_does_not_age_a_bar(answered: Scene) -> None:
    found = answered.ask(MORNING, symbol=SHARE)
    assert (found["close"], found["is_stale"]) == (242.7, False)


@pytest.mark.parametrize("statement", EDITS.values(), ids=EDITS)
def test_an_edit_moves_no_answer_that_was_given(answered: Scene, statement: str) -> None:
    before = digests(answered, MORNING + timedelta(hours=2))
    edit(answered, statement)
    assert digests(answered, MORNING + timedelta(hours=2)) == before


@pytest.mark.parametrize(
    "statement",
    [
        "update market.calendar_holiday_version set known_at = '-infinity'",
        "delete from market.contract_version",
        "truncate market.session_month",
    ],
)
def test_what_was_known_is_never_rewritten(answered: Scene, statement: str) -> None:
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="is append-only"):
        answered.world.connection.execute(statement.encode())


def test_who_asks_with_what_is_known_since_gets_the_edit(answered: Scene) -> None:
    connection = answered.world.connection
    before = answered.ask(MORNING, symbol=SHARE)
    edit(answered, EDITS["a holiday less"])
    # a publish after the edit
    connection.execute("call feature.publish()")
    now = answered.world.published_at()
    assert answered.ask(MORNING, symbol=SHARE) == before
    later = answered.ask(MORNING, now, symbol=SHARE)
    assert (later["close"], later["is_stale"]) == (None, True)
    # in one question: each as it was known
    asked = answered.world.ask_each(
        [SHARE] * 3, [MORNING] * 3, [MORNING, now, MORNING], answered.tenant
    )
    assert [row["close"] for row in asked] == [242.7, None, 242.7]


def test_each_pair_is_judged_by_the_contract_that_was_known(answered: Scene) -> None:
    six = EVENING + timedelta(minutes=7)
    edit(answered, EDITS["a shorter maximum"])
    answered.world.connection.execute("call feature.publish()")
    now = answered.world.published_at()
    asked = answered.world.ask_each(
        [SHARE] * 4, [six, MORNING, six, MORNING], [six, six, now, now], answered.tenant
    )
    # six minutes after its close, of which one was traded
    assert [row["close"] for row in asked] == [242.7, 242.7, 242.7, 242.7]
    late = MORNING + timedelta(minutes=6)
    asked = answered.world.ask_each([SHARE] * 3, [late] * 3, [now, late, now], answered.tenant)
    assert [row["close"] for row in asked] == [None, 242.7, None]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from(sorted(EDITS)), min_size=1, max_size=6, unique=True))
def test_no_row_of_edits_moves_an_answer(answered: Scene, names: list[str]) -> None:
    connection = answered.world.connection
    with connection.transaction(force_rollback=True):
        before = digests(answered, MORNING + timedelta(hours=2))
        for name in names:
            edit(answered, EDITS[name])
            connection.execute("call feature.publish()")
            assert digests(answered, MORNING + timedelta(hours=2)) == before


def test_an_edit_that_is_taken_back_at_once_leaves_nothing(answered: Scene) -> None:
    connection = answered.world.connection
    count = "select count(*) from market.calendar_holiday_version"
    before = connection.execute(count).fetchone()
    connection.execute("update market.calendar_holiday set name = name || '?'")
    connection.execute("update market.calendar_holiday set name = rtrim(name, '?')")
    connection.execute("set constraints all immediate")
    assert connection.execute(count).fetchone() == before


def test_other_rules_of_a_time_zone_count_from_now(answered: Scene) -> None:
    """A server whose rules had New York an hour later, until it got those of today."""
    connection = answered.world.connection
    connection.execute("set local session_replication_role = replica")
    connection.execute(
        "update market.session_month set"
        " opens = array(select o + interval '1 hour' from unnest(opens) as o),"
        " closes = array(select c + interval '1 hour' from unnest(closes) as c)"
        f" where calendar_id in ({CALENDAR})".encode()
    )
    connection.execute("update market.zone_rules set digest = 'former'")
    connection.execute("set local session_replication_role = origin")
    half_past = MORNING.replace(hour=21, minute=30)
    sessions = "select closes_at from market.trading_session(%s, %s, %s)"
    calendar = connection.execute(CALENDAR.encode()).fetchone()
    assert calendar is not None
    asked = [calendar[0], MORNING.replace(hour=17), half_past]
    before = digests(answered, MORNING + timedelta(hours=2))
    assert connection.execute(sessions.encode(), asked).fetchone() == (
        MORNING.replace(hour=22, minute=0),
    )
    connection.execute("select market.keep_sessions()")
    assert connection.execute(sessions.encode(), asked).fetchone() == (
        MORNING.replace(hour=21, minute=0),
    )
    assert digests(answered, MORNING + timedelta(hours=2)) == before
    versions = "select count(*) from market.session_month"
    kept = connection.execute(versions.encode()).fetchone()
    connection.execute("select market.keep_sessions()")
    assert connection.execute(versions.encode()).fetchone() == kept


def test_a_question_beyond_the_end_of_a_calendar_says_so(answered: Scene) -> None:
    told: list[str] = []
    connection = answered.world.connection

    def note(diagnostic: psycopg.errors.Diagnostic) -> None:
        told.append(str(diagnostic.message_primary))

    connection.add_notice_handler(note)
    answered.ask(MORNING, symbol=SHARE)
    assert told == []
    connection.execute("update market.calendar set ends_on = '2025-01-08'")
    connection.execute("set constraints all immediate")
    connection.execute("set constraints all deferred")
    connection.execute("call feature.publish()")
    found = answered.ask(MORNING, answered.world.published_at(), symbol=SHARE)
    connection.remove_notice_handler(note)
    assert len(told) == 1
    assert told[0].startswith("the calendar has ended: ")
    assert "on 2025-01-08" in told[0]
    # what is not known of its hours counts by the clock
    assert (found["close"], found["is_stale"]) == (None, True)


# --- by the files


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    """A copy of seeds/ that a test may edit."""
    return Path(shutil.copytree(reference.SEEDS, tmp_path / "seeds"))


@pytest.fixture
def loaded(small_world: World) -> Iterator[World]:
    """What seeds/ say, known from the beginning, before and after."""
    reference.load(small_world.url)
    known_from_the_beginning(small_world.connection)
    small_world.set_clock(EVENING, EVENING)
    yield small_world
    reference.load(small_world.url)
    known_from_the_beginning(small_world.connection)


def edit_line(path: Path, starts: str, **cells: str) -> int:
    """Give the first row that starts so other cells; return its line."""
    with path.open() as file:
        table = list(csv.DictReader(file))
    line = next(
        number for number, row in enumerate(table) if ",".join(row.values()).startswith(starts)
    )
    with path.open("w") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys([*table[0], *cells])))
        writer.writeheader()
        for number, row in enumerate(table):
            writer.writerow(row | (cells if number == line else {}))
    return line + 2


@pytest.mark.parametrize(
    ("file", "starts", "cells", "said"),
    [
        (
            "instrument",
            SHARE,
            {"known_at": "2999-01-01 00:00+00", "description": "x"},
            "known_at '2999-01-01 00:00:00+00' is in the future",
        ),
        (
            "instrument",
            SHARE,
            {"known_at": "2024-06-01 00:00+00", "description": "x"},
            "known_at '2024-06-01 00:00:00+00': answers until '2025-01-08 20:59:00+00' were given"
            " without this line, and stay as they are: leave known_at empty, ",
        ),
        (
            "instrument",
            SHARE,
            {"known_at": "2024-06-01 00:00+00"},
            "known_at '2024-06-01 00:00:00+00': this line has been known from the beginning, which"
            " stays so",
        ),
        (
            "calendar_holiday",
            "cme_",
            {"known_at": "2024-01-01 00:00+00", "name": "x"},
            "known_at '2024-01-01 00:00:00+00': answers until ",
        ),
    ],
)
def test_a_line_that_would_rewrite_what_was_known_is_refused(
    loaded: World, seeds: Path, file: str, starts: str, cells: dict[str, str], said: str
) -> None:
    line = edit_line(seeds / f"{file}.csv", starts, **cells)
    with pytest.raises(ReferenceRefused) as refused:
        reference.load(loaded.url, seeds)
    assert f"seeds/{file}.csv line {line}: {said}" in str(refused.value)


def test_a_line_says_since_when_it_is_known(loaded: World, seeds: Path) -> None:
    since = EVENING + timedelta(hours=1)
    edit_line(
        seeds / "instrument.csv", SHARE, calendar_id="crypto_24x7", known_at=since.isoformat()
    )
    with loaded.connection.transaction(force_rollback=True):
        loaded.set_clock(EVENING, EVENING)
    reference.load(loaded.url, seeds)
    versions = (
        "select known_at::text, calendar_id = 'crypto_24x7' from market.instrument_version"
        f" where symbol = '{SHARE}' order by known_at".encode()
    )
    found = loaded.connection.execute(versions).fetchall()
    assert found == [("-infinity", False), (since.strftime("%Y-%m-%d %H:%M:%S+00"), True)]
    # the same file again changes nothing
    assert reference.load(loaded.url, seeds) == []
    assert loaded.connection.execute(versions).fetchall() == found


def test_a_new_calendar_and_instrument_count_from_the_beginning(loaded: World, seeds: Path) -> None:
    for file, line in (
        ("calendar", "mars,UTC,Of a test,a test,2027-12-31"),
        ("calendar_session", "mars,,1,10:00,11:00"),
        ("instrument", "MARS,Of a test,V,future,USD,mars,1,false,trade"),
    ):
        with (seeds / f"{file}.csv").open("a") as opened:
            opened.write(line + "\n")
    reference.load(loaded.url, seeds)
    found = loaded.connection.execute(
        "select s.opens_at::text, s.known_at::text from market.believed_session("
        "'mars', '2024-03-04', '2024-03-05') as s union all"
        " select v.symbol, v.known_at::text from market.instrument_version as v"
        " where v.symbol = 'MARS'"
    ).fetchall()
    assert found == [("2024-03-04 10:00:00+00", "-infinity"), ("MARS", "-infinity")]
    # a session more of it counts from now
    with (seeds / "calendar_session.csv").open("a") as opened:
        opened.write("mars,,1,12:00,13:00\n")
    reference.load(loaded.url, seeds)
    row = loaded.connection.execute(
        "select count(*) filter (where s.known_at = '-infinity' and s.known_to < 'infinity'),"
        " count(*) filter (where s.known_at > now() - interval '1 hour')"
        " from market.believed_session('mars', '2024-03-04', '2024-03-05') as s"
    ).fetchone()
    assert row == (1, 2)


def test_sessions_that_overlap_are_refused(loaded: World, seeds: Path) -> None:
    with (seeds / "calendar_session.csv").open("a") as opened:
        opened.write("crypto_24x7,,1,12:00,13:00\n")
    with pytest.raises(ReferenceRefused, match=r"calendar crypto_24x7: a session opens at 2000-"):
        reference.load(loaded.url, seeds)
    assert reference.load(loaded.url) == []


def test_dbt_seed_makes_no_version_of_what_is_the_same(loaded: World) -> None:
    count = "(select count(*) from market.{}_version)"
    counts = ", ".join(count.format(table) for table in ("calendar", "instrument", "contract"))
    query = f"select {counts}, (select count(*) from market.session_month)".encode()
    before = loaded.connection.execute(query).fetchone()
    dbt.run(loaded.url, "seed", "--quiet", quiet=True)
    assert loaded.connection.execute(query).fetchone() == before


def test_a_typhoon_closes_a_market_from_when_it_is_announced(scene: Scene) -> None:
    """Hong Kong, 1 September 2023: until noon it was to open after all."""
    connection = scene.world.connection
    connection.execute(
        "insert into market.instrument select (jsonb_populate_record(i, jsonb_build_object("
        "'symbol', 'SYN_HK', 'calendar_id', 'XHKG'))).* from market.instrument as i"
        " where i.symbol = 'SYN_ES'"
    )
    try:
        evening = datetime(2023, 8, 31, 7, 59, tzinfo=UTC)
        opens, announced = (datetime(2023, 9, 1, h, m, tzinfo=UTC) for h, m in ((1, 30), (4, 0)))
        monday = datetime(2023, 9, 4, 1, 40, tzinfo=UTC)
        scene.world.set_clock(evening, evening)
        scene.trade(evening, 62.5, symbol="SYN_HK")
        scene.world.publish(evening + timedelta(minutes=1))
        scene.world.publish(monday)
        ten, twenty = (opens + timedelta(minutes=m) for m in (10, 20))
        asked = [
            (ten, ten, 62.5),
            # trading hours that were expected age a bar
            (twenty, twenty, None),
            (announced - timedelta(seconds=1), announced - timedelta(seconds=1), None),
            # and do not any more
            (announced, announced, 62.5),
            (twenty, announced, 62.5),
            (monday, monday, 62.5),
            (monday, twenty, None),
        ]
        moments, known, closes = (list(column) for column in zip(*asked, strict=True))
        found = scene.world.ask_each(["SYN_HK"] * len(asked), moments, known, scene.tenant)
        assert [row["close"] for row in found] == closes
    finally:
        connection.execute("delete from market.instrument where symbol = 'SYN_HK'")
