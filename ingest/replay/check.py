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
from ingest.kinds import Record
from ingest.reference import read_known
from ingest.replay.mapping import Mapping, Unmappable, mapper
from ingest.replay.sources import DamagedFile, Ragged, Row, Source
from ingest.validate import Known, validate

SAMPLE = 1000
SAMPLED_ROWS = 20_000
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
) -> None:
    """Raise CheckError where ingest would refuse all ticks of the tenant, a symbol or a file.

    database_url: as for replay.main. Without a database that answers only units are looked at.
    """
    known = _known(database_url)
    faults = []
    if known is not None:
        if tenant_id not in known.tenants:
            faults.append(
                f"there is no tenant {tenant_id}, only {_list(sorted(known.tenants))}: add it with "
                f'make tenant ARGS="set {tenant_id} --name NAME", or say another --tenant'
            )
        faults += _unknown_symbols(files, symbol, known)
    for file in files:
        faults += _refused_sample(file, tenant_id, symbol, known, config.future_tolerance_s)
    if faults:
        raise CheckError("\n".join([*faults, "nothing was sent; --anyway sends it all the same"]))


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


def _unknown_symbols(files: Sequence[File], symbol: str | None, known: Known) -> list[str]:
    """One fault for the symbols that the database does not know, with a line for each."""
    unknown: Counter[str] = Counter()
    of: dict[str, Mapping] = {}
    for file in files:
        for named, rows in _symbols(file, symbol).items():
            if named not in known.symbols:
                unknown[named] += rows
                of.setdefault(named, file.mapping)
    if not unknown:
        return []
    names = _list([texts.quoted(name) for name, _ in unknown.most_common()])
    lines = "\n".join(map(instrument_line, sorted(unknown)))
    return [
        f"no instrument is called {names}. Add to seeds/instrument.csv, with the true venue, asset "
        f"class, currency, calendar and tick size, and run make migrate:\n{lines}"
    ]


def _symbols(file: File, symbol: str | None) -> Counter[str]:
    """The symbols of a file's rows, and of how many; a constant one without reading any."""
    mapping = file.mapping
    constant = symbol or mapping.symbol
    if constant:
        return Counter([constant])
    column, wanted = mapping.columns["symbol"], [*mapping.filter.items()]
    found: Counter[str] = Counter()
    for row in _rows(file.source, [column, *mapping.filter]):
        if isinstance(row, Ragged) or any(str(row[name]) != value for name, value in wanted):
            continue
        value = row[column]
        if value is not None and 0 < len(str(value).strip()) <= texts.MOST:
            found[str(value)] += 1
    return found


def _refused_sample(
    file: File, tenant_id: int, symbol: str | None, known: Known | None, tolerance_s: float
) -> list[str]:
    """A fault where not one of the first rows would count; a tenant and a symbol are let pass."""
    map_row = mapper(file.mapping, file.source, tenant_id, symbol)
    refused: Counter[str] = Counter()
    example: dict[str, str] = {}
    for record in islice(_records(file, map_row), SAMPLE):
        named = Known(
            frozenset({tenant_id}),
            frozenset({record["symbol"]}),
            known.signed if known else frozenset({record["symbol"]}),
        )
        now_us = time.time_ns() // 1000
        refusal = validate(file.mapping.kind, record, named, now_us, int(tolerance_s * 1_000_000))
        if refusal is None:
            return []
        refused[refusal.reason] += 1
        example.setdefault(refusal.reason, refusal.message)
    if not refused:
        return []
    reason = refused.most_common(1)[0][0]
    return [
        f"{file.source.path.name}: not one of its first {refused.total():,} ticks would count, "
        f"most as {reason}: {example[reason]}. Check time_unit, price_scale and [columns] of the "
        f"mapping {file.mapping.name}"
    ]


def _records(file: File, map_row: Callable[[Row], Record | None]) -> Iterator[Record]:
    for row in islice(_rows(file.source, file.mapping.wanted()), SAMPLED_ROWS):
        try:
            record = map_row(row)
        except Unmappable:
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


def instrument_line(symbol: str) -> str:
    """Return a line for seeds/instrument.csv: it loads as it is, and wants the true values."""
    out = StringIO()
    values = (symbol, symbol, "UNKNOWN", "future", "USD", "crypto_24x7", "0.01", "false")
    csv.writer(out, lineterminator="").writerow(values)
    return out.getvalue()


def _list(names: Sequence[object]) -> str:
    shown = ", ".join(map(str, names[:MOST_SHOWN]))
    more = len(names) - MOST_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
