"""market.apply_trades and apply_quotes: what each event does to what is and was believed."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any, LiteralString

import psycopg
import pytest

from ingest.consume.ticks import create_incoming
from tests.conftest import Databases

T0 = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
VALUES: dict[str, LiteralString] = {
    "trade": "price, size, side",
    "quote": "bid, bid_size, ask, ask_size",
}
Said = tuple[str, int, float, float | None]  # action, seq, price, seconds; None: no clock
Belief = tuple[Any, ...]


class Book:
    """One tenant's ticks behind apply; numbered as Kafka offsets are, on a clock of its own."""

    def __init__(self, connection: psycopg.Connection[Any], tenant_id: int, kind: str) -> None:
        self.connection = connection
        self.tenant_id = tenant_id
        self.kind = kind
        self.offset = 0
        self.clock_s = 1000

    def apply(self, *events: Said) -> dict[int, str]:
        """Apply events as one batch; outcomes of those not applied, by position from 0."""
        return {at: outcome for at, (outcome, _) in self.judged(*events).items()}

    def judged(self, *events: Said) -> dict[int, tuple[str, Any]]:
        """The same, with the values that a conflicting one contradicts."""
        self.clock_s += 1
        with self.connection.transaction():
            create_incoming(self.connection, self.kind)
            for ordinal, (action, seq, price, known_s) in enumerate(events):
                values = (price, 1.0, "buy") if self.kind == "trade" else (price, 1.0, None, None)
                known_at = T0 + timedelta(seconds=self.clock_s if known_s is None else known_s)
                row = ordinal, action, known_s is None, self.tenant_id, "SYN_ES", T0, seq, *values
                row = *row, known_at, f"{self.kind}s", 0, self.offset
                columns = f"tenant_id, symbol, ts, seq, {VALUES[self.kind]}, known_at"
                self.connection.execute(
                    f"insert into pg_temp.incoming_{self.kind} (ordinal, action, own_clock,"
                    f" {columns}, source_topic, source_partition, source_offset)"
                    f" values ({', '.join(['%s'] * len(row))})".encode(),
                    row,
                )
                self.offset += 1
            found = self.connection.execute(
                f"select * from market.apply_{self.kind}s()".encode()
            ).fetchall()
        assert len({ordinal for ordinal, _, _ in found}) == len(found), "each is judged once"
        return {ordinal: (outcome, was) for ordinal, outcome, was in found}

    def current(self) -> list[Belief]:
        price = VALUES[self.kind].split(",")[0]
        return self.connection.execute(
            f"select seq, {price}, extract(epoch from known_at - ts)::int from market.{self.kind}"
            " where tenant_id = %s order by seq".encode(),
            (self.tenant_id,),
        ).fetchall()

    def superseded(self) -> list[Belief]:
        price = VALUES[self.kind].split(",")[0]
        return self.connection.execute(
            f"select seq, {price}, extract(epoch from known_at - ts)::int,"
            " extract(epoch from superseded_at - ts)::int, cause, superseded_offset"
            f" from market.{self.kind}_superseded where tenant_id = %s"
            " order by seq, known_at, superseded_at".encode(),
            (self.tenant_id,),
        ).fetchall()

    def history(self) -> list[Belief]:
        """All beliefs without their messages: seq, price, from, to (None: still), cause."""
        return [
            *(row[:5] for row in self.superseded()),
            *((*row, None, None) for row in self.current()),
        ]

    def waiting(self) -> list[Belief]:
        return self.connection.execute(
            "select action, seq from market.waiting_event"
            " where tenant_id = %s and kind = %s and waited >= interval '0' order by seq, known_at",
            (self.tenant_id, self.kind),
        ).fetchall()


@pytest.fixture(scope="module")
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as opened:
        opened.execute("set client_min_messages = warning")
        yield opened


TENANTS = iter(range(10_000, 20_000))


@pytest.fixture(params=["trade", "quote"])
def book(connection: psycopg.Connection[Any], request: pytest.FixtureRequest) -> Book:
    return Book(connection, next(TENANTS), request.param)


def test_new_ticks_are_inserted(book: Book) -> None:
    assert book.apply(("new", 1, 10.0, 0), ("new", 2, 11.0, 1)) == {}
    assert book.current() == [(1, 10.0, 0), (2, 11.0, 1)]


