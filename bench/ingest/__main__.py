"""Run the benchmark: python -m bench.ingest [--trades N --rate N]. See --help for the rest."""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from bench import report
from bench.ingest import floor, load, peer, runs, stages
from bench.pit.data import prepare
from bench.report import Figure
from bench.server import database, say, server
from bench.timing import percentile
from embedded.errors import UserError
from engine.errors import EngineUnsuitable
from engine.settings import ENVIRONMENT, text

PEER_SHARE = 5


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; returns 1 with a message for any UserError."""
    parser = argparse.ArgumentParser(prog="python -m bench.ingest", description=__doc__)
    parser.add_argument("--trades", type=int, default=1_000_000, help="length of the backlog")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each kind")
    parser.add_argument("--rate", type=int, default=20_000, help="trades a second, for latency")
    parser.add_argument("--seconds", type=float, default=30, help="how long at that rate")
    parser.add_argument("--no-peer", action="store_true", help="without Quix Streams")
    options = parser.parse_args(arguments)
    try:
        run(options, server())
    except UserError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


@contextmanager
def broker() -> Iterator[tuple[str, str]]:
    """Yield host:port and a description: KAFKA_BOOTSTRAP's, or an Apache Kafka of its own."""
    given = text(ENVIRONMENT, "KAFKA_BOOTSTRAP")
    if given:
        yield given, "given by KAFKA_BOOTSTRAP"
        return
    from embedded.jvm import kafka

    missing = kafka.missing()
    if missing:
        raise EngineUnsuitable(f"{missing}: install it, or set KAFKA_BOOTSTRAP to a broker")
    with tempfile.TemporaryDirectory(prefix="bench-ingest-") as directory:
        service = kafka.start(Path(directory) / "kafka")
        try:
            yield service.bootstrap, "Apache Kafka 4.1 (KRaft), one node on this machine"
        finally:
            kafka.stop(service)


def run(options: argparse.Namespace, server_url: str) -> None:
    """Everything on one broker and one database, emptied between the runs."""
    facts = report.machine(
        server_url, {name: version(name) for name in ("confluent-kafka", "quixstreams")}
    )
    with broker() as (bootstrap, kind), database(server_url, "bench_ingest") as (url, _):
        facts["broker"] = f"{kind}, {load.PARTITIONS} partitions"
        facts["backlog"] = f"{options.trades:,} trades of {load.SYMBOLS} symbols, Avro, lz4"
        say("schema, seeds, models")
        prepare(url, load.SYMBOLS)
        say(f"sending {options.trades:,} trades")
        load.send_backlog(bootstrap, "backlog", options.trades)
        figures = throughput(options, url, bootstrap)
        figures += profile(options, url, bootstrap)
        waited, rate = latency(options, url, bootstrap)
        group = f"event to commit at {rate:,.0f} trades/s for {options.seconds:.0f} s"
        figures += [Figure(group, f"ours, p{p}", percentile(waited, p)) for p in (50, 99)]
        figures.append(Figure(group, "ours, max", max(waited)))
    plot = report.write(f"ingest/{options.trades}", figures, facts, {})
    print(report.text(figures, facts))
    print(f"plot: {plot}")


def throughput(options: argparse.Namespace, url: str, bootstrap: str) -> list[Figure]:
    """Ours and the others, taking turns so that the machine's moods meet all of them."""
    rates: dict[str, list[float]] = {}
    notes: dict[str, str] = {}
    batches = floor.render(options.trades)
    upsert = "COPY + INSERT ON CONFLICT alone, no Kafka"
    share = options.trades // PEER_SHARE
    peers = {} if options.no_peer else {s: f"{w}, {share:,} trades" for s, w in peer.SINKS.items()}
    for turn in range(1, options.repeats + 1):
        say(f"throughput, turn {turn} of {options.repeats}")
        for processes, what in ((1, "ours, 1 process"), (2, "ours, 2 processes")):
            runs.clear(url)
            result = runs.drain(url, bootstrap, "backlog", options.trades, processes)
            rates.setdefault(what, []).append(result.per_s)
            notes[what] = (
                f"; the last with start-up {result.per_s_with_start:,.0f}, "
                f"{result.peak_mib:,.0f} MiB at most"
            )
        for what, straight in ((upsert, False), ("COPY straight alone, no Kafka", True)):
            runs.clear(url)
            rates.setdefault(what, []).append(floor.insert(url, batches, straight=straight))
        for sink, what in peers.items():
            peer.create_table(url)
            rate = peer.drain(url, bootstrap, load.topics("backlog")["trade"], share, sink)
            rates.setdefault(what, []).append(rate)
    group = f"committed trades a second with unique keys, median of {options.repeats}"
    figures = []
    for what, found in rates.items():
        note = f"{min(found):,.0f} to {max(found):,.0f}{notes.get(what, '')}"
        figures.append(Figure(group, what, statistics.median(found), "/s", note))
    ours = statistics.median(rates["ours, 1 process"])
    against = "ours, 1 process, against"
    return figures + [
        Figure(against, what, ours / statistics.median(rates[what]), "x")
        for what in (upsert, *peers.values())
    ]


def profile(options: argparse.Namespace, url: str, bootstrap: str) -> list[Figure]:
    """Where the time goes, stage after stage."""
    figures = []
    for copies in (True, False):
        say("stages")
        runs.clear(url)
        spent = stages.measure(url, bootstrap, "backlog", options.trades, copies=copies)
        how = "new trades are copied" if copies else "all are applied, as where a stream repeats"
        group = f"stages one after another, {how}"
        figures += [Figure(group, what, each * 1000, "ns") for what, each in spent.items()]
    return figures


def latency(options: argparse.Namespace, url: str, bootstrap: str) -> tuple[list[float], float]:
    """Event-to-commit latencies in seconds, and the rate that was reached."""
    say(f"latency at {options.rate:,} trades/s")
    runs.clear(url)
    return runs.latencies(url, bootstrap, "live", options.rate, options.seconds)


if __name__ == "__main__":
    sys.exit(main())
