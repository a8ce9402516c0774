"""A deterministic synthetic day of market data, sent to Kafka: python -m ingest synthetic.

No real market is in it. It has what real feeds have: quiet and wild hours, outages, late,
repeated, corrected, cancelled and malformed events, each kind counted.
"""

import argparse
import csv
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from engine.settings import ENVIRONMENT, Env
from ingest.config import StreamConfig
from ingest.errors import IngestError
from ingest.kinds import KINDS
from ingest.replay import synthetic_market
from ingest.replay.synthetic_market import MICROSECOND, SYMBOLS, TENANTS, Columns
from ingest.signals import told
from ingest.wire.producer import TickProducer
from ingest.wire.registry import schemas

HOLIDAYS = Path(__file__).resolve().parents[2] / "seeds" / "calendar_holiday.csv"
DAY_US = 86_400 * MICROSECOND
CENTURY_US = 36_525 * DAY_US
EACH_MALFORMED = 32
UNKNOWN_SYMBOL = "SYN_NOBODY"
FIRST_MALFORMED_SEQ = 1_000_000_000
# shares of the day's trades or quotes; the day has no other kinds
SHARES = {
    "trade": {
        "out_of_order": 0.01,
        "late": 0.004,
        "duplicate": 0.004,
        "correction": 0.004,
        "cancel": 0.0015,
        "unknown_side": 0.02,
    },
    "quote": {
        "out_of_order": 0.01,
        "late": 0.002,
        "duplicate": 0.002,
        "correction": 0.002,
        "crossed": 0.003,
        "one_sided": 0.006,
    },
}

# what can be decoded but must be refused: the column, and the value that is added to a time and
# put in the place of any other
IN_BOTH = {"future_time": ("ts", CENTURY_US), "unknown_symbol": ("symbol", UNKNOWN_SYMBOL)}
MALFORMED: dict[str, dict[str, tuple[str, Any]]] = {
    "trade": {
        "nan_price": ("price", np.nan),
        **IN_BOTH,
        "negative_price": ("price", -1.0),
        "zero_size": ("size", 0.0),
    },
    "quote": {"nan_price": ("bid", np.nan), **IN_BOTH},
}


class SyntheticError(IngestError):
    """The day asked for cannot be made; the text says which can."""


@dataclass(frozen=True)
class Message:
    """One message of the day: a record to encode, or raw bytes that no codec reads."""

    kind: str
    record: dict[str, Any] | None
    key: bytes = b""
    payload: bytes = b""


@dataclass(frozen=True)
class Day:
    """A day's events: trades and quotes by column, raw payloads, and how many of each kind.

    Clocks are microseconds since 1970 UTC; every known_at lies within the day. `label` says
    what is special about a row, "" for a plain one.
    """

    trades: Columns
    quotes: Columns
    raw: tuple[tuple[int, str, bytes], ...]
    counts: dict[str, int]

    def messages(self) -> Iterator[Message]:
        """All messages in the order in which they became known."""
        known_at = np.concatenate(
            [self.trades["known_at"], self.quotes["known_at"], [at for at, _, _ in self.raw]]
        )
        records = [*_records("trade", self.trades), *_records("quote", self.quotes)]
        messages = [
            *records,
            *(Message(kind, None, b"malformed", payload) for _, kind, payload in self.raw),
        ]
        for place in np.argsort(known_at, kind="stable").tolist():
            yield messages[place]


def _records(kind: str, columns: Columns) -> Iterator[Message]:
    names = tuple(KINDS[kind].columns)
    values = []
    for name in names:
        column = columns[name]
        listed = column.tolist()
        gone = columns["missing"] == name.removesuffix("_size")
        if gone.any():
            listed = [None if lost else v for v, lost in zip(listed, gone.tolist(), strict=True)]
        values.append(listed)
    for row in zip(*values, strict=True):
        yield Message(kind, dict(zip(names, row, strict=True)))


