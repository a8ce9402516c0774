"""Trades into Kafka: a backlog, or so many a second. `python -m bench.ingest.load` does the latter.

A process of its own, so that its Python does not take turns with what is measured.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from ingest.kinds import Record
from ingest.wire.producer import TickProducer

PARTITIONS = 4
SYMBOLS = 10
TENANT = 1
START_US = 1_700_100_000_000_000  # 2023-11-16 02:00 UTC
STEP_US = 10_000
TICK_S = 0.005


def trade(number: int, ts: int) -> Record:
    """Trade number of the stream; ts: its event time, microseconds since 1970."""
    return {
        "tenant_id": TENANT,
        "symbol": f"S{1 + number % SYMBOLS:04}",
        "ts": ts,
        "seq": number,
        "price": 100 + number % 50 / 4,
        "size": float(1 + number % 9),
        "side": "buy" if number % 3 else "sell",
        "action": "new",
        "known_at": ts,
    }


def backlog(number: int) -> Iterator[Record]:
    """Trades in the order of their event times, 100 a second of a past day."""
    return (trade(at, START_US + at * STEP_US) for at in range(number))


def topics(name: str) -> dict[str, str]:
    """Topic of each kind; nothing is sent to the quotes'."""
    return {"trade": f"trades_{name}", "quote": f"quotes_{name}"}


def send_backlog(bootstrap: str, name: str, number: int) -> None:
    """Send the backlog to the topics of that name. Raises DeliveryError."""
    with TickProducer(bootstrap, topics(name), PARTITIONS) as producer:
        for record in backlog(number):
            producer.send("trade", record)


def send_live(bootstrap: str, name: str, rate: int, seconds: float) -> None:
    """Send rate trades a second, their event time the moment of sending; print how many.

    Raises DeliveryError.
    """
    with TickProducer(bootstrap, topics(name), PARTITIONS) as producer:
        began = time.monotonic()
        sent = 0
        while (passed := time.monotonic() - began) < seconds:
            for number in range(sent, int(passed * rate)):
                producer.send("trade", trade(number, time.time_ns() // 1000))
                sent += 1
            time.sleep(TICK_S)
    print(sent)


if __name__ == "__main__":
    send_live(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