def test_the_first_of_equal_ticks_stays_within_and_across_batches(book: Book) -> None:
    assert book.apply(("new", 1, 10.0, 0), ("new", 1, 10.0, 1)) == {1: "duplicate"}
    assert book.apply(("new", 1, 10.0, 2)) == {0: "duplicate"}
    assert book.current() == [(1, 10.0, 0)]


def test_another_tick_under_the_same_key_is_a_conflict_and_shows_what_is_there(book: Book) -> None:
    name = VALUES[book.kind].split(",")[0]
    first, second = ("new", 1, 10.0, 0), ("new", 1, 99.0, 1)
    outcome, was = book.judged(first, second)[1]
    assert (outcome, was[name]) == ("conflict", 10.0)
    outcome, was = book.judged(second)[0]
    assert (outcome, was[name]) == ("conflict", 10.0)
    book.apply(("correction", 1, 11.0, 5))
    (outcome, was), same = book.judged(second, first).values()
    assert (outcome, was[name], same) == ("conflict", 10.0, ("duplicate", None))
    assert book.history() == [(1, 10.0, 0, 5, "correction"), (1, 11.0, 5, None, None)]


def test_two_corrections_known_at_one_moment_are_a_conflict(book: Book) -> None:
    name = VALUES[book.kind].split(",")[0]
    book.apply(("new", 1, 10.0, 0), ("correction", 1, 11.0, 5))
    outcome, was = book.judged(("correction", 1, 12.0, 5))[0]
    assert (outcome, was[name]) == ("conflict", 11.0)
    assert book.current() == [(1, 11.0, 5)]


def test_at_one_moment_a_cancel_comes_after_a_correction(book: Book) -> None:
    for seq, events in enumerate(permutations([("correction", 11.0), ("cancel", 0.0)])):
        book.apply(("new", seq, 10.0, 0))
        for action, price in events:
            book.apply((action, seq, price, 5))
    assert book.current() == []
    assert [row[4] for row in book.superseded()] == ["cancel", "cancel"]


def test_a_correction_keeps_the_replaced_version_with_its_interval(book: Book) -> None:
    book.apply(("new", 1, 10.0, 0))
    assert book.apply(("correction", 1, 12.0, 30)) == {}
    assert book.current() == [(1, 12.0, 30)]
    assert book.superseded() == [(1, 10.0, 0, 30, "correction", 1)]


def test_a_chain_in_one_batch_leaves_every_version(book: Book) -> None:
    outcome = book.apply(
        ("new", 1, 10.0, 0),
        ("correction", 1, 11.0, 5),
        ("correction", 1, 12.0, 9),
        ("cancel", 1, 12.0, 20),
    )
    assert outcome == {}
    assert book.current() == []
    assert book.superseded() == [
        (1, 10.0, 0, 5, "correction", 1),
        (1, 11.0, 5, 9, "correction", 2),
        (1, 12.0, 9, 20, "cancel", 3),
    ]


@pytest.mark.parametrize("clock", [0, None], ids=["captured", "own clock"])
@pytest.mark.parametrize("at_once", [True, False])
def test_all_said_again_are_duplicates(book: Book, clock: int | None, at_once: bool) -> None:
    def at(seconds: int) -> int | None:
        return None if clock is None else seconds

    events: list[Said] = [
        ("new", 1, 100.0, at(0)),
        ("correction", 1, 7.0, at(1)),
        ("correction", 1, 8.0, at(2)),
        ("new", 2, 100.0, at(0)),
        ("correction", 2, 7.0, at(1)),
        ("cancel", 2, 0.0, at(2)),
    ]
    batches = [events] if at_once else [[event] for event in events]
    assert [book.apply(*batch) for batch in batches] == [{}] * len(batches)
    before = book.history()
    assert [row[1] for row in before] == [100.0, 7.0, 100.0, 7.0, 8.0]
    for batch in batches + batches[::-1]:
        assert book.apply(*batch) == dict.fromkeys(range(len(batch)), "duplicate")
    # the one before the last alone, which would otherwise be the newest
    assert book.apply(events[1]) == {0: "duplicate"}
    assert book.history() == before


def test_a_correction_known_earlier_than_the_current_one_was_believed_until_that(
    book: Book,
) -> None:
    book.apply(("new", 1, 10.0, 0))
    book.apply(("correction", 1, 12.0, 30))
    assert book.apply(("correction", 1, 11.0, 20)) == {}
    assert book.history() == [
        (1, 10.0, 0, 20, "correction"),
        (1, 11.0, 20, 30, "correction"),
        (1, 12.0, 30, None, None),
    ]
    assert [row[5] for row in book.superseded()] == [2, 1], "each names what ended it"