def events(day: date, rows: int = 240_000, seed: int = 7) -> Day:
    """The day's events. rows plain trades and quotes, half each; the special kinds are added.

    Equal arguments give equal events. Raises SyntheticError for a weekend or too few rows.
    """
    if day.isoweekday() > 5:
        raise SyntheticError(f"--day {day} is a weekend; give a weekday")
    if rows < 10_000:
        raise SyntheticError(f"--rows {rows} is too few for every kind of event; give 10000")
    random = np.random.default_rng([seed, day.toordinal()])
    streams = [
        (one, tenant) for tenant, names in TENANTS.items() for one in SYMBOLS if one.name in names
    ]
    paths = {one.name: synthetic_market.path(one, day, random) for one in SYMBOLS}
    weights = np.array([one.weight for one, _ in streams])
    shares = np.ceil(rows / 2 * weights / weights.sum()).astype(int).tolist()
    made = [
        synthetic_market.ticks(one, tenant, paths[one.name], (share, share), random)
        for (one, tenant), share in zip(streams, shares, strict=True)
    ]
    counts: dict[str, int] = {}
    columns = {}
    begins = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * MICROSECOND
    for kind, parts in zip(SHARES, zip(*made, strict=True), strict=True):
        plain = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        whole = _with_malformed(kind, _with_special(kind, plain, random), random)
        for name in ("ts", "known_at"):
            whole[name] = whole[name] + begins
        columns[kind] = whole
        counts[kind] = len(plain["ts"])
        labels, numbers = np.unique(whole["label"].astype(str), return_counts=True)
        counts |= {
            f"{kind}_{label}": int(number)
            for label, number in zip(labels, numbers, strict=True)
            if label
        }
    raw = _raw(begins, random)
    counts["malformed_bytes"] = len(raw)
    return Day(columns["trade"], columns["quote"], raw, counts)


def _with_special(kind: str, plain: Columns, random: np.random.Generator) -> Columns:
    """Delay, repeat, correct, cancel and disturb rows; each row is special in one way only."""
    count = len(plain["ts"])
    columns = dict(plain)
    columns["action"] = np.full(count, "new", dtype=object)
    columns["label"] = np.full(count, "", dtype=object)
    columns["missing"] = np.full(count, "", dtype=object)
    shuffled = random.permutation(count)
    # what follows a row later must still fall into the day
    shuffled = shuffled[columns["ts"][shuffled] < DAY_US - 600 * MICROSECOND]
    chosen = {}
    for label, share in SHARES[kind].items():
        number = int(count * share)
        chosen[label], shuffled = np.sort(shuffled[:number]), shuffled[number:]
    ts = columns["ts"]
    rows = chosen["out_of_order"]
    columns["known_at"][rows] += _delays(ts[rows], 0.3, 4.0, random)
    rows = chosen["late"]
    columns["known_at"][rows] += _delays(ts[rows], 20.0, 4 * 3600.0, random)
    if "unknown_side" in chosen:
        columns["side"][chosen["unknown_side"]] = None
    if "crossed" in chosen:
        rows = chosen["crossed"]
        columns["bid"][rows], columns["ask"][rows] = columns["ask"][rows], columns["bid"][rows]
    if "one_sided" in chosen:
        rows = chosen["one_sided"]
        columns["missing"][rows] = random.choice(["bid", "ask"], len(rows))
    for label in ("out_of_order", "late", "unknown_side", "crossed", "one_sided"):
        columns["label"][chosen.get(label, [])] = label
    columns["known_at"] = np.minimum(columns["known_at"], DAY_US - 1)
    parts = [columns]
    for label, action in (("duplicate", "new"), ("correction", "correction"), ("cancel", "cancel")):
        if label in chosen:
            rows = chosen[label]
            again = {name: column[rows].copy() for name, column in columns.items()}
            again["known_at"] += _delays(again["ts"], 1.0, 1800.0, random)
            again["action"][:] = action
            again["label"][:] = label
            if label == "correction":
                _correct(kind, again, random)
            parts.append(again)
    return {name: np.concatenate([part[name] for part in parts]) for name in columns}


def _delays(ts: Any, least: float, most: float, random: np.random.Generator) -> Any:
    """Microseconds, log-uniform between two numbers of seconds, none beyond the day's end."""
    longest = np.minimum(most, (DAY_US - ts) / MICROSECOND - 60)
    return (np.exp(random.uniform(np.log(least), np.log(longest))) * MICROSECOND).astype(np.int64)


