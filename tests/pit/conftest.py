"""A small market of one tenant, whose clock a test moves."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from tests.conftest import Databases
from tests.pit.oracle import Event, Quote, Trade
from tests.pit.world import Row, World

DAY = datetime(2024, 3, 4, tzinfo=UTC)
SYMBOL = "SYN_BTCUSD"


class Scene:
    """One tenant's ticks on Monday 4 March 2024, of a symbol that always trades."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tenant = world.tenant()
        self.seq = 0
        world.set_clock(DAY - timedelta(days=1), DAY - timedelta(days=1))

    def at(self, minute: float, second: float = 0) -> datetime:
        """Minutes and seconds after ten o'clock."""
        return DAY + timedelta(hours=10, minutes=minute, seconds=second)

    def trade(
        self,
        ts: datetime,
        price: float,
        known_at: datetime | None = None,
        *,
        symbol: str = SYMBOL,
        size: float = 1.0,
        side: str | None = None,
        action: str = "new",
        seq: int | None = None,
    ) -> Event:
        """Apply one trade; known when it happened unless told otherwise."""
        self.seq += seq is None
        key = self.tenant, symbol, ts, self.seq if seq is None else seq
        event = Event(action, *key, Trade(price, size, side), known_at or ts)
        self.world.apply([event])
        return event

    def amend(
        self, event: Event, action: str, known_at: datetime, price: float | None = None
    ) -> None:
        """Correct or cancel a trade."""
        assert isinstance(event.values, Trade)
        self.trade(
            event.ts,
            event.values.price if price is None else price,
            known_at,
            symbol=event.symbol,
            action=action,
            seq=event.seq,
        )

    def quote(self, ts: datetime, bid: float, ask: float, known_at: datetime | None = None) -> None:
        """Apply one quote."""
        self.seq += 1
        key = self.tenant, SYMBOL, ts, self.seq
        self.world.apply([Event("new", *key, Quote(bid, 1.0, ask, 1.0), known_at or ts)])

    def bars(self, number: int, first: int = 0) -> list[Event]:
        """A trade in each of so many minutes, at prices that go up by a quarter."""
        events = []
        for minute in range(first, first + number):
            self.seq += 1
            key = self.tenant, SYMBOL, self.at(minute, 30), self.seq
            values = Trade(100.0 + minute / 4, 1.0, None)
            events.append(Event("new", *key, values, self.at(minute, 30)))
        self.world.apply(events)
        return events

    def log(self, columns: str = "bucket, known_at, cause") -> list[tuple[Any, ...]]:
        """The tenant's versions, in the order of bar and knowledge."""
        return self.world.connection.execute(
            f"select {columns} from feature.log where tenant_id = %s"
            " order by symbol, bucket, known_at".encode(),
            [self.tenant],
        ).fetchall()

    def ask(self, as_of: datetime, known: datetime | None = None, symbol: str = SYMBOL) -> Row:
        """The snapshot of one symbol."""
        return self.world.ask([symbol], as_of, known, self.tenant)[0]


@pytest.fixture(scope="module")
def database(modelled_database: str) -> str:
    """With dbt's models, from which publishes read the formulas."""
    return modelled_database


@pytest.fixture(scope="module")
def small_world(databases: Databases, database: str) -> Iterator[World]:
    """A migrated, seeded database with the dbt models."""
    world = World(database, databases.kind)
    yield world
    world.close()


@pytest.fixture
def scene(small_world: World) -> Scene:
    """A tenant of the test's own, at the start of its day."""
    return Scene(small_world)


class Past(Scene):
    """A tenant of a day of its own, two days before the database went live."""

    days = count(1)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.day = DAY + next(self.days) * timedelta(days=10)
        self.live = self.day + timedelta(days=2)
        self.world.set_clock(self.live, self.live)

    def at(self, minute: float, second: float = 0) -> datetime:
        return self.day + timedelta(hours=10, minutes=minute, seconds=second)

    def publish(self, minutes: int) -> None:
        """Publish so long after going live."""
        self.world.publish(self.live + timedelta(minutes=minutes))

    def backfill(self) -> None:
        """Build all of it."""
        self.world.backfill(self.day, self.live)


@pytest.fixture
def past(small_world: World) -> Past:
    return Past(small_world)
