"""A small market for the tests of Feast: random ticks, late, corrected and cancelled ones too."""

import random
import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from feast_repo import sets
from tests.pit.oracle import Event, Quote, Trade
from tests.pit.world import World

SYMBOLS = ("SYN_BTCUSD", "SYN_ETHUSD")
START = datetime(2024, 3, 4, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SETS = {one.name: one for one in sets.read()}
# of each set, as its answers have them
FIELDS_OF = {
    name: ("bucket", *(field for fields in one.views.values() for field in fields))
    for name, one in SETS.items()
}
FIELDS = FIELDS_OF["market_1m"]


class Market:
    """Two tenants with the same two symbols, which always trade, at a clock of their own."""

    def __init__(self, world: World, start: datetime = START) -> None:
        """start: when the clock begins; nothing is known before."""
        self.world = world
        self.tenants = (world.tenant(), world.tenant())
        self.now = start
        self.start = start
        self.seq = 0
        self.trades: list[Event] = []
        world.set_clock(start - MINUTE, start - MINUTE)

    def minutes(self, number: int, seed: int, publish_every: int = 3) -> None:
        """Let so many minutes pass: ticks, also late, corrected and cancelled, and publishes."""
        chance = random.Random(seed)  # noqa: S311
        for minute in range(number):
            events: list[Event] = []
            for tenant in self.tenants:
                for symbol in SYMBOLS:
                    events += self._minute(chance, tenant, symbol)
            self.world.apply(sorted(events, key=lambda event: event.known_at))
            self.now += MINUTE
            if minute % publish_every == publish_every - 1 or minute == number - 1:
                self.publish(timedelta(microseconds=chance.randrange(1, 900_000)))

    def publish(self, after: timedelta = timedelta(microseconds=1)) -> datetime:
        """Publish so long after the clock, and put the clock there; return the stamp."""
        self.now += after
        self.world.publish(self.now)
        return self.now

    def _minute(self, chance: random.Random, tenant: int, symbol: str) -> list[Event]:
        events = []
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            ts = self.now + timedelta(seconds=chance.randrange(59))
            if chance.random() < 0.15:
                ts = max(self.start, ts - chance.randrange(1, 6) * MINUTE)  # late
            known_at = self.now + timedelta(seconds=59, microseconds=chance.randrange(10**6))
            self.seq += 1
            price = round(100 + chance.gauss(0, 1), 2)
            values = Trade(price, chance.randrange(1, 9) / 4, chance.choice(("buy", "sell", None)))
            event = Event("new", tenant, symbol, ts, self.seq, values, known_at)
            events.append(event)
            self.trades.append(event)
        mine = [e for e in self.trades if (e.tenant_id, e.symbol) == (tenant, symbol)]
        known_at = self.now + timedelta(seconds=59, microseconds=999_999)
        if mine and chance.random() < 0.2:
            events.append(amended(chance.choice(mine), "correction", known_at, chance.gauss(90, 1)))
        elif mine and chance.random() < 0.1:
            gone = chance.choice(mine)
            self.trades.remove(gone)
            events.append(amended(gone, "cancel", known_at))
        if chance.random() < 0.7:
            self.seq += 1
            bid = round(99 + chance.random(), 2)
            quote = Quote(bid, 1.0, round(bid + 0.01 + chance.random(), 2), 1.0)
            ts = self.now + timedelta(seconds=30)
            events.append(Event("new", tenant, symbol, ts, self.seq, quote, known_at))
        return events


def amended(event: Event, action: str, known_at: datetime, price: float | None = None) -> Event:
    """The message that corrects or cancels a trade."""
    was = event.values
    assert isinstance(was, Trade)
    values = Trade(was.price if price is None else round(price, 2), was.size, was.side)
    return Event(action, event.tenant_id, event.symbol, event.ts, event.seq, values, known_at)


def bits(value: Any) -> Any:
    """A value such that only the very same one is equal: doubles by their bits, NULL as None."""
    if value is None or value != value:  # NaN, or pandas' NaT
        return None
    if isinstance(value, float):
        return struct.pack(">d", value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat()
    return value


def rows(
    found: Iterable[Mapping[str, Any]], fields: Sequence[str] = FIELDS
) -> list[tuple[Any, ...]]:
    """The fields of each row, to compare bit by bit."""
    return [tuple(bits(row[field]) for field in fields) for row in found]
