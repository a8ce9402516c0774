"""What an earlier release answers and this one, call by call: the cost of what came between."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from bench.pit import data, ours
from bench.report import Figure
from bench.server import say, stop_jobs
from bench.timing import median, percentile
from engine import dbt
from engine.migrate import migrate

NAME = "bench_pit_upgraded"
PAIRS_IN_SERVER = 9
Both = dict[str, list[float]]


def figures(
    server_url: str, before: str, rows: int, symbols: int, calls: int, pairs: list[int]
) -> list[Figure]:
    """Single reads and training sets of both; before: the database of an earlier release.

    rows, symbols: how many versions it has, of how many.

    Errors: AssertionError where they answer otherwise.
    """
    found: list[Figure] = []
    with _upgraded(server_url, before) as after:
        urls = {"before": make_conninfo(server_url, dbname=before), "after": after}
        end = _end(after)
        since = data.start(rows, symbols, end)
        for asked in (1, min(100, symbols)):
            say(f"before and after, {asked} symbols")
            both = _latencies(urls, symbols, asked, (since, end), calls)
            group = f"before and after, one moment, {asked} symbols, {calls:,} calls in turn"
            for percent in (50, 99):
                was, now = (percentile(both[name], percent) for name in urls)
                found += _compared(group, f"p{percent}", was, now)
        for count in pairs:
            say(f"before and after, {count:,} pairs")
            both = _training_sets(urls, data.random_pairs(count, symbols, since, end))
            group = f"before and after, {count:,} pairs, count and sum, {PAIRS_IN_SERVER} in turn"
            found += _compared(group, "median", *(median(both[name]) for name in urls))
            found += _compared(group, "least", *(min(both[name]) for name in urls))
    return found


def _compared(group: str, what: str, was: float, now: float) -> list[Figure]:
    return [
        Figure(group, f"before, {what}", was),
        Figure(group, f"after, {what}", now),
        Figure(group, f"after / before, {what}", now / was, "x"),
    ]


@contextmanager
def _upgraded(server_url: str, before: str) -> Iterator[str]:
    """A copy of that database, brought up to this release; dropped afterwards."""
    say(f"copying {before}, upgrading the copy")
    name = sql.Identifier(NAME)
    drop = sql.SQL("drop database if exists {} with (force)").format(name)
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(drop)
        source = sql.Identifier(before)
        # one with a session, its job scheduler's included, cannot be copied
        server.execute(sql.SQL("alter database {} allow_connections false").format(source))
        try:
            server.execute(
                "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = %s",
                (before,),
            )
            server.execute(sql.SQL("create database {} template {}").format(name, source))
        finally:
            server.execute(sql.SQL("alter database {} allow_connections true").format(source))
    try:
        url = make_conninfo(server_url, dbname=NAME)
        migrate(url)
        dbt.run(url, "run", "--quiet", quiet=True)
        stop_jobs(url)
        for there in (url, make_conninfo(server_url, dbname=before)):
            with psycopg.connect(there, autocommit=True) as connection:
                connection.execute("vacuum analyze")
        yield url
    finally:
        with psycopg.connect(server_url, autocommit=True) as server:
            server.execute(drop)


def _end(url: str) -> datetime:
    """Where the log ends: that of an earlier run ended earlier."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("select live_from from feature.clock").fetchone()
    if row is None:
        raise AssertionError("no clock")
    found: datetime = row[0]
    return found


def _latencies(
    urls: dict[str, str], symbols: int, asked: int, of: tuple[datetime, datetime], calls: int
) -> Both:
    draw = random.Random(asked)  # noqa: S311
    known = data.names(symbols)
    since, end = of
    span = (end - since).total_seconds() - 3600
    taken: Both = {name: [] for name in urls}
    connections = {
        name: psycopg.connect(url, autocommit=True, prepare_threshold=0)
        for name, url in urls.items()
    }
    try:
        for call in range(calls + ours.WARM_UP):
            chosen = draw.sample(known, asked)
            as_of = since + timedelta(seconds=3600 + draw.random() * span)
            answers: dict[str, list[tuple[Any, ...]]] = {}
            # who is asked second finds nothing warmer: they share no page
            for name in draw.sample(list(urls), len(urls)):
                cursor = connections[name].cursor(binary=True)
                started = time.perf_counter()
                answers[name] = cursor.execute(ours.ONE_MOMENT, (chosen, as_of)).fetchall()
                if call >= ours.WARM_UP:
                    taken[name].append(time.perf_counter() - started)
            _equal(answers, f"at {as_of}")
    finally:
        for connection in connections.values():
            connection.close()
    return taken


def _training_sets(urls: dict[str, str], pairs: data.Pairs) -> Both:
    count = len(pairs.symbols)
    taken: Both = {name: [] for name in urls}
    for url in urls.values():
        ours.store(url, pairs)
    connections = {name: psycopg.connect(url, autocommit=True) for name, url in urls.items()}
    try:
        for turn in range(PAIRS_IN_SERVER + 1):
            answers: dict[str, Any] = {}
            for name in list(urls)[:: 1 if turn % 2 else -1]:
                started = time.perf_counter()
                answers[name] = ours.in_server(connections[name], count)
                if turn > 0:
                    taken[name].append(time.perf_counter() - started)
            _equal(answers, f"{count:,} pairs")
    finally:
        for connection in connections.values():
            connection.close()
    return taken


def _equal(answers: dict[str, Any], what: str) -> None:
    if answers["before"] != answers["after"]:
        raise AssertionError(f"they answer otherwise: {what}")
