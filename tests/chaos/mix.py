"""A known mix of ticks: what is sent, and what the database must hold when all is consumed."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from ingest.kinds import Record
from ingest.wire.codec import encode

SYMBOLS = ("SYN_ES", "SYN_NQ", "SYN_CL", "SYN_GC", "SYN_BTCUSD", "SYN_ETHUSD", "SYN_AAPL")
TENANTS = (1, 2)
KINDS = ("trade", "quote")
DAY_US = 86_400_000_000
STEP_US = 5_000
JITTER_US = 5_000_000
REMEMBERED = 400

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
    """What market.<kind> must hold: the current record of each key, and what was replaced."""

    current: dict[Key, Record] = field(default_factory=dict)
    superseded: Counter[str] = field(default_factory=Counter)


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
        self._sent = 0
        self._recent: list[tuple[str, Record]] = []

    def events(self, number: int) -> Iterator[Event]:
        """Yield the next `number` messages."""
        for _ in range(number):
            drawn = self.random.random()
            if drawn < 0.04:
                yield self._poison()
            elif drawn < 0.10 and self._recent:
                yield self._again()
            elif drawn < 0.14 and self._recent:
                yield self._amendment()
            else:
                yield self._new()

    def forget(self) -> None:
        """Let what comes next refer to nothing that came before."""
        self._recent.clear()

    def _new(self) -> Event:
        kind = self.random.choice(KINDS)
        record = self._record(kind)
        self.held[kind].current[_key(record)] = record
        return self._remembered(kind, record)

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

    def _again(self) -> Event:
        kind, record = self.random.choice(self._recent)
        if record["action"] == "correction" and _key(record) not in self.held[kind].current:
            return self._new()  # a correction of what was cancelled since is no duplicate
        self.duplicates += 1
        return Event(kind, _message_key(record), encode(kind, record))

    def _amendment(self) -> Event:
        """A correction or a cancel of a tick that was not amended yet."""
        kind, record = self.random.choice(self._recent)
        held = self.held[kind]
        if held.current.get(_key(record)) is not record or record["action"] != "new":
            return self._new()
        later = {"known_at": record["known_at"] + self.random.randint(1, 60_000_000)}
        if self.random.random() < 0.5:
            held.superseded["cancel"] += 1
            del held.current[_key(record)]
            return self._remembered(kind, record | later | {"action": "cancel"})
        held.superseded["correction"] += 1
        corrected = record | later | self._values(kind) | {"action": "correction"}
        held.current[_key(record)] = corrected
        return self._remembered(kind, corrected)

    def _poison(self) -> Event:
        draw = self.random
        kind = draw.choice(KINDS)
        record = self._record(kind)
        amount = "price" if kind == "trade" else "bid"
        tomorrow = time.time_ns() // 1000 + DAY_US
        changes: dict[str, Record] = {
            "negative_price": {amount: -record[amount]},
            "not_a_number": {amount: float("nan")},
            "unknown_symbol": {"symbol": "NONE"},
            "unknown_tenant": {"tenant_id": 99},
            f"unknown_{kind}": {"action": draw.choice(("correction", "cancel"))},
            "time_too_early": {"ts": record["ts"] // 1000},
        }
        reason = draw.choice([*changes, "time_in_future", "undecodable", "undecodable"])
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


def _key(record: Record) -> Key:
    return record["tenant_id"], record["symbol"], record["ts"], record["seq"]


def _message_key(record: Record) -> bytes:
    return f"{record['tenant_id']}:{record['symbol']}".encode()
