"""Replay captured files into Kafka: python -m ingest replay FILE..."""

import argparse
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from engine.settings import ENVIRONMENT, Env
from ingest.config import StreamConfig
from ingest.errors import IngestError
from ingest.kinds import BAR
from ingest.replay import check
from ingest.replay import mapping as mappings
from ingest.replay.files import expanded, merged
from ingest.replay.mapper import Originals, Unmappable, mapper
from ingest.replay.mapping import Mapping
from ingest.replay.sources import BATCH_ROWS, DamagedFile, Row, Source, open_source
from ingest.signals import told
from ingest.texts import plain
from ingest.wire.producer import FILE, Headers, TickProducer, whose
from ingest.wire.registry import schemas

PROGRESS_S = 0.1
# rows in memory of all files together, whatever their number
HELD_ROWS = 400_000
FEWEST_ROWS = 100
PEEKED_ROWS = 1_000


class ReplayError(IngestError):
    """A replay could not be finished; the text says which file, where and what to do."""


@dataclass
class Capture:
    """One file of a replay, and how its rows fared."""

    source: Source
    mapping: Mapping
    read: int = 0
    sent: int = 0
    unmappable: int = 0
    first_unmappable: str = ""
    damage: DamagedFile | None = None
    done: float = 0.0
    unknown: Counter[str] = field(default_factory=Counter)

    @cached_property
    def name(self) -> str:
        """What its dead letters call it: the file's name."""
        return plain(self.source.path.name)

    @cached_property
    def mark(self) -> Headers:
        """The headers of its messages."""
        return [(FILE, self.name)]

    def so_far(self) -> str:
        """What had been sent when Ctrl-C came."""
        return f"{self.sent:,} {self.mapping.kind}s of {self.source.path.name} sent by then"

    def line(self) -> str:
        """What became of the file's rows."""
        left_out = self.read - self.sent - self.unmappable
        told = [f"{self.sent:,} {self.mapping.kind}s of {self.source.path.name} sent"]
        if left_out:
            told.append(f"{left_out:,} other rows left out by the mapping")
        if self.unmappable:
            told.append(
                f"{self.unmappable:,} unmappable rows dead-lettered, first: {self.first_unmappable}"
            )
        return "; ".join(told)


def main(
    argv: list[str],
    env: Env = ENVIRONMENT,
    database_url: Callable[[], str | None] = lambda: None,
) -> int:
    """Send the files' rows to Kafka; returns 0, raises IngestError with the remedy.

    database_url: of a database that knows the tenants and symbols; None: there is none.
    """
    options = _options(argv)
    captures = _captures(options.files, options.map, options.symbol)
    config = StreamConfig.from_env(env)
    unread: frozenset[str] | None = None
    if not options.anyway:
        unread = check.check(captures, options.tenant, options.symbol, config, database_url)
    began = time.monotonic()
    registry = schemas(config.schema_registry_url)
    with (
        TickProducer(
            config.kafka_bootstrap, config.topics, config.partitions, registry
        ) as producer,
        told(producer.flush, lambda: [one.so_far() for one in captures]),
    ):
        replay(captures, producer, options.tenant, options.symbol, options.speed, unread)
    took = time.monotonic() - began
    sent = sum(capture.sent for capture in captures)
    for capture in captures:
        print(capture.line())
    late = sum((capture.unknown for capture in captures), Counter())
    if late:
        print(f"{late.total():,} rows behind those that were checked become dead letters:")
        of_bars = {s for one in captures if one.mapping.shape is BAR for s in one.unknown}
        print(check.unknown_symbols(late, of_bars))
    print(f"replayed {sent:,} rows in {took:.1f} s: {sent / took:,.0f} rows/s")
    if sent:
        print("`python -m ingest run --until-end` stores them, and says what waits for a backfill")
    damages = [str(capture.damage) for capture in captures if capture.damage]
    if damages:
        raise ReplayError("\n".join(damages))
    if not sent:
        raise ReplayError(
            "not one row became a tick: check the mapping's columns, units and filter, "
            "or let `python -m ingest inspect` write it; docs/replay.md describes it"
        )
    return 0


