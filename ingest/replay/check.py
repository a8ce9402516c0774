"""Before a file is sent: whether its tenant and symbols are known, and its units right."""

from __future__ import annotations

import csv
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from io import StringIO
from itertools import islice, pairwise
from math import gcd
from typing import Protocol

import psycopg

from embedded.errors import UserError
from ingest import texts
from ingest.config import StreamConfig
from ingest.database import Database
from ingest.errors import IngestError
from ingest.kinds import BAR, MINUTE_US, QUOTE, TRADE, Record
from ingest.reference import read_known
from ingest.replay.bars import bar_columns
from ingest.replay.mapper import NoOriginal, Unmappable, keeper, mapper
from ingest.replay.mapping import BAR_IS_NO_TICK, Mapping
from ingest.replay.sources import DamagedFile, Ragged, Row, Source
from ingest.validate import Known, validate

SAMPLE = 1000
SAMPLED_ROWS = 20_000
# of all files together: a capture of gigabytes must not be read twice
CHECKED_ROWS = 1_000_000
MOST_SHOWN = 20
# so many bars of a series that all begin at a fifth minute, say, are none of one minute
MOST_CHANCE = 10


class CheckError(IngestError):
    """A replay was not begun, as ingest would refuse what it sends; the text says what to do."""


class File(Protocol):
    """What is needed of replay.Capture."""

    source: Source
    mapping: Mapping


def check(
    files: Sequence[File],
    tenant_id: int,
    symbol: str | None,
    config: StreamConfig,
    database_url: Callable[[], str | None],
) -> frozenset[str] | None:
    """Raise CheckError where ingest would refuse all ticks of the tenant, a symbol or a file.

    database_url: as for replay.main. Without a database that answers only units are looked at.
    Returns the symbols that are known where some rows were too many to be checked, else None.
    """
    known, bars_from = _known(database_url)
    faults: list[str] = []
    complete = True
    if known is not None:
        if tenant_id not in known.tenants:
            faults.append(
                f"there is no tenant {tenant_id}, only {_list(sorted(known.tenants))}: add it with "
                f'make tenant ARGS="set {tenant_id} --name NAME", or say another --tenant'
            )
        found, complete = _named(files, symbol)
        total = sum(found.values(), Counter[str]())
        if unknown := Counter({s: n for s, n in total.items() if s not in known.symbols}):
            faults.append(unknown_symbols(unknown, found[BAR.name]))
        for line in _featureless(found, bars_from):
            print(line, file=sys.stderr)
    for file in files:
        faults += _refused_sample(file, tenant_id, symbol, known, config.future_tolerance_s)
    if faults:
        raise CheckError("\n".join([*faults, "nothing was sent; --anyway sends it all the same"]))
    return None if known is None or complete else known.symbols


def _known(database_url: Callable[[], str | None]) -> tuple[Known | None, dict[str, str]]:
    """What the database knows, and what each instrument's bars are made of.

    None, with a word on stderr, where there is none to ask.
    """
    try:
        url = database_url()
        if url is None:
            said = "no database runs here, and DATABASE_URL names none"
        else:
            with closing(Database(url, retry_s=0)) as database:
                return read_known(database), database.transact(_bars_from)
    except UserError as error:
        said = str(error)
    print(f"tenant and symbols are not checked before they are sent: {said}", file=sys.stderr)
    return None, {}


def _bars_from(connection: psycopg.Connection, _: bool) -> dict[str, str]:
    return dict(connection.execute("select symbol, bars_from from market.instrument").fetchall())


def _featureless(found: dict[str, Counter[str]], bars_from: dict[str, str]) -> Iterator[str]:
    """A line for each kind of which symbols get rows that no feature is made of.

    Quotes are no such kind: where they make no bars they still make spreads.
    """
    for kind, symbols in found.items():
        others = [s for s in symbols if s in bars_from and _idle(kind, bars_from[s])]
        if others:
            there = _list(sorted({bars_from[s] for s in others}))
            yield (
                f"no feature is made of these {kind}s of {_list(others)} until bars_from is {kind} "
                f"in seeds/instrument.csv, where it is {there}: change it and run make migrate"
            )


def _idle(kind: str, bars_from: str) -> bool:
    return kind not in (QUOTE.name, bars_from) and BAR.name in (kind, bars_from)


