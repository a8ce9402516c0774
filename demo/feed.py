"""The demo's live feed: today's synthetic ticks into Kafka, each when its moment comes.

It is the day that `python -m ingest synthetic` sends once it is over, tick for tick, so that a demo
of tomorrow brings nothing twice. Where shares do not trade, only what trades around the clock goes
on. No real market is in it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import numpy as np

from engine.settings import Env
from ingest.config import StreamConfig
from ingest.kinds import Record
from ingest.replay import synthetic
from ingest.replay.synthetic import DAY_US, Day
from ingest.replay.synthetic_market import MICROSECOND, SYMBOLS
from ingest.signals import told
from ingest.wire.producer import TickProducer
from ingest.wire.registry import schemas

SEED = 7
ROWS = 240_000
AROUND_THE_CLOCK = tuple(one.name for one in SYMBOLS if one.venue == "crypto")
# the longest window looks back six hours, each of which needs an hour's returns
RUN_UP = timedelta(hours=8)
# how long a demo may take from the end of its run-up to its live feed
CATCH_UP = timedelta(minutes=15)
STEP_S = 0.25

Tick = tuple[str, Record]


def day_of(day: date) -> Day:
    """The trades and quotes of any UTC day; equal days give equal ticks."""
    trading = synthetic.default_day(_midnight(day + timedelta(days=1))) == day
    back = max(day.isoweekday() - 5, 0)
    # a weekend has a market of its own, on a Friday's clock
    made = synthetic.events(day - timedelta(days=back), ROWS, SEED + back)
    kept = {}
    for kind, columns in (("trade", made.trades), ("quote", made.quotes)):
        rows = np.full(len(columns["ts"]), True)
        if not trading:
            rows = np.isin(columns["symbol"].astype(str), AROUND_THE_CLOCK)
        kept[kind] = {name: column[rows] for name, column in columns.items()}
        for clock in ("ts", "known_at"):
            kept[kind][clock] = kept[kind][clock] + back * DAY_US
    return Day(kept["trade"], kept["quote"], (), {})


def ticks(since: datetime) -> Iterator[Tick]:
    """Every tick that becomes known from a moment on, in that order, without end."""
    day = since.astimezone(UTC).date()
    first_us = _us(since)
    while True:
        for message in day_of(day).messages():
            if message.record is not None and message.record["known_at"] >= first_us:
                yield message.kind, message.record
        day += timedelta(days=1)


def run_up(now: datetime) -> Iterator[Tick]:
    """What became known in the last hours before now, without the day that the demo sends."""
    since, whole = now - RUN_UP, synthetic.default_day(now)
    for kind, record in ticks(since):
        if record["known_at"] >= _us(now):
            return
        if datetime.fromtimestamp(record["known_at"] / MICROSECOND, UTC).date() != whole:
            yield kind, record


def send_run_up(env: Env, now: datetime) -> int:
    """Send the run-up to now; return how many ticks it has. Errors: those of TickProducer."""
    sent = 0
    with (
        _producer(env) as producer,
        told(producer.flush, lambda: [f"{sent:,} ticks of today so far sent by then"]),
    ):
        for kind, record in run_up(now):
            producer.send(kind, record)
            sent += 1
    return sent


class Feed:
    """Ticks that wait for their moment. sent: how many went since the start."""

    def __init__(self, env: Env, now: datetime) -> None:
        """Begin CATCH_UP before now: what was sent before is a duplicate."""
        self.sent = 0
        self._producer = _producer(env)
        self._ticks = ticks(now - CATCH_UP)
        self._next = next(self._ticks)

    def send_due(self) -> int:
        """Send what has become known by now; return how many. Raises DeliveryError."""
        due = 0
        now_us = time.time_ns() // 1000
        while self._next[1]["known_at"] <= now_us:
            self._producer.send(*self._next)
            self._next = next(self._ticks)
            due += 1
        if due:
            self._producer.flush()
        self.sent += due
        return due


def _producer(env: Env) -> TickProducer:
    config = StreamConfig.from_env(env)
    registry = schemas(config.schema_registry_url)
    return TickProducer(config.kafka_bootstrap, config.topics, config.partitions, registry)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _us(moment: datetime) -> int:
    return int(moment.timestamp() * MICROSECOND)
