"""Run the benchmark: python -m bench.pit [--rows N --symbols N]. See --help for the rest."""

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import psycopg
from psycopg.conninfo import make_conninfo

from bench import report
from bench.pit import data, ours, peers, publish, upgraded
from bench.report import Figure
from bench.server import database, say, server
from bench.timing import median, percentile, timed
from embedded.errors import UserError

LATER = timedelta(hours=3)
PEERS = ("feast", "duckdb", "polars", "psycopg", "pyarrow", "adbc-driver-postgresql")
Samples = dict[str, list[float]]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; returns 1 with a message for any UserError."""
    parser = argparse.ArgumentParser(prog="python -m bench.pit", description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000, help="versions in the log")
    parser.add_argument("--symbols", type=int, default=100)
    parser.add_argument("--calls", type=int, default=1000, help="single reads of each kind")
    parser.add_argument("--pairs", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--only", choices=("read", "publish"), help="one half of it")
    parser.add_argument("--history", type=int, nargs="+", default=[1, 30], help="days, publish")
    parser.add_argument("--publish-symbols", type=int, nargs="+", default=[10, 1000])
    parser.add_argument("--minutes", type=int, default=10, help="consecutive publishes")
    parser.add_argument("--feast-pairs", type=int, default=10_000, help="largest set given to it")
    parser.add_argument("--feast-limit", type=float, default=300, help="seconds a Feast query may")
    parser.add_argument("--keep", action="store_true", help="keep the filled log for the next run")
    parser.add_argument(
        "--before",
        metavar="DATABASE",
        help="only compare with an earlier release: the database of the server that its"
        " --keep left (rename it), copied and upgraded, and both asked in turn",
    )
    options = parser.parse_args(arguments)
    try:
        run(options, server())
    except UserError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


def run(options: argparse.Namespace, url: str) -> None:
    """Both halves, each on databases of its own that are dropped afterwards."""
    facts = report.machine(url, {name: version(name) for name in PEERS})
    samples: Samples = {}
    figures: list[Figure] = []
    name = f"{options.rows}x{options.symbols}" if options.only != "publish" else "publish"
    if options.before:
        name = f"before-{name}"
        facts["log"] = _size(make_conninfo(url, dbname=options.before))
        figures += upgraded.figures(
            url, options.before, options.rows, options.symbols, options.calls, options.pairs
        )
    else:
        if options.only != "publish":
            figures += read(options, url, facts, samples)
        if options.only != "read":
            figures += publishes(options, url, samples)
    plot = report.write(f"pit/{name}", figures, facts, samples)
    print(report.text(figures, facts))
    print(f"plot: {plot}")


def read(
    options: argparse.Namespace, server_url: str, facts: dict[str, str], samples: Samples
) -> list[Figure]:
    """Point-in-time reads, ours and the peers'."""
    figures: list[Figure] = []
    since = data.start(options.rows, options.symbols)
    name = f"bench_pit_{data.END:%Y_%m}_{options.rows}x{options.symbols}"
    with database(server_url, name, options.keep) as (url, is_new):
        if is_new:
            say("schema, seeds, models")
            data.prepare(url, options.symbols)
            say(f"filling feature.log from {since:%Y-%m-%d %H:%M} to {data.END:%Y-%m-%d}")
            data.fill(url, since)
        facts["log"] = _size(url)
        figures += _latencies(options, url, since, samples)
        with tempfile.TemporaryDirectory(prefix="bench-pit-") as directory:
            path = Path(directory) / "log.parquet"
            say("exporting the log to Parquet")
            facts["parquet"] = f"{peers.export(url, path):,.0f} MB"
            for count in options.pairs:
                pairs = data.random_pairs(count, options.symbols, since)
                figures += _training_set(options, url, path, pairs, samples)
    return figures


def _size(url: str) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "select count(*), count(distinct symbol), min(bucket), max(bucket),"
            " count(*) filter (where cause <> 'close'), pg_size_pretty(hypertable_size("
            "'feature.log')), (select count(*) from show_chunks('feature.log')) from feature.log"
        ).fetchone()
    if row is None:
        raise AssertionError("no answer")
    return (
        f"{row[0]:,} versions of {row[1]:,} symbols' one-minute bars, {row[2]:%Y-%m-%d} to "
        f"{row[3]:%Y-%m-%d}, {row[4]:,} of them second versions; {row[5]} in {row[6]} chunks, "
        "row store, one tenant, around the clock"
    )


def _latencies(
    options: argparse.Namespace, url: str, since: datetime, samples: Samples
) -> list[Figure]:
    figures = []
    group = f"one moment, {options.calls:,} calls one after another on one connection"
    for asked in (1, min(100, options.symbols)):
        say(f"single reads, {asked} symbols")
        seconds = ours.latencies(url, options.symbols, asked, since, options.calls)
        samples[f"one moment, {asked}"] = seconds
        name = f"ours, {asked} symbol{'s' if asked > 1 else ''}"
        figures += [
            Figure(group, f"{name}, p50", percentile(seconds, 50)),
            Figure(group, f"{name}, p99", percentile(seconds, 99)),
        ]
    return figures


