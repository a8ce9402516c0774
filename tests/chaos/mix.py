"""A known mix of ticks: what is sent, and what the database must hold when all is consumed."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field
from datetime import timedelta
from itertools import zip_longest

from ingest.kinds import Record
from ingest.validate import EPOCH
from ingest.wire.codec import encode
from tests.pit import oracle as pit
from tests.pit.beliefs import Tick

SYMBOLS = ("SYN_ES", "SYN_NQ", "SYN_CL", "SYN_GC", "SYN_BTCUSD", "SYN_ETHUSD", "SYN_AAPL")
TENANTS = (1, 2)
KINDS = ("trade", "quote")
DAY_US = 86_400_000_000
STEP_US = 5_000
JITTER_US = 5_000_000
REMEMBERED = 400
MICROSECOND = timedelta(microseconds=1)

Key = tuple[int, str, int, int]


@dataclass(frozen=True)
class Event:
    """One message. refused: the reason it must be dead-lettered for, or None."""

    kind: str
    key: bytes
    payload: bytes | None
    refused: str | None = None


@dataclass
class Held:
    """What is believed of a kind's ticks; of those with corrections or cancels, by the oracle."""

    plain: dict[Key, Record] = field(default_factory=dict)
    ticks: dict[Key, Tick] = field(default_factory=dict)

    def apply(self, record: Record) -> str:
        """Take an event that contradicts none; return what ingest has to count it as."""
        key = _key(record)
        if record["action"] == "new" and key not in self.plain and key not in self.ticks:
            self.plain[key] = record
            return "applied"
        if key not in self.ticks:
            self.ticks[key] = Tick()
            if key in self.plain:
                self.ticks[key].apply(_event(self.plain.pop(key)))
        tick = self.ticks[key]
        number, before = len(tick.events), [astuple(version) for version in tick.exact]
        tick.apply(_event(record))
        if len(tick.events) > number and all(event.action != "new" for event in tick.events):
            return "waiting"
        same = before == [astuple(version) for version in tick.exact]
        return "duplicate" if same else "applied"

    def is_cancelled(self, key: Key) -> bool:
        """Whether the tick has come and does not stand."""
        tick = self.ticks.get(key)
        return tick is not None and bool(tick.exact) and tick.exact[-1].superseded_at is not None

    def current(self) -> list[tuple[int, float, float]]:
        """Seq, price and size, or bid and its size, of each tick that stands."""
        rows = [(key[3], *astuple(_event(record).values)[:2]) for key, record in self.plain.items()]
        for key, tick in self.ticks.items():
            if tick.exact and not self.is_cancelled(key):
                rows.append((key[3], *astuple(tick.exact[-1].values)[:2]))
        return rows

    def superseded(self) -> Counter[str]:
        """How many versions were replaced, by cause."""
        causes: Counter[str] = Counter()
        for tick in self.ticks.values():
            for version, following in zip_longest(tick.exact, tick.exact[1:]):
                if version.superseded_at is not None:
                    goes_on = following and following.known_at == version.superseded_at
                    causes["correction" if goes_on else "cancel"] += 1
        return causes

    def waiting(self) -> int:
        """How many events wait for their tick."""
        return sum(len(tick.events) for tick in self.ticks.values() if not tick.exact)


