"""Captured markets, rebuilt from their own two clocks, against the oracle."""

import csv
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.conftest import Databases
from tests.pit import sessions
from tests.pit.oracle import MINUTE, Event, Oracle, Quote, Trade, differences, floor_minute
from tests.pit.world import World

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SIDES = {"A": "sell", "B": "buy"}
OPENS = datetime(2023, 12, 25, 23, 0, tzinfo=UTC)
DAY = timedelta(days=1)

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real ticks are not here")


def moment(nanoseconds: int) -> datetime:
    return EPOCH + nanoseconds // 1000 * MICROSECOND


def esh4(tenant_id: int, delay: timedelta) -> list[Event]:
    """Trades and best bids and offers of the E-mini: venue clock ts_event, capture clock ts_recv.

    delay: how much slower than the capture's the line was.
    """
    import databento_dbn
    import zstandard

    path = DATA / "esh4-20231225.mbo.dbn.zst"
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
        decoder = databento_dbn.DBNDecoder()
        decoder.write(stream.read())
    events: list[Event] = []
    book = Book()
    last: tuple[float | None, float | None] = None, None
    for record in decoder.decode():
        if not isinstance(record, databento_dbn.MBOMsg):
            continue
        action, side, price = str(record.action), str(record.side), record.price / 1e9
        ts, known_at = moment(record.ts_event), moment(record.ts_recv) + delay
        values: Trade | Quote | None = None
        if action == "T":
            values = Trade(price, float(record.size), SIDES.get(side))
        else:
            book.change(action, side, record.order_id, price, record.size)
            # the orders that stood when the session began carry the clocks of earlier days
            best = book.best()
            if ts >= OPENS and (best.bid, best.ask) != last:
                values, last = best, (best.bid, best.ask)
        if values is not None:
            events.append(Event("new", tenant_id, "ESH4", ts, len(events), values, known_at))
    return events


class Book:
    """Orders by price, as market-by-order messages leave them."""

    def __init__(self) -> None:
        self.orders: dict[int, tuple[str, float, int]] = {}
        self.sizes: dict[str, Counter[float]] = {"B": Counter(), "A": Counter()}

    def change(self, action: str, side: str, order: int, price: float, size: int) -> None:
        """Add, modify or cancel (size: how much of it) an order; other actions change nothing."""
        if action == "A":
            self._put(order, side, price, size)
        elif action in "CM" and order in self.orders:
            old_side, old_price, old_size = self.orders.pop(order)
            self.sizes[old_side][old_price] -= old_size
            if not self.sizes[old_side][old_price]:
                del self.sizes[old_side][old_price]
            if action == "M":
                self._put(order, side, price, size)
            elif size < old_size:
                self._put(order, old_side, old_price, old_size - size)

    def _put(self, order: int, side: str, price: float, size: int) -> None:
        self.orders[order] = side, price, size
        self.sizes[side][price] += size

    def best(self) -> Quote:
        """Best bid and offer."""
        bids, asks = self.sizes["B"], self.sizes["A"]
        bid, ask = max(bids, default=None), min(asks, default=None)
        return Quote(
            bid,
            None if bid is None else float(bids[bid]),
            ask,
            None if ask is None else float(asks[ask]),
        )


def btcusdt(tenant_id: int, delay: timedelta) -> list[Event]:
    """Trades and quotes of Binance; they have one clock only."""
    events = []
    for row in pq.read_table(DATA / "btcusdt-trades.parquet").to_pylist():
        side = "sell" if row["buyer_maker"] == "True" else "buy"
        values = Trade(row["price"], row["quantity"], side)
        ts, seq = row["timestamp"].astimezone(UTC), row["trade_id"]
        events.append(Event("new", tenant_id, "BTCUSDT", ts, seq, values, ts + delay))
    for seq, row in enumerate(pq.read_table(DATA / "btcusdt-quotes.parquet").to_pylist()):
        quote = Quote(row["bid"], row["bid_size"], row["ask"], row["ask_size"])
        ts = row["timestamp"].astimezone(UTC)
        events.append(Event("new", tenant_id, "BTCUSDT", ts, seq, quote, ts + delay))
    return events


