"""An hour as users have it: python -m tests.chaos.live --minutes 60, or `make live`.

Ticks of now through Kafka, an ingester, push to Redis, the scheduler's own publishes, a backfill of
history that goes on and on, dbt runs, a second migrate, processes that are killed, and one of
everything bad. Nobody helps. At the end every closed bar has the oracle's values, no job has
failed, and what was refused is in the dead letters.

The database is one of its own: on DATABASE_URL's server where that is given, else embedded.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from embedded import broker, redis
from embedded import database as embedded_database
from ingest.config import Config
from ingest.wire.producer import TickProducer
from tests.models import oracle

ROOT = Path(__file__).resolve().parents[2]
SYMBOLS = ("SYN_ES", "SYN_NQ", "SYN_CL", "SYN_BTCUSD", "SYN_ETHUSD")
TENANTS = (1, 2)
HISTORY = datetime(2024, 2, 5, tzinfo=UTC)
HISTORY_TENANTS = (11, 12)
MINUTE = timedelta(minutes=1)
DUE = timedelta(seconds=30)
UNSET = 1.7976931348623157e308
LOAD = """
    insert into market.trade (tenant_id, symbol, ts, seq, price, size, known_at)
    select t, i.symbol, ts, 1, 100 + extract(minute from ts), 2, ts
    from unnest(%(tenants)s::integer[]) as t
    cross join (select symbol from market.instrument order by symbol limit 10) as i
    cross join generate_series(
        %(from)s::timestamptz, %(from)s + %(days)s * interval '1 day' - interval '1 s',
        interval '5 seconds'
    ) as ts
"""
LAST = """
    select distinct on (bucket) bucket, open, high, low, close, volume, vwap, sma_20,
        volatility_1h, regime_tag, spread_bps, order_imbalance
    from feature.log where tenant_id = %s and symbol = %s and bucket >= %s
    order by bucket, known_at desc
"""
FIRST = """
    select max(known_at - bucket - interval '1 minute'), count(*) from (
        select distinct on (tenant_id, symbol, bucket) bucket, known_at
        from feature.log where tenant_id = any(%s) and bucket >= %s and cause = 'close'
        order by tenant_id, symbol, bucket, known_at
    ) as f
"""
JOBS = """
    select j.job_id, j.proc_name, coalesce(j.hypertable_name, ''), s.total_runs, s.total_failures
    from timescaledb_information.jobs as j
    inner join timescaledb_information.job_stats as s using (job_id)
    where s.total_failures > 0
    order by 1