def test_a_cancel_known_earlier_than_the_current_correction_leaves_a_gap(book: Book) -> None:
    book.apply(("new", 1, 10.0, 0), ("correction", 1, 12.0, 30))
    assert book.apply(("cancel", 1, 0.0, 20)) == {}
    assert book.history() == [(1, 10.0, 0, 20, "cancel"), (1, 12.0, 30, None, None)]


def test_a_correction_or_cancel_that_comes_first_waits_for_its_tick(book: Book) -> None:
    assert book.apply(("cancel", 1, 0.0, 5), ("correction", 2, 12.0, 5)) == {
        0: "waiting",
        1: "waiting",
    }
    assert book.apply(("cancel", 1, 0.0, 5)) == {0: "duplicate"}
    assert (book.history(), book.waiting()) == ([], [("cancel", 1), ("correction", 2)])
    book.apply(("new", 1, 10.0, 0))
    assert book.waiting() == [("correction", 2)]
    assert book.apply(("new", 2, 10.0, 0), ("new", 1, 10.0, 0)) == {1: "duplicate"}
    assert book.waiting() == []
    assert book.history() == [
        (1, 10.0, 0, 5, "cancel"),
        (2, 10.0, 0, 5, "correction"),
        (2, 12.0, 5, None, None),
    ]


def test_order_within_a_batch_does_not_matter(book: Book) -> None:
    assert book.apply(("cancel", 1, 10.0, 5), ("new", 1, 10.0, 0)) == {}
    assert book.history() == [(1, 10.0, 0, 5, "cancel")]


def test_what_waited_is_known_no_earlier_than_its_tick(book: Book) -> None:
    """Without a capture clock: the tick is known when it comes, its cancel came before."""
    book.apply(("cancel", 1, 0.0, None), ("correction", 2, 12.0, None))
    book.apply(("new", 1, 10.0, None), ("new", 2, 10.0, None))
    assert [row[:2] for row in book.current()] == [(2, 12.0)]
    assert [row[1:5] for row in book.superseded()] == [
        (10.0, book.clock_s, book.clock_s, "cancel"),
        (10.0, book.clock_s, book.clock_s, "correction"),
    ]


def test_knowledge_time_never_runs_backwards(book: Book) -> None:
    book.apply(("new", 1, 10.0, 60))
    book.apply(("correction", 1, 12.0, 30))
    assert book.superseded() == [(1, 10.0, 60, 60, "correction", 1)]
    assert book.current() == [(1, 12.0, 60)]


@pytest.mark.parametrize("action", ["new", "correction"])
@pytest.mark.parametrize("clock", [20, None], ids=["captured", "own clock"])
def test_a_cancelled_tick_is_reinstated(book: Book, action: str, clock: int | None) -> None:
    book.apply(("new", 1, 10.0, 0), ("cancel", 1, 0.0, 5))
    assert book.apply((action, 1, 10.5, clock)) == {}
    assert [row[:2] for row in book.current()] == [(1, 10.5)]
    assert book.superseded() == [(1, 10.0, 0, 5, "cancel", 1)]
    assert book.apply((action, 1, 10.5, clock), ("new", 1, 10.0, 0), ("cancel", 1, 0.0, 5)) == {
        0: "duplicate",
        1: "duplicate",
        2: "duplicate",
    }
    assert book.apply(("cancel", 1, 0.0, 2000)) == {}
    assert book.current() == []


def test_a_new_tick_is_reinstated_with_its_values_only_by_a_later_clock(book: Book) -> None:
    book.apply(("new", 1, 10.0, 0), ("cancel", 1, 0.0, 5))
    assert book.apply(("new", 1, 10.0, None)) == {0: "duplicate"}
    assert book.apply(("new", 1, 10.0, 4)) == {0: "duplicate"}
    assert book.current() == []
    assert book.apply(("new", 1, 10.0, 6)) == {}
    assert book.current() == [(1, 10.0, 6)]


def test_a_correction_that_changes_nothing_is_no_belief_of_its_own(book: Book) -> None:
    book.apply(("new", 1, 10.0, 0))
    assert book.apply(("correction", 1, 10.0, 9)) == {0: "duplicate"}
    assert book.history() == [(1, 10.0, 0, None, None)]
    # until a cancel between the two comes
    assert book.apply(("cancel", 1, 0.0, 5)) == {}
    assert book.history() == [(1, 10.0, 0, 5, "cancel"), (1, 10.0, 9, None, None)]


