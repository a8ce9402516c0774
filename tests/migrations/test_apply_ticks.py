"""market.apply_trades and apply_quotes: what each event does to the current and superseded rows."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

T0 = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
COLUMNS = (
    "ordinal, action, tenant_id, symbol, ts, seq, price, size, side, known_at,"
    " source_topic, source_partition, source_offset"
)


class Book:
    """One tenant's trades behind apply_trades; batches numbered as Kafka offsets are."""

    def __init__(self, connection: psycopg.Connection[Any], tenant_id: int) -> None:
        self.connection = connection
        self.tenant_id = tenant_id
        self.offset = 0

    def apply(self, *events: tuple[Any, ...]) -> dict[int, str]:
        """Apply (action, seq, price, known_s) events as one batch; outcomes by position from 0."""
        with self.connection.transaction():
            self.connection.execute(
                "create temp table if not exists incoming_trade (ordinal bigint, action text,"
                " like market.trade) on commit delete rows"
            )
            for ordinal, (action, seq, price, known_s) in enumerate(events):
                known_at = T0 + timedelta(seconds=known_s)
                row = (ordinal, action, self.tenant_id, "SYN_ES", T0, seq, price, 1.0, "buy")
                self.connection.execute(
                    f"insert into pg_temp.incoming_trade ({COLUMNS})"
                    f" values ({', '.join(['%s'] * 13)})",
                    (*row, known_at, "trades", 0, self.offset),
                )
                self.offset += 1
            return dict(self.connection.execute("select * from market.apply_trades()").fetchall())

    def current(self) -> list[tuple[Any, ...]]:
        return self.connection.execute(
            "select seq, price, extract(epoch from known_at - ts)::int from market.trade"
            " where tenant_id = %s order by seq",
            (self.tenant_id,),
        ).fetchall()

    def superseded(self) -> list[tuple[Any, ...]]:
        return self.connection.execute(
            "select seq, price, extract(epoch from known_at - ts)::int,"
            " extract(epoch from superseded_at - ts)::int, cause, superseded_offset"
            " from market.trade_superseded where tenant_id = %s order by superseded_offset",
            (self.tenant_id,),
        ).fetchall()


@pytest.fixture(scope="module")
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


@pytest.fixture
def book(connection: psycopg.Connection[Any], request: pytest.FixtureRequest) -> Book:
    return Book(connection, abs(hash(request.node.nodeid)) % 2**31)


def test_new_trades_are_inserted(book: Book) -> None:
    assert book.apply(("new", 1, 10.0, 0), ("new", 2, 11.0, 1)) == {}
    assert book.current() == [(1, 10.0, 0), (2, 11.0, 1)]


def test_the_first_of_two_equal_keys_wins_within_and_across_batches(book: Book) -> None:
    assert book.apply(("new", 1, 10.0, 0), ("new", 1, 99.0, 1)) == {1: "duplicate"}
    assert book.apply(("new", 1, 98.0, 2)) == {0: "duplicate"}
    assert book.current() == [(1, 10.0, 0)]


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


def test_a_repeated_delivery_does_not_undo_a_cancel(book: Book) -> None:
    book.apply(("new", 1, 10.0, 0), ("cancel", 1, 10.0, 5))
    assert book.apply(("new", 1, 10.0, 0), ("cancel", 1, 10.0, 5)) == {
        0: "duplicate",
        1: "duplicate",
    }
    assert book.current() == []


def test_a_repeated_correction_changes_nothing(book: Book) -> None:
    book.apply(("new", 1, 10.0, 0), ("correction", 1, 12.0, 5))
    assert book.apply(("correction", 1, 12.0, 5)) == {0: "duplicate"}
    assert len(book.superseded()) == 1


def test_an_amendment_of_a_trade_that_is_not_there_is_reported(book: Book) -> None:
    outcome = book.apply(("cancel", 1, 10.0, 0), ("correction", 2, 10.0, 0), ("new", 3, 10.0, 0))
    assert outcome == {0: "unknown_trade", 1: "unknown_trade"}
    assert book.current() == [(3, 10.0, 0)]


def test_order_within_a_batch_does_not_depend_on_where_batches_are_cut(book: Book) -> None:
    assert book.apply(("cancel", 1, 10.0, 5), ("new", 1, 10.0, 0)) == {0: "unknown_trade"}
    assert book.current() == [(1, 10.0, 0)]


def test_knowledge_time_never_runs_backwards(book: Book) -> None:
    book.apply(("new", 1, 10.0, 60))
    book.apply(("correction", 1, 12.0, 30))
    assert book.superseded() == [(1, 10.0, 60, 60, "correction", 1)]
    assert book.current() == [(1, 12.0, 60)]


def test_quotes_follow_the_same_rules(connection: psycopg.Connection[Any]) -> None:
    key = (77, "SYN_ES", T0)
    columns = COLUMNS.replace("price, size, side", "bid, bid_size, ask, ask_size")

    def apply(action: str, bid: float | None, known_s: int, offset: int) -> list[tuple[Any, ...]]:
        with connection.transaction():
            connection.execute(
                "create temp table if not exists incoming_quote (ordinal bigint, action text,"
                " like market.quote) on commit delete rows"
            )
            row = (0, action, *key, 1, bid, 1.0, 11.0, 1.0, T0 + timedelta(seconds=known_s))
            connection.execute(
                f"insert into pg_temp.incoming_quote ({columns}) values ({', '.join(['%s'] * 14)})",
                (*row, "quotes", 0, offset),
            )
            return connection.execute("select * from market.apply_quotes()").fetchall()

    assert apply("new", 10.0, 0, 0) == []
    assert apply("correction", None, 5, 1) == []
    assert apply("cancel", None, 9, 2) == []
    assert apply("correction", 10.0, 9, 3) == [(0, "unknown_quote")]
    found = connection.execute(
        "select bid, cause from market.quote_superseded where tenant_id = 77 order by known_at"
    ).fetchall()
    assert found == [(10.0, "correction"), (None, "cancel")]