"""

Stream = tuple[int, str]


@dataclass
class Sent:
    """What was sent and counts: the values of each tick that stands, by stream and kind."""

    ticks: dict[tuple[str, Stream], dict[tuple[int, int], dict[str, Any] | None]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    refused: Counter[str] = field(default_factory=Counter)
    events: int = 0


class Feed(threading.Thread):
    """Trades and quotes that happen now, and what happens to some of them later."""

    def __init__(self, config: Config, sent: Sent, stop: threading.Event, seed: int) -> None:
        super().__init__()
        self.sent, self.stopping, self.chance = sent, stop, random.Random(seed)  # noqa: S311
        self.config = config
        self.seq = 0
        self.price = {(t, s): 100.0 + 10 * i for t in TENANTS for i, s in enumerate(SYMBOLS)}
        self.recent: list[dict[str, Any]] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Send until told to stop."""
        try:
            with TickProducer(
                self.config.kafka_bootstrap, self.config.topics, self.config.partitions
            ) as producer:
                while not self.stopping.is_set():
                    for stream in self.price:
                        self._tick(producer, stream)
                    self.stopping.wait(0.25)
        except BaseException as error:  # reported by the main thread
            self.failure = error

    def _tick(self, producer: TickProducer, stream: Stream) -> None:
        chance = self.chance
        self.seq += 1
        now = time.time_ns() // 1000
        late = chance.random() < 0.01
        ts = now - (chance.randint(45, 200) * 1_000_000 if late else 0)
        price = self.price[stream] = round(self.price[stream] * (1 + chance.gauss(0, 1e-4)), 2)
        key = {"tenant_id": stream[0], "symbol": stream[1], "ts": ts, "seq": self.seq}
        if chance.random() < 0.5:
            values = {
                "price": price,
                "size": float(chance.randint(1, 9)),
                "side": chance.choice(("buy", "sell", None)),
            }
            kind = "trade"
        else:
            values = {
                "bid": price - 0.01,
                "bid_size": 1.0,
                "ask": price + 0.01 * chance.randint(0, 3),
                "ask_size": 2.0,
            }
            kind = "quote"
        event = {"kind": kind, **key, "action": "new", "known_at": now, **values}
        dice = chance.random()
        if dice < 0.002:  # its cancel comes first, then never counts
            self._send(producer, {**event, "action": "cancel", "known_at": now + 1})
            self._send(producer, event)
            self._forget(event)
            return
        self._send(producer, event)
        self._remember(event)
        if dice < 0.01:
            self._send(producer, event)  # said again
        if self.recent and 0.01 < dice < 0.02:
            old = self.recent.pop(chance.randrange(len(self.recent)))
            name = "price" if old["kind"] == "trade" else "ask"
            amended = {**old, "action": "correction", "known_at": now, name: old[name] + 0.05}
            for _ in range(chance.randint(1, 2)):
                self._send(producer, amended)
            self._remember(amended)
        elif self.recent and 0.02 < dice < 0.025:
            old = self.recent.pop(chance.randrange(len(self.recent)))
            self._send(producer, {**old, "action": "cancel", "known_at": now})
            self._forget(old)
        if dice > 0.95:
            self.recent = [*self.recent[-200:], event]

    def _send(self, producer: TickProducer, event: dict[str, Any]) -> None:
        record = {name: value for name, value in event.items() if name != "kind"}
        producer.send(event["kind"], record)
        self.sent.events += 1

    def _place(self, event: dict[str, Any]) -> dict[tuple[int, int], dict[str, Any] | None]:
        return self.sent.ticks[event["kind"], (event["tenant_id"], event["symbol"])]

    def _remember(self, event: dict[str, Any]) -> None:
        self._place(event)[event["ts"], event["seq"]] = event

    def _forget(self, event: dict[str, Any]) -> None:
        self._place(event)[event["ts"], event["seq"]] = None


def say(words: str) -> None:
    """A line with the time."""
    print(f"{datetime.now(UTC):%H:%M:%S} {words}", flush=True)