def _training_set(
    options: argparse.Namespace, url: str, path: Path, pairs: data.Pairs, samples: Samples
) -> list[Figure]:
    """One set of pairs by everybody; the first figures are like with like."""
    count = len(pairs.symbols)
    group = f"training set of {count:,} pairs (median of up to 5 warm runs)"
    figures: list[Figure] = []

    def add(what: str, seconds: list[float], note: str = "") -> float:
        samples[f"{count}: {what}"] = seconds
        figures.append(Figure(group, what, median(seconds), note=note))
        return median(seconds)

    say(f"{count:,} pairs: ours")
    ours.store(url, pairs)
    with psycopg.connect(url, autocommit=True) as connection:
        seconds, total = timed(lambda: ours.in_server(connection, count))
        in_server = add("ours, count and sum in the server", seconds)
        seconds, _ = timed(lambda: ours.as_table(connection, count))
        add("ours, kept as a table in the server", seconds)
        seconds, answer = timed(lambda: ours.as_rows(connection, pairs))
        as_rows = add("ours, pairs sent, all rows to Python tuples", seconds)
    with adbc.connect(url) as arrow, adbc.connect(url) as other:
        seconds, whole = timed(lambda: ours.as_arrow(arrow, count))
        as_arrow = add("ours, all rows to Arrow (ADBC)", seconds)
        seconds, parts = timed(lambda: ours.as_arrow_parts([arrow, other], count))
        add("ours, all rows to Arrow, on 2 connections", seconds)
        if not parts.equals(whole):
            raise AssertionError("parts of the pairs are answered otherwise than all of them")

    say(f"{count:,} pairs: DuckDB")
    duck = peers.Duck(path, pairs)
    compared: list[Figure] = []
    against = f"compared, {count:,} pairs"
    duck.load()
    for what, query, note in (
        ("ASOF event time only", peers.EVENT_TIME, "leaks what became known later"),
        ("ASOF on known_at", peers.KNOWN_AT, "old bar after its correction"),
        ("ASOF on known_at of latest bars", peers.LATEST_KNOWN, "right while known_as_of = as_of"),
        ("on three minutes", peers.GRID.format(log="log"), "where the bar is no older"),
        ("on three minutes of its own table", peers.GRID.format(log="stored"), "loaded before"),
    ):
        seconds, summed = timed(lambda query=query: duck.as_sum(query))  # type: ignore[misc]
        duck_sum = add(f"DuckDB {what}, count and sum", seconds, note)
        seconds, table = timed(lambda query=query: duck.as_arrow(query))  # type: ignore[misc]
        duck_arrow = add(f"DuckDB {what}, all rows to Arrow", seconds, note)
        rows = zip(*(table[c].to_pylist() for c in ("place", "known_at", "close")), strict=True)
        theirs = {place: (known_at, close) for place, known_at, close in rows}
        compared.append(
            Figure(
                against,
                f"DuckDB {what}, pairs answered otherwise than ours",
                peers.differing(answer, theirs.get),
                "pairs",
                f"sum(close) {summed[1]:,.2f}, ours {total[1]:,.2f}",
            )
        )
        compared += [
            Figure(against, f"DuckDB {what} / ours: count and sum", duck_sum / in_server, "x"),
            Figure(against, f"DuckDB {what} / ours: all rows to Arrow", duck_arrow / as_arrow, "x"),
        ]

    figures += _later(url, path, replace(pairs, later=LATER), answer, samples)
    say(f"{count:,} pairs: polars")
    frame = peers.Polars(path, pairs)
    add("polars, read the Parquet file", timed(frame.read)[0])
    add("polars, sort log and pairs", timed(frame.sort)[0])
    add("polars, join_asof by event time", timed(frame.join)[0], "leaks; read and sorted before")
    return figures + _feast(options, url, pairs, answer, as_rows, group, samples) + compared


