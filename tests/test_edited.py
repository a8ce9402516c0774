"""What people edit while the scheduler publishes, as they do it: with files, make, Feast and psql.

Nobody publishes but the database's own job: a server's workers run it, or the embedded engine.
"""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.recipe import Copy

PATIENCE_S = 180.0
# each shows another edit
QUIET, SHUT, MOVED, LATE = SYMBOLS = ["OWN_QUIET", "OWN_SHUT", "OWN_MOVED", "OWN_LATE"]
# has a tick of the minute in which all begins
LIVE = "OWN_LIVE"
TICK = """
    insert into market.trade (tenant_id, symbol, ts, seq, price, size, side, known_at)
    values (1, %s, %s, %s, %s, 1, 'buy', clock_timestamp())
"""
ASK = """
    select symbol, close from feature_pit_snapshot(%s, %s::timestamptz, %s::timestamptz, 1)
"""
REFERENCE = """
    select
        (select array_agg(c::text order by c::text) from market.contract as c),
        (select array_agg(i::text order by i::text) from market.instrument as i),
        (select array_agg(h::text order by h::text) from market.calendar_holiday as h),
        (select count(*) from market.contract_version),
        (select count(*) from market.instrument_version),
        (select count(*) from market.calendar_holiday_version),
        (select count(*) from market.session_month)
"""
WELL = """
    select
        (select array_agg(s::text) from feature.set_aside as s),
        (
            select array_agg(e.err_message)
            from timescaledb_information.job_errors as e
            where e.proc_name = 'publish_job'
        )
"""
ONLINE = """
import json
from datetime import UTC
from feast_repo.store import open_store

keys = [{"tenant_id": 1, "symbol": symbol} for symbol in %r]
answer = open_store().get_online_features(["bar:close"], keys)
(place,) = (n for n, name in enumerate(answer.proto.metadata.feature_names.val) if name == "close")
moment = answer.proto.results[place].event_timestamps[0].ToDatetime(UTC)
print(json.dumps([moment.isoformat(), answer.to_dict()["close"]]))
"""


