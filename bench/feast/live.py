"""A live market, and who watches when its bars are online."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import psycopg

from engine.errors import EngineError

BATCH_S = 0.1
TICKS = 10  # a second and symbol
POLL_S = 0.02
MINUTE = timedelta(minutes=1)
INCOMING = """
    create temp table if not exists incoming_trade (
        ordinal bigint, action text, own_clock boolean not null default false, like market.trade
    ) on commit delete rows;
    create temp table if not exists incoming_quote (
        ordinal bigint, action text, own_clock boolean not null default false, like market.quote
    ) on commit delete rows
"""
# One batch of ticks that just happened, as ingest writes them: known when they are written.
TRADES = """
    insert into pg_temp.incoming_trade (
        ordinal, action, tenant_id, symbol, ts, seq, price, size, side, known_at
    )
    select
        n, 'new', 1, s.symbol, clock_timestamp() - random() * interval '50 ms',
        %(seq)s + n, 100 + random(), 1, 'buy', clock_timestamp()
    from unnest(%(symbols)s::text[]) with ordinality as s (symbol, n)
"""
QUOTES = """
    insert into pg_temp.incoming_quote (
        ordinal, action, tenant_id, symbol, ts, seq, bid, bid_size, ask, ask_size, known_at
    )
    select
        n, 'new', 1, s.symbol, clock_timestamp() - random() * interval '50 ms',
        %(seq)s + n, 99.9, 1, 101.1, 1, clock_timestamp()
    from unnest(%(symbols)s::text[]) with ordinality as s (symbol, n)
"""


@dataclass(frozen=True)
class Bar:
    """A bar that came online: seconds after its close, and the volume that it had then."""

    symbol: str
    bucket: datetime
    seconds: float
    volume: float


@contextmanager
def market(url: str, symbols: Sequence[str]) -> Iterator[None]:
    """Trades and quotes of all symbols, a batch every BATCH_S, from a process of its own."""
    context = get_context("spawn")
    stop = context.Event()
    process = context.Process(target=_trade, args=(url, list(symbols), stop))
    process.start()
    try:
        yield
    finally:
        stop.set()
        process.join(30)


def _trade(url: str, symbols: list[str], stop: Event) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(INCOMING.encode())
        batch = 0
        due = time.monotonic()
        while not stop.wait(max(0.0, due - time.monotonic())):
            due += BATCH_S
            batch += 1
            # each symbol TICKS times a second: one tick of each in every batch
            values = {"seq": batch * 1_000_000, "symbols": symbols * max(1, int(TICKS * BATCH_S))}
            with connection.transaction():
                connection.execute(TRADES, values)
                connection.execute("select * from market.apply_trades()")
                connection.execute(QUOTES, values)
                connection.execute("select * from market.apply_quotes()")


def watch(store: Any, symbols: Sequence[str], minutes: int) -> list[Bar]:
    """Read every symbol's bucket and volume again and again; when each bar came online."""
    rows = [{"tenant_id": 1, "symbol": symbol} for symbol in symbols]
    ask = ["bar:bucket", "bar:volume"]
    found: dict[tuple[str, datetime], Bar] = {}
    # the first minute that begins after the market does, and one for the push to start
    first = datetime.now(UTC).replace(second=0, microsecond=0) + 2 * MINUTE
    end = first + (minutes + 1) * MINUTE - MINUTE / 2
    while datetime.now(UTC) < end:
        values = store.get_online_features(ask, rows).to_dict()
        now = time.time()
        for symbol, bucket, volume in zip(symbols, values["bucket"], values["volume"], strict=True):
            if bucket is not None and bucket >= first and (symbol, bucket) not in found:
                late = now - (bucket + MINUTE).timestamp()
                found[symbol, bucket] = Bar(symbol, bucket, late, volume)
        time.sleep(POLL_S)
    bars = [bar for bar in found.values() if bar.bucket < first + minutes * MINUTE]
    if len(bars) < minutes * len(symbols):
        raise EngineError(
            f"only {len(bars)} of {minutes * len(symbols)} bars came online: does the push run?"
        )
    return bars


def complete(url: str, bars: Sequence[Bar]) -> float:
    """The share of bars that were online with all the volume they have now."""
    with psycopg.connect(url, autocommit=True) as connection:
        volumes: dict[tuple[str, datetime], float] = {
            (symbol, bucket): volume
            for symbol, bucket, volume in connection.execute(
                "select symbol, time_bucket('1 minute', ts), sum(size)"
                " from market.trade group by 1, 2"
            ).fetchall()
        }
    return sum(volumes[bar.symbol, bar.bucket] == bar.volume for bar in bars) / len(bars)


def listening_port(pid: int, limit_s: float) -> int:
    """The loopback port on which a process answers /health, once it does.

    Errors: EngineError after limit_s.
    """
    import urllib.request

    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        for port in listening_ports(pid):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as answer:
                    if b"ok" in answer.read(100):
                        return port
            except OSError:
                pass
        time.sleep(0.2)
    raise EngineError(f"process {pid} does not serve within {limit_s:.0f} s: see its messages")


def listening_ports(pid: int) -> list[int]:
    """Ports that a process listens on, by /proc."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [int(f[1].split(":")[1], 16) for f in lines if f[3] == "0A" and f[9] in inodes]