def usdjpy(tenant_id: int, delay: timedelta) -> list[Event]:
    """Quotes of the dollar in yen, of which its bars are made; they have one clock only."""
    events = []
    with (DATA / "usdjpy-quotes.csv").open() as file:
        for seq, row in enumerate(csv.DictReader(file)):
            quote = Quote(float(row["bid"]), None, float(row["ask"]), None)
            ts = datetime.fromisoformat(row["timestamp"]).astimezone(UTC)
            events.append(Event("new", tenant_id, "USDJPY", ts, seq, quote, ts + delay))
    return events


READ = {"ESH4": esh4, "BTCUSDT": btcusdt, "USDJPY": usdjpy}
# As captured nothing of an hour was received after its bar had closed; over a line that is slower
# by some seconds every bar has trades that come late.
LINES = {
    "captured": (1, timedelta()),
    "slow": (2, timedelta(seconds=7.25)),
}
CASES = [(symbol, line) for symbol in READ for line in LINES]


@cache
def source(symbol: str, line: str) -> list[Event]:
    """The events of one case."""
    return READ[symbol](*LINES[line])


@pytest.fixture(scope="module")
def rebuilt(databases: Databases, database: str) -> Iterator[World]:
    """A database in which all of it is history."""
    world = World(database, databases.kind)
    now = datetime.now(UTC).replace(microsecond=0)
    world.set_clock(now, now)
    for case in CASES:
        events = source(*case)
        world.apply(events)
    for symbol in READ:
        minutes = [floor_minute(event.ts) for event in source(symbol, "captured")]
        world.backfill(min(minutes), max(minutes) + MINUTE)
    yield world
    world.close()


@pytest.mark.parametrize(("symbol", "line"), CASES)
def test_the_rebuilt_log_answers_as_the_oracle_does(rebuilt: World, symbol: str, line: str) -> None:
    events = source(symbol, line)
    week = events[0].ts.date() - 7 * DAY, events[0].ts.date() + 7 * DAY
    oracle = Oracle({symbol: sessions.of_symbol(symbol, *week)}, bars_from={"USDJPY": "quote"})
    oracle.apply(events)
    as_of, known = moments(events)
    tenant_id, _ = LINES[line]
    rows = rebuilt.ask_each([symbol] * len(as_of), as_of, known, tenant_id)
    assert len(rows) == len(as_of)
    for row, at, known_at in zip(rows, as_of, known, strict=True):
        want = oracle.snapshot(tenant_id, symbol, at, known_at)
        assert differences(row, want) == [], f"as_of {at} known_as_of {known_at}"


def test_over_the_slow_line_ticks_come_after_their_bar_has_closed() -> None:
    assert len(received_late(source("ESH4", "slow"))) > 400


def received_late(events: list[Event]) -> list[Event]:
    return [e for e in events if e.known_at >= floor_minute(e.ts) + MINUTE]


def moments(events: list[Event]) -> tuple[list[datetime], list[datetime]]:
    """Moments (as_of, known_as_of) around closes, and around what was received after them."""
    rng = random.Random(7)  # noqa: S311 - reproducible, not secret
    first = floor_minute(min(event.ts for event in events))
    span = max(event.known_at for event in events) - first
    crossing = received_late(events)
    as_of, known = [], []
    for _ in range(250):
        around = rng.choice([-5000, -200, -1, 0, 0, 1, 50, 200, 1000, 20_000]) * MICROSECOND
        close = floor_minute(first + span * rng.random()) + MINUTE
        kind = rng.choice(["close", "anywhere", "received", "stale"])
        if kind == "received" and crossing:
            event = rng.choice(crossing)
            as_of.append(floor_minute(event.ts) + MINUTE + rng.random() * MINUTE)
            known.append(event.known_at + around)
        elif kind == "stale":
            as_of.append(first + span + rng.choice([0, 1, 15, 16, 100]) * MINUTE + around)
            known.append(as_of[-1])
        elif kind == "anywhere":
            as_of.append(first + span * rng.random())
            known.append(first + span * rng.random())
        else:
            as_of.append(close + around)
            known.append(close + around)
    return as_of, known