class Process:
    """A command as users start it; its output goes to a file, and it is started again if killed."""

    def __init__(self, name: str, command: list[str], env: dict[str, str], logs: Path) -> None:
        self.name, self.command, self.env = name, command, env
        self.log = (logs / f"{name}.log").open("ab")
        self.start()

    def start(self) -> None:
        """Start it."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", *self.command],
            cwd=ROOT,
            env=self.env,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def kill(self) -> None:
        """As the system does that has no memory left; then as whoever supervises it does."""
        self.process.kill()
        self.process.wait()
        self.start()

    def stop(self) -> None:
        """Ask it to end."""
        self.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(30)
        self.process.kill()
        self.log.close()


def command(env: dict[str, str], *words: str) -> str:
    """Run one to its end and return what it printed. Errors: CalledProcessError, printed."""
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, env=env, capture_output=True, text=True
    )
    if done.returncode:
        say(f"FAILED {' '.join(words)}: {done.stdout[-2000:]} {done.stderr[-2000:]}")
        done.check_returncode()
    return done.stdout


@contextmanager
def own_database(state: Path) -> Iterator[str]:
    """A new database: on the server of DATABASE_URL, or embedded."""
    given = os.environ.get("DATABASE_URL")
    if not given:
        yield embedded_database.start(state / "timescaledb").url
        embedded_database.stop(state / "timescaledb")
        return
    name = sql.Identifier(f"live_{uuid.uuid4().hex[:8]}")
    with psycopg.connect(given, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(name))
        yield make_conninfo(given, dbname=name.as_string().strip('"'))
        connection.execute(sql.SQL("drop database {} with (force)").format(name))


def bad_things(config: Config, sent: Sent) -> dict[str, Callable[[], object]]:
    """One of everything, by name."""
    now = time.time_ns() // 1000
    trade: dict[str, Any] = {"tenant_id": 1, "symbol": "SYN_ES", "ts": now, "action": "new"}
    trade |= {"known_at": now, "price": 100.0, "size": 1.0, "side": None}

    def send(reason: str, *changes: dict[str, Any]) -> None:
        with TickProducer(config.kafka_bootstrap, config.topics, config.partitions) as producer:
            for number, change in enumerate(changes):
                producer.send("trade", {**trade, "seq": 10**9 + number, **change})
        sent.refused[reason] += len(changes)

    return {
        "a sentinel as price": lambda: send("out_of_range", {"price": UNSET}, {"size": 1e300}),
        "a price below zero": lambda: send("negative_price", {"price": -1.0}),
        "a size of zero": lambda: send("zero_size", {"size": 0.0}),
        "no number": lambda: send("not_a_number", {"price": math.nan}),
        "a file of a wrong tenant": lambda: send("unknown_tenant", *[{"tenant_id": 99}] * 3000),
        "a file of a wrong symbol": lambda: send("unknown_symbol", *[{"symbol": "NOPE"}] * 3000),
        "milliseconds as microseconds": lambda: send("time_too_early", {"ts": now // 1000}),
    }


def wanted(sent: Sent, stream: Stream, until: datetime) -> pd.DataFrame:
    """What the oracle makes of the ticks of a stream that stand, for the bars closed by then."""
    frames = []
    for kind, columns in (("trade", ["price", "size", "side"]), ("quote", ["bid", "ask"])):
        rows = [event for event in sent.ticks[kind, stream].values() if event]
        frame = pd.DataFrame(rows, columns=["ts", "seq", *columns])
        frame["ts"] = pd.to_datetime(frame["ts"], unit="us", utc=True)
        frames.append(frame)
    found = oracle.features(*frames)
    return found[found.index <= until - MINUTE]


def same(got: Any, want: Any) -> bool:
    """Equal but for the order of a sum; no value equals no value."""
    nothing = want is None or (isinstance(want, float) and math.isnan(want))
    if got is None or nothing:
        return got is None and nothing
    return math.isclose(got, want, rel_tol=1e-9) if isinstance(want, float) else bool(got == want)


def judge(url: str, sent: Sent, began: datetime, until: datetime) -> list[str]:
    """What is not as promised."""
    faults = []
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set timezone = 'UTC'")
        bars = 0
        for stream in [(tenant, symbol) for tenant in TENANTS for symbol in SYMBOLS]:
            rows = connection.execute(LAST, [*stream, began - 10 * MINUTE]).fetchall()
            got = {
                pd.Timestamp(bucket): values for bucket, *values in rows if values[3] is not None
            }
            want = wanted(sent, stream, until)
            faults += [f"{stream} {bucket}: no bar" for bucket in want.index.difference(list(got))]
            faults += [
                f"{stream} {bucket}: a bar of nothing"
                for bucket in set(got) - set(want.index)
                if bucket <= until - MINUTE
            ]
            for bucket in want.index.intersection(list(got)):
                bars += 1
                faults += [
                    f"{stream} {bucket} {name}: {value!r}, not {want.loc[bucket, name]!r}"
                    for name, value in zip(oracle.FIELDS, got[bucket], strict=True)
                    if not same(value, want.loc[bucket, name])
                ]
        row = connection.execute(FIRST, [list(TENANTS), began]).fetchone()
        assert row is not None
        say(f"{bars} bars compared; published at the latest {row[0]} after their close")
        if row[0] is not None and row[0] > DUE:
            faults.append(f"a bar was published {row[0]} after its close")
        row = connection.execute(
            "select count(*) from feature.changed_bar where bucket < %s and tenant_id = any(%s)",
            [until - 2 * MINUTE, list(TENANTS)],
        ).fetchone()
        if row != (0,):
            faults.append(f"{row} closed bars are still in the queue")
        faults += [f"job {job} failed" for job in connection.execute(JOBS).fetchall()]
        faults += [
            f"set aside: {row}" for row in connection.execute("select * from feature.set_aside")
        ]
        letters: dict[str, int] = dict(
            connection.execute(
                "select reason, sum(dead_letters)::int from market.dead_letter_count group by 1"
            ).fetchall()
        )
    for reason, number in sent.refused.items():
        if letters.get(reason) != number:
            faults.append(f"{letters.get(reason)} dead letters are {reason}, not {number}")
    return faults


def main() -> int:
    """Run it; 1 where something is not as promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--days", type=int, default=3, help="of history in each of 20 series")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with ExitStack() as until_the_end:
        state = Path(until_the_end.enter_context(tempfile.TemporaryDirectory(prefix="live_")))
        url = until_the_end.enter_context(own_database(state))
        bootstrap = broker.start(state / "kafka").bootstrap
        until_the_end.callback(broker.stop, state / "kafka")
        env = {
            **os.environ,
            "DATABASE_URL": url,
            "KAFKA_BOOTSTRAP": bootstrap,
            "REDIS_URL": redis.start(state / "redis").url,
            "FEAST_REGISTRY": "" if os.environ.get("DATABASE_URL") else f"sqlite:///{state}/r.db",
        }
        until_the_end.callback(redis.stop, state / "redis")
        faults = run(options, url, env, state, until_the_end)
    for fault in faults[:40]:
        say(f"FAULT {fault}")
    say(f"{len(faults)} faults")
    return 1 if faults else 0


