"""Before a file is sent: whether its tenant and symbols are known, and its units right."""

from __future__ import annotations

import csv
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from io import StringIO
from itertools import islice
from typing import Protocol

from embedded.errors import UserError
from ingest import texts
from ingest.config import StreamConfig
from ingest.database import Database
from ingest.errors import IngestError
from ingest.kinds import TRADE, Record
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
    known = _known(database_url)
    faults: list[str] = []
    complete = True
    if known is not None:
        if tenant_id not in known.tenants:
            faults.append(
                f"there is no tenant {tenant_id}, only {_list(sorted(known.tenants))}: add it with "
                f'make tenant ARGS="set {tenant_id} --name NAME", or say another --tenant'
            )
        unknown, complete = _unknown(files, symbol, known)
        if unknown:
            faults.append(unknown_symbols(unknown))
    for file in files:
        faults += _refused_sample(file, tenant_id, symbol, known, config.future_tolerance_s)
    if faults:
        raise CheckError("\n".join([*faults, "nothing was sent; --anyway sends it all the same"]))
    return None if known is None or complete else known.symbols


def _known(database_url: Callable[[], str | None]) -> Known | None:
    """What the database knows; None, with a word on stderr, where there is none to ask."""
    try:
        url = database_url()
        if url is None:
            said = "no database runs here, and DATABASE_URL names none"
        else:
            with closing(Database(url, retry_s=0)) as database:
                return read_known(database)
    except UserError as error:
        said = str(error)
    print(f"tenant and symbols are not checked before they are sent: {said}", file=sys.stderr)
    return None


def _unknown(files: Sequence[File], symbol: str | None, known: Known) -> tuple[Counter[str], bool]:
    """The symbols that the database does not know, of how many rows; whether all were looked at."""
    unknown: Counter[str] = Counter()
    complete = True
    most = max(SAMPLE, CHECKED_ROWS // len(files))
    for file in files:
        found, whole = _symbols(file, symbol, most)
        complete = complete and whole
        unknown.update({name: n for name, n in found.items() if name not in known.symbols})
    return unknown, complete


def unknown_symbols(unknown: Counter[str]) -> str:
    """Say which symbols the database does not know, with a line for each."""
    names = _list([texts.quoted(name) for name, _ in unknown.most_common()])
    lines = "\n".join(map(instrument_line, sorted(unknown)))
    return (
        f"no instrument is called {names}. Add to seeds/instrument.csv, with the true venue, asset "
        "class, currency, calendar and tick size, and at the end whether bars are made of trade or "
        f"quote, and run make migrate:\n{lines}"
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
    if fault := _bars(file):
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
    if not file.mapping.names:
        return None  # a header says what they are: Mapping.check
    rows = [*islice(_rows(file.source, [*file.source.columns]), SAMPLE)]
    bars = bar_columns(file.source.columns, rows)
    for role in file.mapping.shape.prices:
        if (column := columns.get(role)) in bars:
            return (
                f"{file.source.path.name} holds bars in its columns {', '.join(bars)}, of which "
                f"{column} is no {role}: {BAR_IS_NO_TICK}"
            )
    return None


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

    bars_from: trade or quote, what its bars are made of.
    """
    out = StringIO()
    values = (symbol, symbol, "UNKNOWN", "future", "USD", "crypto_24x7", tick_size, "false")
    csv.writer(out, lineterminator="").writerow([*values, bars_from])
    return out.getvalue()


def _list(names: Sequence[object]) -> str:
    shown = ", ".join(map(str, names[:MOST_SHOWN]))
    more = len(names) - MOST_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