def _captures(names: list[str], map_file: Path | None, symbol: str | None) -> list[Capture]:
    """Open all files with their mappings; raises IngestError for what cannot be replayed."""
    chosen = mappings.load(map_file) if map_file else None
    known = [] if chosen else mappings.bundled()
    paths = expanded(names)
    batch_rows = max(FEWEST_ROWS, min(BATCH_ROWS, HELD_ROWS // len(paths)))
    captures = []
    for path in paths:
        mapping = chosen or mappings.choose(_existing(path), known)
        source = open_source(path, mapping.format, mapping.dialect, batch_rows)
        mapping.check(source, symbol)
        if why := mapping.unsent():
            raise ReplayError(f"{path}, by the mapping {mapping.name}: {why}")
        captures.append(Capture(source, mapping))
    return captures


def replay(
    captures: list[Capture],
    producer: TickProducer,
    tenant_id: int,
    symbol: str | None,
    speed: float,
    known: frozenset[str] | None = None,
) -> None:
    """Send the rows of all files in the order of known_at, counted in their captures.

    speed is a multiple of real time, infinite for as fast as possible. known: symbols outside of
    which rows are counted as unknown.
    """
    originals = {capture.mapping.name: Originals() for capture in captures}
    several = len(captures) > 1
    records: Iterator[Item] = merged(
        (
            (
                _begins(capture, tenant_id, symbol) if several else 0,
                partial(_records, capture, producer, tenant_id, symbol, originals),
            )
            for capture in captures
        ),
        key=lambda item: item[0],
    )
    if math.isfinite(speed):
        records = paced(records, speed)
    with _progress() as progress:
        tasks = [
            (capture, progress.add_task(capture.source.path.name, total=1.0))
            for capture in captures
        ]
        due = 0.0
        for _, capture, record in records:
            producer.send(capture.mapping.kind, record, capture.mark)
            capture.sent += 1
            if known is not None and record["symbol"] not in known:
                capture.unknown[record["symbol"]] += 1
            if time.monotonic() >= due:
                due = time.monotonic() + PROGRESS_S
                for one, task in tasks:
                    progress.update(task, completed=one.done)
        for one, task in tasks:
            progress.update(task, completed=one.done)


Item = tuple[int, Capture, dict[str, Any]]


def _begins(capture: Capture, tenant_id: int, symbol: str | None) -> int:
    """known_at of the first row that can be read; the beginning of time where none of many can."""
    mapping = capture.mapping
    map_row = mapper(mapping, capture.source, tenant_id, symbol)
    try:
        rows = (row for batch in capture.source.batches(mapping.asked()) for row in batch.rows)
        for row in islice(rows, PEEKED_ROWS):
            try:
                record = map_row(row)
            except Unmappable:
                continue
            if record is not None:
                return int(record["known_at"])
    except DamagedFile:
        pass
    return 0


def _records(
    capture: Capture,
    producer: TickProducer,
    tenant_id: int,
    symbol: str | None,
    originals: dict[str, Originals],
) -> Iterator[Item]:
    """(known_at, capture, record) of every good row; bad ones go to the dead-letter topic."""
    mapping = capture.mapping
    map_row = mapper(mapping, capture.source, tenant_id, symbol, originals[mapping.name])
    of = whose(tenant_id, mapping.constant(capture.source.path, symbol), capture.name)
    try:
        for batch in capture.source.batches(mapping.asked()):
            for row in batch.rows:
                capture.read += 1
                try:
                    record = map_row(row)
                except Unmappable as error:
                    message = f"{capture.name}, row {capture.read}: {error}"
                    producer.reject(mapping.kind, _json(row), "unmappable", message, of)
                    capture.first_unmappable = capture.first_unmappable or message
                    capture.unmappable += 1
                    continue
                if record is not None:
                    yield record["known_at"], capture, record
            capture.done = batch.done
    except DamagedFile as error:
        capture.damage = error


def paced(records: Iterator[Item], speed: float) -> Iterator[Item]:
    """Let every record through when its knowledge time has come, `speed` times real time."""
    began = time.monotonic()
    first: int | None = None
    for item in records:
        first = item[0] if first is None else first
        ahead = (item[0] - first) / 1e6 / speed - (time.monotonic() - began)
        if ahead > 0:
            time.sleep(ahead)
        yield item


def _json(row: Row) -> bytes:
    """The row as it was read; what JSON has no word for (NaN, dates, bytes) as text."""
    plain = {
        name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }
    return json.dumps(plain, default=str, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _progress() -> Progress:
    console = Console(file=sys.stderr)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def _existing(path: Path) -> Path:
    if not path.exists():
        raise ReplayError(f"{path} does not exist; check the name")
    return path


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ingest replay", description=__doc__)
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="DBN, CSV, JSON lines or Parquet, also compressed; folders and patterns",
    )
    parser.add_argument("--map", type=Path, help="mapping; without it the file's name chooses")
    parser.add_argument("--tenant", type=int, default=1, help="tenant_id of the rows (default 1)")
    parser.add_argument("--symbol", help="symbol of all rows, instead of the mapping's")
    parser.add_argument(
        "--anyway", action="store_true", help="send also what ingest would refuse as things are"
    )
    parser.add_argument(
        "--speed",
        type=_speed,
        default=math.inf,
        help="`max` (default) or a multiple of real time by known_at: 1.0, 10",
    )
    return parser.parse_args(argv)


def _speed(text: str) -> float:
    try:
        speed = math.inf if text == "max" else float(text)
    except ValueError:
        speed = math.nan
    if not speed > 0:
        raise argparse.ArgumentTypeError(f"{text!r}: say max or a number above zero")
    return speed