def _named(files: Sequence[File], symbol: str | None) -> tuple[dict[str, Counter[str]], bool]:
    """By kind the symbols of the files, of how many rows; whether all rows were looked at."""
    named: dict[str, Counter[str]] = defaultdict(Counter)
    complete = True
    most = max(SAMPLE, CHECKED_ROWS // len(files))
    for file in files:
        found, whole = _symbols(file, symbol, most)
        complete = complete and whole
        named[file.mapping.kind].update(found)
    return named, complete


def unknown_symbols(unknown: Counter[str], of_bars: Collection[str] = ()) -> str:
    """Say which symbols the database does not know, with a line for each.

    of_bars: those that a vendor's bars are of.
    """
    names = _list([texts.quoted(name) for name, _ in unknown.most_common()])
    lines = "\n".join(
        instrument_line(name, bars_from=(BAR if name in of_bars else TRADE).name)
        for name in sorted(unknown)
    )
    return (
        f"no instrument is called {names}. Add to seeds/instrument.csv, with the true venue, asset "
        "class, currency, calendar and tick size, and at the end whether bars are made of trade, "
        f"quote or bar, and run make migrate:\n{lines}"
    )


def _symbols(file: File, symbol: str | None, most: int) -> tuple[Counter[str], bool]:
    """The symbols of a file's first rows, and of how many; a constant one without reading any.

    Second: whether these were all rows.
    """
    mapping = file.mapping
    constant = mapping.constant(file.source.path, symbol)
    if constant:
        return Counter([constant]), True
    column = str(mapping.columns["symbol"])
    keeps = keeper(mapping)
    found: Counter[str] = Counter()
    names = [column, *mapping.filter, *mapping.skip]
    rows = _rows(file.source, names)
    for row in islice(rows, most):
        if isinstance(row, Ragged) or not keeps(row):
            continue
        value = row[column]
        if value is not None and 0 < len(str(value).strip()) <= texts.MOST:
            found[str(value)] += 1
    return found, next(rows, None) is None


def _refused_sample(
    file: File, tenant_id: int, symbol: str | None, known: Known | None, tolerance_s: float
) -> list[str]:
    """A fault where not one of the first rows would count; a tenant and a symbol are let pass."""
    if fault := _bars(file) or _longer(file, tenant_id, symbol):
        return [fault]
    name, mapping = file.source.path.name, file.mapping
    unread: list[str] = []
    refused: Counter[str] = Counter()
    example: dict[str, str] = {}
    for record in islice(_records(file, tenant_id, symbol, unread), SAMPLE):
        named = Known(
            frozenset({tenant_id}),
            frozenset({record["symbol"]}),
            known.signed if known else frozenset({record["symbol"]}),
        )
        now_us = time.time_ns() // 1000
        refusal = validate(mapping.kind, record, named, now_us, int(tolerance_s * 1_000_000))
        if refusal is None:
            return []
        refused[refusal.reason] += 1
        example.setdefault(refusal.reason, refusal.message)
    if refused:
        reason = refused.most_common(1)[0][0]
        return [
            f"{name}: not one of its first {refused.total():,} ticks would count, most as "
            f"{reason}: {example[reason]}. Check time_unit, price_scale and [columns] of the "
            f"mapping {mapping.name}"
        ]
    if unread:
        return [
            f"not one of the first {len(unread):,} rows of {name} can be read, first: {unread[0]}. "
            f"Check the mapping {mapping.name}; `python -m ingest inspect` writes one that fits"
        ]
    return []


def _bars(file: File) -> str | None:
    """A fault where a tick's price is of four nameless columns that are open, high, low, close."""
    columns = file.mapping.columns
    # of a tick; a header says what columns are: Mapping.check
    if file.mapping.shape is BAR or not file.mapping.names:
        return None
    rows = [*islice(_rows(file.source, [*file.source.columns]), SAMPLE)]
    bars = bar_columns(file.source.columns, rows)
    for role in file.mapping.shape.prices:
        if (column := columns.get(role)) in bars:
            return (
                f"{file.source.path.name} holds bars in its columns {', '.join(bars)}, of which "
                f"{column} is no {role}: {BAR_IS_NO_TICK}"
            )
    return None


def _longer(file: File, tenant_id: int, symbol: str | None) -> str | None:
    """A fault where bars begin too far apart, or too close, for the mapping's interval.

    Longer ones would be known before they end.
    """
    if file.mapping.shape is not BAR:
        return None
    stamps: dict[str, set[int]] = defaultdict(set)
    for record in islice(_records(file, tenant_id, symbol, []), SAMPLE):
        stamps[record["symbol"]].add(record["ts"])
    apart = [b - a for those in stamps.values() for a, b in pairwise(sorted(those))]
    step = gcd(*apart)
    if step in (0, MINUTE_US) or (step % MINUTE_US == 0 and len(apart) < MOST_CHANCE):
        return None
    return (
        f"{file.source.path.name} holds bars that begin {step / 1_000_000:g} s apart, and the "
        f"mapping {file.mapping.name} says they are of {file.mapping.interval}: only bars of one "
        "minute are replayed; `python -m ingest inspect` finds out how long these are"
    )


def _records(file: File, tenant_id: int, symbol: str | None, unread: list[str]) -> Iterator[Record]:
    """The first records; unread: why rows make none, of those that cannot be read."""
    map_row = mapper(file.mapping, file.source, tenant_id, symbol)
    rows = islice(_rows(file.source, file.mapping.asked()), SAMPLED_ROWS)
    for number, row in enumerate(rows, 1):
        try:
            record = map_row(row)
        except NoOriginal:
            continue  # it may be in a file before
        except Unmappable as error:
            unread.append(f"{texts.plain(file.source.path.name)}, row {number}: {error}")
            continue
        if record is not None:
            yield record


def _rows(source: Source, columns: list[str]) -> Iterator[Row]:
    """The rows before any damage, which the replay itself reports."""
    try:
        for batch in source.batches(columns):
            yield from batch.rows
    except DamagedFile:
        return


def instrument_line(symbol: str, tick_size: str = "0.01", bars_from: str = TRADE.name) -> str:
    """Return a line for seeds/instrument.csv: it loads as it is, and wants the true values.

    bars_from: trade, quote or bar, what its bars are made of.
    """
    out = StringIO()
    values = (symbol, symbol, "UNKNOWN", "future", "USD", "crypto_24x7", tick_size, "false")
    csv.writer(out, lineterminator="").writerow([*values, bars_from])
    return out.getvalue()


def _list(names: Sequence[object]) -> str:
    shown = ", ".join(map(str, names[:MOST_SHOWN]))
    more = len(names) - MOST_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