class Story:
    """A copy of the repository, its database, and what was asked of that."""

    def __init__(self, copy: Copy, connection: psycopg.Connection[Any]) -> None:
        self.copy, self.connection = copy, connection
        self.seeds = copy.directory / "seeds"
        self.seq = 0
        self.first = self.one("select date_trunc('minute', now()) - interval '6 minutes'")
        self.digests: dict[datetime, str] = {}
        self.receipts: dict[datetime, str] = {}

    def one(self, query: str, *arguments: Any) -> Any:
        """The only column of the only row."""
        ((found,),) = self.connection.execute(query.encode(), arguments).fetchall()
        return found

    def until(self, query: str, *arguments: Any) -> None:
        """Wait until the answer is true."""
        end = time.monotonic() + PATIENCE_S
        while not self.one(query, *arguments):
            assert time.monotonic() < end, f"{query} {arguments}: not within {PATIENCE_S} s"
            time.sleep(0.3)

    def tick(self, symbol: str, ts: datetime, price: float) -> None:
        self.seq += 1
        self.connection.execute(TICK.encode(), [symbol, ts, self.seq, price])

    def ask(self, as_of: datetime, known: datetime | None = None) -> dict[str, float | None]:
        return dict(self.connection.execute(ASK.encode(), [SYMBOLS, as_of, known]).fetchall())

    def published(self, after: datetime | None = None) -> datetime:
        """The last publish's stamp; waits for the scheduler where none came after that."""
        if after is not None:
            self.until("select published_at > %s from feature.clock", after)
        at: datetime = self.one("select published_at from feature.clock")
        return at

    def run(self, *words: str) -> tuple[int, str]:
        """Run make; its exit code, and all that it said."""
        done = subprocess.run(
            ["make", "-s", f"VENV={sys.prefix}", *words],
            cwd=self.copy.directory,
            env=self.copy.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode, done.stdout

    def make(self, *words: str) -> str:
        code, said = self.run(*words)
        assert code == 0, said
        return said

    def psql(self, *queries: str) -> str:
        """What psql says of one after another, its warnings too."""
        commands = " ".join(f'-c "{query}"' for query in queries)
        return self.make("psql", f"ARGS=-At {commands}").strip()

    def edit(self, file: str, cells: Callable[[dict[str, str]], dict[str, str]]) -> None:
        """Give the lines of a file other cells."""
        path = self.seeds / f"{file}.csv"
        with path.open(newline="") as opened:
            lines = list(csv.DictReader(opened))
        with path.open("w", newline="") as opened:
            writer = csv.DictWriter(opened, list(lines[0]))
            writer.writeheader()
            writer.writerows(line | cells(line) for line in lines)

    def add(self, file: str, *lines: str) -> int:
        """Add lines to a file; returns the number of the last."""
        path = self.seeds / f"{file}.csv"
        path.write_text("\n".join([*path.read_text().splitlines(), *lines, ""]))
        return len(path.read_text().splitlines())

    def note(self, as_of: datetime) -> None:
        """Ask at that moment in psql, and keep digest and receipt."""
        asked = f"array{SYMBOLS}, timestamptz '{as_of}', null, 1"
        self.digests[as_of] = self.psql(f"select feature_pit_hash({asked})")
        self.receipts[as_of] = self.psql(f"select feature.receipt({asked})")

    def check(self) -> None:
        """All that was asked is answered so again, and no publish has failed."""
        for as_of, digest in self.digests.items():
            asked = f"array{SYMBOLS}, timestamptz '{as_of}'"
            found = self.psql(
                f"select feature_pit_hash({asked}, null, 1)",
                f"select is_equal from feature.verify('{self.receipts[as_of]}', {asked}, 1)",
            )
            assert found.splitlines()[-1] == "t"
            assert digest in found
        assert self.connection.execute(WELL.encode()).fetchall() == [(None, None)]


@pytest.fixture
def story(modelled_database: str, tmp_path: Path) -> Iterator[Story]:
    """A database that publishes by itself, and instruments with calendars of their own."""
    copy = Copy(tmp_path / "copy")
    copy.environment |= {
        "ENGINE": "given",
        "DATABASE_URL": modelled_database,
        "FEAST_ONLINE": "sqlite",
        "FEAST_SQLITE": str(tmp_path / "online.db"),
        "FEAST_REGISTRY": f"sqlite:///{tmp_path / 'registry.db'}",
    }
    with psycopg.connect(modelled_database, autocommit=True) as connection:
        connection.execute("set timezone = 'UTC'")
        yield Story(copy, connection)


@contextmanager
def late_ticks(story: Story) -> Iterator[None]:
    """Ticks of a bar that has closed, so that each publish has something to do."""
    stop = threading.Event()

    def insert() -> None:
        with psycopg.connect(story.copy.environment["DATABASE_URL"], autocommit=True) as connection:
            ((there,),) = connection.execute("select count(*) from market.trade").fetchall()
            for seq in range(10**6 + there, 2 * 10**6):
                connection.execute(
                    TICK.encode(), [LATE, story.first + timedelta(seconds=30), seq, 100 + seq % 7]
                )
                if stop.wait(0.5):
                    return

    thread = threading.Thread(target=insert)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def begin(story: Story) -> None:
    """Calendars and instruments of one's own, two bars each, and a tick of this minute."""
    days = range(1, 8)
    rare = (story.first + timedelta(days=3)).isoweekday()
    ends_on = story.first.date() + timedelta(days=300)
    story.add("calendar", *(f"{c},UTC,a,a test,{ends_on}" for c in ("all", "shut", "rare")))
    story.add(
        "calendar_session",
        *(f"{c},,{day},00:00,24:00" for c in ("all", "shut") for day in days),
        f"rare,,{rare},00:00,01:00",
    )
    for symbol in (*SYMBOLS, LIVE):
        calendar = "shut" if symbol == SHUT else "all"
        story.add("instrument", f"{symbol},a,V,crypto,USD,{calendar},1,false,trade")
    assert "instrument: 5 added" in story.make("migrate")
    for symbol in SYMBOLS:
        for minute in (0, 1):
            story.tick(symbol, story.first + timedelta(minutes=minute, seconds=10), 100 + minute)
    story.tick(LIVE, story.one("select clock_timestamp()"), 103)
    story.until("select count(*) = 8 from feature.log where symbol = any(%s)", SYMBOLS)
    story.note(story.published())
    assert story.ask(max(story.digests)) == dict.fromkeys(SYMBOLS, 101.0)


def edit_beside(story: Story) -> None:
    """Three kinds of edit, loaded while dbt runs, ticks come, and the scheduler publishes."""
    story.edit(
        "smartdb_contract",
        lambda line: {"max_staleness_s": "61"} if line["feature_set"] == "market_1m" else {},
    )
    story.edit(
        "instrument", lambda line: {"calendar_id": "rare"} if line["symbol"] == MOVED else {}
    )
    days = (story.first.date() + timedelta(days=n) for n in (-1, 0, 1))
    story.add("calendar_holiday", *(f"shut,{day},announced now,,," for day in days))
    dbt: list[tuple[int, str]] = []
    thread = threading.Thread(target=lambda: dbt.append(story.run("dbt", "ARGS=run")))
    with late_ticks(story):
        thread.start()
        said = story.make("migrate")
        thread.join()
    assert "contract: 11 changed" in said
    assert "instrument: 1 changed" in said
    assert "calendar_holiday: 3 added" in said
    assert dbt[0][0] == 0, dbt[0][1]
    story.check()
    since = story.one("select max(known_at) from market.instrument_version")
    now = story.published(since)
    before = story.ask(now, since - timedelta(microseconds=1))
    assert before == dict.fromkeys(SYMBOLS, 101.0) | {LATE: before[LATE]}
    shown = story.ask(now)
    assert (shown[QUIET], shown[SHUT], shown[MOVED]) == (None, 101.0, 101.0)
    story.note(now)
    kept = story.connection.execute(REFERENCE.encode()).fetchall()
    assert story.make("migrate").splitlines() == ["no migration to apply"]
    assert story.connection.execute(REFERENCE.encode()).fetchall() == kept


def refuse(story: Story) -> None:
    """One wrong line of a kind each; what is right beside them is not loaded either."""
    kept = {path: path.read_text() for path in story.seeds.glob("*.csv")}
    before = story.connection.execute(REFERENCE.encode()).fetchall()
    story.edit("smartdb_contract", lambda _: {"max_staleness_s": "62"})
    story.edit(
        "instrument", lambda line: {"description": "other"} if line["symbol"] == QUIET else {}
    )
    wrong = [
        (
            "instrument",
            "OWN_X,a,V,fx,USD,nope,1,false,trade",
            "calendar_id 'nope' is in no line of ",
        ),
        ("calendar", "mars,Mars/Olympus,a,b,2099-12-31", "breaks the rule market.is_time_zone("),
        (
            "calendar_holiday",
            "all,2026-01-01,a,,,2999-01-01",
            "known_at '2999-01-01 00:00:00+00' is ",
        ),
        (
            "calendar_holiday",
            "all,2026-01-02,a,,,2024-01-01",
            "known_at '2024-01-01 00:00:00+00': ans",
        ),
    ]
    named = [f"seeds/{file}.csv line {story.add(file, line)}: {why}" for file, line, why in wrong]
    code, said = story.run("migrate")
    assert code != 0
    assert "nothing was loaded" in said
    assert [one for one in named if one not in said] == []
    assert "Traceback" not in said
    assert story.connection.execute(REFERENCE.encode()).fetchall() == before
    for path, text in kept.items():
        path.write_text(text)
    story.check()


def change_formula(story: Story) -> None:
    """A model is edited; the next ticks' versions say so, and an answer over both."""
    model = story.copy.directory / "models/intermediate/int_bar__own.sql"
    text = model.read_text()
    changed = text.replace("(buy_size - sell_size) / null", "(sell_size - buy_size) / null")
    assert changed != text
    model.write_text(changed)
    story.make("dbt", "ARGS=run")
    second = story.first + timedelta(minutes=1)
    story.tick(LATE, second + timedelta(seconds=50), 107)
    of_second = "from feature.log where symbol = %s and bucket = %s"
    story.until(f"select count(*) > 1 {of_second}", LATE, second)
    found = story.connection.execute(
        f"select close, order_imbalance, cause, definition {of_second} order by known_at".encode(),
        [LATE, second],
    ).fetchall()
    (close, imbalance, cause, was), last = found[0], found[-1]
    assert (close, imbalance, cause) == (101.0, 1.0, "close")
    assert last[:3] == (107.0, -1.0, "definition")
    # a scheduled publish has also had the tick of the minute in which this began
    story.until("select count(*) = 1 from feature.log where symbol = %s", LIVE)
    moments = [second + timedelta(seconds=10), second + timedelta(seconds=70)]
    asked = ", ".join(f"'{moment}'" for moment in moments)
    said = story.psql(
        f"select close from feature_pit_snapshot(array['{LATE}', '{LATE}'], array[{asked}]"
        "::timestamptz[], array[now(), now()], 1)"
    )
    # the first minute's, too, where a late tick of it came when the formulas had changed
    told = (
        rf"of several definitions: ({was} made 1, {last[3]} made 1, 1|{last[3]} made 2, 2) of them "
    )
    assert re.search(told, said)
    story.check()


def end_calendar(story: Story) -> None:
    """Beyond the end of a calendar: who publishes, reads, materializes or looks is told."""
    ended = story.first.date() - timedelta(days=3)
    story.edit(
        "calendar", lambda line: {"ends_on": f"{ended}"} if line["calendar_id"] == "shut" else {}
    )
    assert "calendar: 1 changed" in story.make("migrate")
    tick = TICK.replace("%s", "{}").format(
        f"'{SHUT}'", f"'{story.first + timedelta(seconds=40)}'::timestamptz", 99, 109
    )
    told = f"the calendar has ended: shut on {ended}"
    assert told in story.psql(" ".join(tick.split()), "call feature.publish()")
    _, board = story.run("status")
    assert f"warning: calendar shut ended on {ended}" in board
    assert re.search(r"definitions: market_1m \d+ \(of 2\).*: answers that mix them warn", board)
    found = story.make("dbt", "ARGS=test --select calendars_last_90_days_more")
    assert "WARN 1 calendars_last_90_days_more" in found
    story.make("feast")
    assert f"warning: {told}. Its sessions after that day" in story.make("materialize")
    moment, online = story.copy.python(ONLINE % SYMBOLS)
    # hours count by the clock: the bar that did not age while its market was shut is too old
    assert dict(zip(SYMBOLS, online, strict=True)) == story.ask(datetime.fromisoformat(moment))
    assert (online[SYMBOLS.index(SHUT)], online[SYMBOLS.index(MOVED)]) == (None, 101.0)
    story.check()


def rebuild_beside(story: Story) -> None:
    """The logs are made anew of one definition, while ticks come and the scheduler publishes."""
    with late_ticks(story):
        said = story.psql("call feature.rebuild(p_reason => 'another formula')")
        story.published(story.one("select max(switched_at) from feature.generation"))
    assert re.search(r"the new generation of market_1m, .* is in use", said), said
    for as_of, digest in story.digests.items():
        asked = f"array{SYMBOLS}, array_fill(timestamptz '{as_of}', array[{len(SYMBOLS)}])"
        found = story.psql(
            f"select feature_pit_hash_in(1, {asked}, null, 1)",
            f"select is_equal from feature.verify('{story.receipts[as_of]}', {asked}, null, 1)",
        )
        assert found.splitlines()[-2:] == [digest, "t"]
    # nothing mixes any more, and publishes go on from it
    moments = [story.first + timedelta(minutes=minute, seconds=10) for minute in (1, 2)]
    asked = ", ".join(f"'{moment}'" for moment in moments)
    said = story.psql(
        f"select close from feature_pit_snapshot(array['{LATE}', '{LATE}'], array[{asked}]"
        "::timestamptz[], array[now(), now()], 1)"
    )
    assert "several definitions" not in said
    story.tick(LATE, story.first + timedelta(seconds=55), 112)
    since = "select close = 112 from feature.log where symbol = %s order by bucket, known_at desc"
    story.until(f"{since} limit 1", LATE)
    assert story.connection.execute(WELL.encode()).fetchall() == [(None, None)]


def test_what_is_edited_while_the_scheduler_publishes(story: Story) -> None:
    for step in (begin, edit_beside, refuse, change_formula, end_calendar, rebuild_beside):
        step(story)