def _correct(kind: str, columns: Columns, random: np.random.Generator) -> None:
    """Another price (by a few ticks) or another size, under the same key."""
    tick = {one.name: one.tick for one in SYMBOLS}
    ticks = np.array([tick[name] for name in columns["symbol"]])
    moved = random.integers(1, 5, len(ticks)) * random.choice([-1, 1], len(ticks)) * ticks
    for name in KINDS[kind].prices:
        columns[name] = np.round(columns[name] + moved, 5)


def _with_malformed(kind: str, columns: Columns, random: np.random.Generator) -> Columns:
    """Add events that can be decoded but must be refused, each kind EACH_MALFORMED times."""
    plain = np.flatnonzero((columns["label"] == "") & (columns["action"] == "new"))
    parts = [columns]
    for place, (label, (name, bad)) in enumerate(MALFORMED[kind].items()):
        rows = np.sort(random.choice(plain, EACH_MALFORMED, replace=False))
        part = {name: column[rows].copy() for name, column in columns.items()}
        part["seq"] = FIRST_MALFORMED_SEQ + place * EACH_MALFORMED + np.arange(EACH_MALFORMED)
        part["label"][:] = label
        if name == "ts":
            part["ts"] = part["ts"] + bad
        else:
            part[name][:] = bad
        parts.append(part)
    return {name: np.concatenate([part[name] for part in parts]) for name in columns}


def _raw(begins: int, random: np.random.Generator) -> tuple[tuple[int, str, bytes], ...]:
    """Payloads that are no Avro of ours: noise, JSON, nothing, text."""
    made = []
    for number, at in enumerate(np.sort(random.integers(0, DAY_US, EACH_MALFORMED)).tolist()):
        payload = (
            b"\xff" + random.bytes(24),
            b'{"symbol": "SYN_ES", "price": "6000.25"}',
            b"",
            b"8=FIX.4.4|35=X|55=SYN_ES|",
        )[number % 4]
        made.append((begins + at, tuple(SHARES)[number // 4 % 2], payload))
    return tuple(made)


def default_day(now: datetime) -> date:
    """The last completed UTC day that is neither a weekend nor a holiday of US shares."""
    holidays: set[str] = set()
    if HOLIDAYS.exists():
        with HOLIDAYS.open(newline="") as file:
            holidays = {row["day"] for row in csv.DictReader(file) if row["calendar_id"] == "XNYS"}
    day = now.astimezone(UTC).date() - timedelta(days=1)
    while day.isoweekday() > 5 or day.isoformat() in holidays:
        day -= timedelta(days=1)
    return day


def main(argv: list[str], env: Env = ENVIRONMENT) -> int:
    """Make the day and send it to Kafka; returns 0, raises IngestError with the remedy."""
    now = datetime.now(UTC)
    parser = argparse.ArgumentParser(prog="python -m ingest synthetic", description=__doc__)
    parser.add_argument("--rows", type=int, default=240_000, help="plain trades and quotes")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--day", type=date.fromisoformat, default=default_day(now), help="default: the last one"
    )
    options = parser.parse_args(argv)
    if options.day >= now.date():
        raise SyntheticError(f"--day {options.day} is not over; give one before {now.date()} UTC")
    day = events(options.day, options.rows, options.seed)
    config = StreamConfig.from_env(env)
    console = Console(file=sys.stderr)
    began = time.monotonic()
    sent = 0
    total = len(day.trades["ts"]) + len(day.quotes["ts"]) + len(day.raw)
    registry = schemas(config.schema_registry_url)
    with (
        TickProducer(
            config.kafka_bootstrap, config.topics, config.partitions, registry
        ) as producer,
        told(producer.flush, lambda: [f"{sent:,} of {total:,} events sent by then"]),
    ):
        for message in track(
            day.messages(),
            f"synthetic {options.day}",
            total=total,
            console=console,
            disable=not console.is_terminal,
        ):
            if message.record is None:
                producer.send_raw(message.kind, message.key, message.payload)
            else:
                producer.send(message.kind, message.record)
            sent += 1
    took = time.monotonic() - began
    print(f"synthetic day {options.day} (no real market), seed {options.seed}: {_summary(day)}")
    print(f"sent {sent:,} events in {took:.1f} s: {sent / took:,.0f} events/s")
    return 0


def _summary(day: Day) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in day.counts.items())