STORY: list[tuple[str, float, int]] = [
    ("new", 10.0, 0),
    ("correction", 11.0, 5),
    ("cancel", 0.0, 9),
    ("correction", 11.0, 20),
    ("correction", 12.0, 25),
    ("cancel", 0.0, 30),
    ("correction", 13.0, 40),
]
TOLD = [
    (10.0, 0, 5, "correction"),
    (11.0, 5, 9, "cancel"),
    (11.0, 20, 25, "correction"),
    (12.0, 25, 30, "cancel"),
    (13.0, 40, None, None),
]


def test_order_repetition_and_batches_make_no_difference(book: Book) -> None:
    rng = random.Random(17)  # noqa: S311 - reproducible, not secret
    ticks = range(40)
    for seq in ticks:
        events: list[Said] = [(action, seq, price, at) for action, price, at in STORY]
        again = events + rng.choices(events, k=3)
        rng.shuffle(again)
        outcomes: list[str] = []
        for batch in _cut(again, rng):
            outcomes += book.apply(*batch).values()
        assert outcomes.count("conflict") == 0
    assert book.history() == [
        *((seq, *row) for seq in ticks for row in TOLD[:4]),
        *((seq, *TOLD[4]) for seq in ticks),
    ]
    assert book.waiting() == []


def _cut(events: Sequence[Said], rng: random.Random) -> Iterator[Sequence[Said]]:
    while events:
        size = rng.randint(1, len(events))
        yield events[:size]
        events = events[size:]


def test_two_sessions_that_bring_a_tick_and_its_cancel_at_once_lose_neither(
    book: Book, connection: psycopg.Connection[Any]
) -> None:
    """The cancel cannot see the tick, nor the tick the cancel: the next batch sees both."""
    book.apply(("cancel", 1, 0.0, 5))
    values = "10, 1, 'buy'" if book.kind == "trade" else "10, 1, null, null"
    connection.execute(
        f"insert into market.{book.kind} (tenant_id, symbol, ts, seq, {VALUES[book.kind]},"
        f" known_at) values (%s, 'SYN_ES', %s, 1, {values}, %s)".encode(),
        (book.tenant_id, T0, T0),
    )
    book.apply(("new", 2, 10.0, 0))
    assert (book.waiting(), book.current()) == ([], [(2, 10.0, 0)])


def test_a_chunk_that_a_job_holds_stops_only_its_own_ticks(
    book: Book, databases: Databases, database: str
) -> None:
    """A conversion to the columnstore waits for whoever read of its chunk, and all wait for it."""
    if databases.kind == "embedded":
        pytest.skip("the embedded engine runs one transaction at a time")
    values = {"trade": "10, 1, 'buy'", "quote": "10, 1, 11, 1"}[book.kind]
    old = T0 - timedelta(days=60)
    book.connection.execute(
        f"insert into market.{book.kind} (tenant_id, symbol, ts, seq, {VALUES[book.kind]},"
        f" known_at) values (%s, 'SYN_ES', %s, 1, {values}, %s)".encode(),
        (book.tenant_id, old, old),
    )
    chunks = book.connection.execute(
        f"select c::text from show_chunks('market.{book.kind}', older_than => %s) as c".encode(),
        (T0 - timedelta(days=30),),
    ).fetchall()
    assert len(chunks) == 1
    book.connection.execute("set lock_timeout = '2s'")
    with psycopg.connect(database) as job:
        job.execute(f"lock table {chunks[0][0]} in access exclusive mode".encode())
        assert book.apply(("correction", 3, 12.0, 5)) == {0: "waiting"}
        assert book.apply(("new", 1, 10.0, 0), ("new", 2, 11.0, 0), ("new", 3, 11.0, 0)) == {}
        assert book.apply(("new", 1, 10.0, 0)) == {0: "duplicate"}
        assert book.apply(("cancel", 1, 0.0, 5), ("correction", 2, 12.0, 6)) == {}
        assert book.apply(("new", 1, 10.0, 9)) == {}
    book.connection.execute("reset lock_timeout")
    assert sorted(book.current()) == [(1, 10.0, 0), (1, 10.0, 9), (2, 12.0, 6), (3, 12.0, 5)]
