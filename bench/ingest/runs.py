"""Ingester processes at work, watched from the database's side."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg

from bench.ingest import load
from engine.settings import ENVIRONMENT
from ingest.wire.topics import ensure_topics

ROOT = Path(__file__).resolve().parents[2]
LOOK_S = 0.002
START_S = 60.0
PROJECT = ROOT / ".venv" / "bin" / "python"


@dataclass(frozen=True)
class Drain:
    """How a backlog went: committed trades a second once they flowed, and with the start-up.

    peak_mib: memory of the largest process at its peak.
    """

    per_s: float
    per_s_with_start: float
    peak_mib: float


def clear(url: str) -> None:
    """Empty the tables of trades and the offsets; write out what the last run left in memory."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "truncate market.trade, market.trade_superseded, market.dead_letter,"
            " feature.changed_bar, market.kafka_offset"
        )
        connection.execute("checkpoint")


def _processes(url: str, bootstrap: str, name: str, number: int) -> list[subprocess.Popen[bytes]]:
    """Start `python -m ingest run` so many times in one group, in the project's environment."""
    topics = load.topics(name)
    settings = {
        "DATABASE_URL": url,
        "KAFKA_BOOTSTRAP": bootstrap,
        "KAFKA_GROUP": f"bench_{uuid.uuid4().hex[:8]}",
        "TRADE_TOPIC": topics["trade"],
        "QUOTE_TOPIC": topics["quote"],
    }
    command = [str(PROJECT), "-m", "ingest", "run"]
    return [
        subprocess.Popen(
            command, cwd=ROOT, env={**ENVIRONMENT, **settings}, stdout=subprocess.DEVNULL
        )
        for _ in range(number)
    ]


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        if process.wait(30) != 0:
            raise RuntimeError("an ingester failed: see what it said above")


def drain(url: str, bootstrap: str, name: str, number: int, processes: int) -> Drain:
    """Have processes consume the topics' backlog of `number` trades; clear(url) before.

    Raises RuntimeError when an ingester fails.
    """
    topic = load.topics(name)["trade"]
    began = time.monotonic()
    running = _processes(url, bootstrap, name, processes)
    with ExitStack() as stack, psycopg.connect(url, autocommit=True) as connection:
        stack.callback(_end, running)
        first: tuple[float, int] | None = None
        while True:
            row = connection.execute(
                "select coalesce(sum(next_offset), 0)::bigint from market.kafka_offset"
                " where topic = %s",
                (topic,),
            ).fetchone()
            done, now = (row[0] if row else 0), time.monotonic()
            if done and first is None:
                first = now, done
            if done >= number:
                break
            if any(process.poll() is not None for process in running):
                raise RuntimeError("an ingester failed: see what it said above")
            time.sleep(0.02)
        row = connection.execute("select count(*) from market.trade").fetchone()
        peak_mib = max(_peak_mib(process.pid) for process in running)
    if row != (number,) or first is None or done == first[1]:
        raise RuntimeError(f"{row} rows of {number} trades: no figure")
    return Drain((done - first[1]) / (now - first[0]), number / (now - began), peak_mib)


def _peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def latencies(
    url: str, bootstrap: str, name: str, rate: int, seconds: float
) -> tuple[list[float], float]:
    """Event-to-commit latency of each trade in seconds, and the trades a second that were sent.

    From the event time that the producer gives just before it sends, until another session sees
    the offset committed; it looks every 2 ms. Raises RuntimeError when an ingester fails.
    """
    with ExitStack() as stack, psycopg.connect(url, autocommit=True) as connection:
        ensure_topics(bootstrap, load.topics(name).values(), load.PARTITIONS)
        running = _processes(url, bootstrap, name, 1)
        stack.callback(_end, running)
        deadline = time.monotonic() + START_S
        held = "select count(*) from market.kafka_offset where topic = any (%s)"
        topics = list(load.topics(name).values())
        while connection.execute(held, (topics,)).fetchone() != (2 * load.PARTITIONS,):
            if time.monotonic() > deadline or running[0].poll() is not None:
                raise RuntimeError("the ingester took no partitions: see what it said above")
            time.sleep(0.1)
        command = [sys.executable, "-m", "bench.ingest.load", bootstrap, name]
        sender = subprocess.Popen(
            [*command, str(rate), str(seconds)], cwd=ROOT, stdout=subprocess.PIPE
        )
        seen: dict[int, list[tuple[int, float]]] = {p: [] for p in range(load.PARTITIONS)}
        sent: int | None = None
        while sent is None or sum(s[-1][0] for s in seen.values() if s) < sent:
            rows = connection.execute(
                "select partition, next_offset from market.kafka_offset"
                " where topic = %s and next_offset > 0",
                (topics[0],),
            ).fetchall()
            now = time.time()
            for partition, end in rows:
                if not seen[partition] or seen[partition][-1][0] != end:
                    seen[partition].append((end, now))
            if running[0].poll() is not None:
                raise RuntimeError("the ingester failed: see what it said above")
            if sent is None and sender.poll() is not None:
                said = sender.communicate()[0]
                if sender.returncode != 0:
                    raise RuntimeError("the sender failed: see what it said above")
                sent = int(said)
            time.sleep(LOOK_S)
        rows = connection.execute(
            "select source_partition, source_offset, extract(epoch from ts)::double precision"
            " from market.trade where source_topic = %s",
            (topics[0],),
        ).fetchall()
    if len(rows) != sent:
        raise RuntimeError(f"{len(rows)} rows of {sent} trades: no figure")
    table: np.ndarray = np.array(rows)
    waited = []
    for partition, marks in seen.items():
        mine = table[table[:, 0] == partition]
        ends, times = np.array(marks).T
        waited.append(times[np.searchsorted(ends, mine[:, 1], side="right")] - mine[:, 2])
    return np.concatenate(waited).tolist(), sent / seconds