class Mix:
    """A reproducible stream; every event it hands out changes `held` as ingest should.

    Prices are quarters and sizes whole, so that sums in double precision are exact.
    """

    def __init__(self, start_us: int, seed: int) -> None:
        """start_us: event time of the first tick, microseconds since 1970."""
        self.start_us = start_us
        self.random = random.Random(seed)  # noqa: S311 - reproducible is what it is for
        self.held = {kind: Held() for kind in KINDS}
        self.duplicates = 0
        self.early = 0
        self._sent = 0
        self._recent: list[tuple[str, Record]] = []
        self._on_their_way: list[tuple[str, Record]] = []

    def events(self, number: int) -> Iterator[Event]:
        """Yield the next `number` messages."""
        for _ in range(number):
            drawn = self.random.random()
            if drawn < 0.04:
                yield self._poison()
            elif drawn < 0.10 and self._recent:
                yield self._said(*self.random.choice(self._recent))
            elif drawn < 0.15 and self._recent:
                yield self._amendment(*self.random.choice(self._recent))
            elif drawn < 0.16:
                yield self._early()
            elif drawn < 0.17 and self._on_their_way:
                yield self._said(*self._on_their_way.pop(0))
            else:
                kind = self.random.choice(KINDS)
                yield self._said(kind, self._record(kind))

    def forget(self) -> None:
        """Let what comes next refer to nothing that came before."""
        self._recent.clear()
        self._on_their_way.clear()

    def _said(self, kind: str, record: Record) -> Event:
        """Say it, for the first time or again."""
        self.duplicates += self.held[kind].apply(record) == "duplicate"
        return self._remembered(kind, record)

    def _early(self) -> Event:
        """A correction or cancel of a tick that comes later."""
        self.early += 1
        kind = self.random.choice(KINDS)
        record = self._record(kind)
        self._on_their_way.append((kind, record))
        return self._amendment(kind, record)

    def _record(self, kind: str) -> Record:
        draw = self.random
        self._sent += 1
        # out of order by up to ten seconds
        ts = self.start_us + self._sent * STEP_US + draw.randint(-JITTER_US, JITTER_US)
        record: Record = {
            "tenant_id": draw.choice(TENANTS),
            "symbol": draw.choice(SYMBOLS),
            "ts": ts,
            "seq": self._sent,
            "action": "new",
            "known_at": ts + 3_000,
        }
        return record | self._values(kind)

    def _values(self, kind: str) -> Record:
        draw = self.random
        price = draw.randint(4000, 20_000) / 4
        if kind == "trade":
            side = draw.choice(("buy", "sell", None))
            return {"price": price, "size": float(draw.randint(1, 100)), "side": side}
        one_sided = draw.random() < 0.02
        return {
            "bid": price,
            "bid_size": float(draw.randint(0, 100)),
            "ask": None if one_sided else price + draw.randint(-1, 4) / 4,  # crossed ones too
            "ask_size": None if one_sided else float(draw.randint(0, 100)),
        }

    def _remembered(self, kind: str, record: Record) -> Event:
        place = self.random.randrange(REMEMBERED)
        if place < len(self._recent):
            self._recent[place] = kind, record
        else:
            self._recent.append((kind, record))
        return Event(kind, _message_key(record), encode(kind, record))

    def _amendment(self, kind: str, record: Record) -> Event:
        """A correction, a cancel or a reinstatement, known later or earlier than others were."""
        draw = self.random
        first_us = record["ts"] + 3_000
        amended = record | {"known_at": first_us + draw.randint(1, 60_000_000)}
        if self.held[kind].is_cancelled(_key(record)) and draw.random() < 0.3:
            last = max(e.known_at for e in self.held[kind].ticks[_key(record)].events)
            amended |= {"known_at": (last - EPOCH) // MICROSECOND + 1, "action": "new"}
        elif draw.random() < 0.5:
            amended |= {"action": "cancel"}
        else:
            amended |= self._values(kind) | {"action": "correction"}
        return self._said(kind, amended)

    def _poison(self) -> Event:
        draw = self.random
        kind = draw.choice(KINDS)
        record = self._record(kind)
        amount = amount_of(kind)
        tomorrow = time.time_ns() // 1000 + DAY_US
        changes: dict[str, Record] = {
            "negative_price": {amount: -record[amount]},
            "not_a_number": {amount: float("nan")},
            "unknown_symbol": {"symbol": "NONE"},
            "unknown_tenant": {"tenant_id": 99},
            "time_too_early": {"ts": record["ts"] // 1000},
        }
        ticks = [(k, r) for k, r in self._recent[:20] if r["action"] == "new"]
        reason = draw.choice(
            [
                *changes,
                "time_in_future",
                "undecodable",
                "undecodable",
                *(["conflict"] * bool(ticks)),
            ]
        )
        if reason == "conflict":
            kind, record = draw.choice(ticks)
            changes[reason] = self._values(kind) | {amount_of(kind): 1.0}
        key = _message_key(record)
        if reason == "undecodable":
            sound = encode(kind, record)
            foreign = encode(KINDS[kind == "trade"], self._record(KINDS[kind == "trade"]))
            payload = draw.choice(
                [None, b"", draw.randbytes(40), sound[:-1], sound + b"x", foreign]
            )
            return Event(kind, key, payload, reason)
        if reason == "time_in_future":  # a clock that is a day ahead: the venue's, or the capture's
            skewed = draw.choice([{"ts": tomorrow}, {"known_at": tomorrow}])
            return Event(kind, key, encode(kind, record | skewed), reason)
        return Event(kind, key, encode(kind, record | changes[reason]), reason)


def amount_of(kind: str) -> str:
    """The first price of a kind; the mix draws none below 1000."""
    return "price" if kind == "trade" else "bid"


def _event(record: Record) -> pit.Event:
    ts, known_at = (EPOCH + record[name] * MICROSECOND for name in ("ts", "known_at"))
    if "price" in record:
        values: pit.Trade | pit.Quote = pit.Trade(record["price"], record["size"], record["side"])
    else:
        values = pit.Quote(record["bid"], record["bid_size"], record["ask"], record["ask_size"])
    key = record["tenant_id"], record["symbol"], ts, record["seq"]
    return pit.Event(record["action"], *key, values, known_at)


def _key(record: Record) -> Key:
    return record["tenant_id"], record["symbol"], record["ts"], record["seq"]


def _message_key(record: Record) -> bytes:
    return f"{record['tenant_id']}:{record['symbol']}".encode()