def _later(
    url: str, path: Path, pairs: data.Pairs, answer: list[tuple[Any, ...]], samples: Samples
) -> list[Figure]:
    """The same pairs, known as of some hours later: corrections count. answer: without these."""
    count = len(pairs.symbols)
    group = f"training set of {count:,} pairs, known as of {LATER} later, all rows to Arrow"
    say(f"{count:,} pairs, known as of {LATER} later")
    ours.store(url, pairs)
    with adbc.connect(url) as arrow:
        seconds, table = timed(lambda: ours.as_arrow_later(arrow, count))
    rows = [tuple(row.values()) for row in table.to_pylist()]
    corrected = sum(row[4] != first[4] for row, first in zip(rows, answer, strict=True))
    samples[f"{count}: ours, later"] = seconds
    figures = [
        Figure(group, "ours", median(seconds), note=f"{corrected} are others than as of then")
    ]
    duck = peers.Duck(path, pairs)
    duck.load()
    for what, log in (("on three minutes", "log"), ("on three minutes of its own table", "stored")):
        query = peers.GRID.format(log=log)
        seconds, table = timed(lambda query=query: duck.as_arrow(query))  # type: ignore[misc]
        samples[f"{count}: DuckDB {what}, later"] = seconds
        found = zip(*(table[c].to_pylist() for c in ("place", "known_at", "close")), strict=True)
        theirs = {place: (known_at, close) for place, known_at, close in found}
        differ = peers.differing(rows, theirs.get)
        note = f"{differ} pairs answered otherwise than ours"
        figures.append(Figure(group, f"DuckDB {what}", median(seconds), note=note))
    return figures


def _feast(
    options: argparse.Namespace,
    url: str,
    pairs: data.Pairs,
    answer: list[tuple[Any, ...]],
    as_rows: float,
    group: str,
    samples: Samples,
) -> list[Figure]:
    """Feast end to end (pairs sent, frame returned), against ours to Python tuples."""
    count = len(pairs.symbols)
    if count > options.feast_pairs:
        note = f"not run: above --feast-pairs {options.feast_pairs}"
        return [Figure(group, "Feast", None, note=note)]
    figures: list[Figure] = []
    view, table = peers.make_view(url), peers.make_table(url)
    # No answer is older than 80 s here, so that the shortest ttl gives the same ones. A market
    # that closes overnight needs at least a day, one with weekends three.
    for kind, source, minutes in (
        ("view of the log, ttl 1 day", view, 1440),
        ("view of the log, ttl 15 min", view, 15),
        ("indexed copy, ttl 15 min", table, 15),
    ):
        store = peers.FeastStore(url, source, timedelta(minutes=minutes), options.feast_limit)
        store.as_frame(data.Pairs(pairs.symbols[:100], pairs.as_of[:100]), False)
        for is_filtered in (False, True):
            what = f"Feast, {kind}, {'' if is_filtered else 'no '}filter_by_created_timestamp"
            say(f"{count:,} pairs: {what}")
            seconds, frame = timed(
                lambda s=store, f=is_filtered: s.as_frame(pairs, f),  # type: ignore[misc]
                repeats=3,
                budget_s=10,
            )
            if frame is None:
                note = f"stopped after {options.feast_limit:.0f} s or {peers.TEMP_FILE_LIMIT}"
                figures.append(Figure(group, what, None, note=note))
                continue
            samples[f"{count}: {what}"] = seconds
            keys = ["symbol", "event_timestamp"]
            if frame["event_timestamp"].dt.tz is None:  # Feast drops the zone that it was given
                frame["event_timestamp"] = frame["event_timestamp"].dt.tz_localize("UTC")
            theirs = frame.drop_duplicates(keys).set_index(keys)["close"].to_dict()
            differ = sum(row[8] != theirs.get((row[0], row[1])) for row in answer)
            note = (
                f"{median(seconds) / as_rows:,.0f} x ours to tuples; {len(frame) - count} rows too "
                f"many, {differ} answered otherwise"
            )
            figures.append(Figure(group, what, median(seconds), note=note))
    return figures


def publishes(options: argparse.Namespace, server_url: str, samples: Samples) -> list[Figure]:
    """A minute's publish for each number of symbols and length of history."""
    figures: list[Figure] = []
    group = (
        f"publish of a minute, {publish.TICKS} trades and {publish.TICKS} quotes a symbol, "
        f"{options.minutes} consecutive minutes"
    )
    for symbols in options.publish_symbols:
        for days in options.history:
            case = f"{symbols:,} symbols, {days} days of history"
            say(f"publish, {case}: filling")
            with database(server_url, f"bench_pit_publish_{os.getpid()}") as (url, _):
                data.prepare(url, symbols)
                data.fill(url, data.END - timedelta(days=days))
                say(f"publish, {case}: measuring")
                result = publish.measure(url, data.names(symbols), days, options.minutes)
            samples[f"publish, {case}"] = result.publish_s
            versions = f"{sum(result.versions):,} versions in all"
            figures += [
                Figure(group, f"ours, {case}, median", median(result.publish_s), note=versions),
                Figure(group, f"ours, {case}, max", max(result.publish_s)),
                Figure(
                    group,
                    f"ours, {case}, one trade corrected 3 h back",
                    result.correction_s,
                    note=f"{result.correction_versions} versions",
                ),
                Figure(group, f"insert of the ticks, {case}, median", median(result.insert_s)),
            ]
    return figures


if __name__ == "__main__":
    sys.exit(main())