def prepare(options: argparse.Namespace, url: str, env: dict[str, str]) -> None:
    """Migrations, models, Feast's registry, and history that is to be backfilled."""
    say(command(env, "engine", "migrate").partition("\n")[0])
    for tenant in HISTORY_TENANTS:
        command(env, "engine", "tenant", "set", str(tenant), "--name", f"history_{tenant}")
    command(env, "engine", "dbt", "run", "--quiet")
    command(env, "feast_repo", "feast", "apply")
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(
            LOAD, {"tenants": list(HISTORY_TENANTS), "from": HISTORY, "days": options.days}
        ).rowcount
        connection.execute("call feature.declare_history()")
    say(f"{rows} trades of history")


def backfill(url: str, days: int, stop: threading.Event) -> None:
    """All of history, again and again."""
    with psycopg.connect(url, autocommit=True) as connection:
        while not stop.is_set():
            connection.execute(
                "call feature.backfill(%s, %s)", [HISTORY, HISTORY + timedelta(days=days)]
            )
            stop.wait(20)


def end_sessions(url: str) -> None:
    """Those of the ingester, as an operator or a failover does."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and application_name ~ 'ingest'"
        )


def happen(
    happenings: dict[str, Callable[[], object]],
    processes: dict[str, Process],
    stop: threading.Event,
    minutes: float,
) -> list[str]:
    """Let them happen, evenly over the time; return what failed and which process has ended."""
    faults = []
    until = time.monotonic() + minutes * 60
    for name, cause in happenings.items():
        stop.wait(minutes * 60 / (len(happenings) + 1))
        say(name)
        try:
            cause()
        except Exception as error:  # all that goes wrong is told at the end
            faults.append(f"{name}: {error!r}")
        for process in processes.values():
            if process.process.poll() is not None:
                faults.append(f"{process.name} has ended: {process.process.returncode}")
                say(Path(process.log.name).read_text()[-1500:])
                process.start()
    stop.wait(max(0.0, until - time.monotonic()))
    return faults


def run(
    options: argparse.Namespace, url: str, env: dict[str, str], state: Path, ends: ExitStack
) -> list[str]:
    """The hour itself; returns what is not as promised."""
    config = Config.from_env({name: env[name] for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP")})
    prepare(options, url, env)
    processes = {
        "ingest": Process("ingest", ["ingest", "run"], env, state),
        "push": Process("push", ["feast_repo", "push"], env, state),
    }
    for process in processes.values():
        ends.callback(process.stop)
    sent, stop = Sent(), threading.Event()
    began = datetime.now(UTC)
    feed = Feed(config, sent, stop, options.seed)
    beside = threading.Thread(target=backfill, args=(url, options.days, stop), daemon=True)
    happenings: dict[str, Callable[[], object]] = {
        **bad_things(config, sent),
        "dbt run": lambda: command(env, "engine", "dbt", "run", "--quiet"),
        "ingest is killed": processes["ingest"].kill,
        "migrate again": lambda: command(env, "engine", "migrate"),
        "push is killed": processes["push"].kill,
        "dbt run again": lambda: command(env, "engine", "dbt", "run", "--quiet"),
        "sessions are ended": lambda: end_sessions(url),
        "status": lambda: say(command(env, "engine", "status")),
    }
    if not os.environ.get("DATABASE_URL"):  # one backend: it would be everybody's
        del happenings["sessions are ended"]
    feed.start()
    beside.start()
    faults = happen(happenings, processes, stop, options.minutes)
    stop.set()
    feed.join()
    if feed.failure:
        faults.append(f"the feed: {feed.failure!r}")
    say(f"{sent.events} events sent; the last bars close")
    time.sleep(60 + DUE.total_seconds() + 5)
    beside.join(120)
    return [*faults, *judge(url, sent, began, datetime.now(UTC) - DUE)]


if __name__ == "__main__":
    sys.exit(main())
