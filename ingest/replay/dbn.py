"""Databento Binary Encoding as rows; needs the databento extra."""

import io
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import databento_dbn

from ingest.replay.containers import opened

CHUNK_BYTES = 1 << 18
DAY_NS = 86_400_000_000_000
UNDEFINED = {databento_dbn.UNDEF_PRICE, databento_dbn.UNDEF_TIMESTAMP}
# a record's own numbers, not venue data: columns nobody maps, but all that such a record has
SERVICE = (databento_dbn.SystemMsg, databento_dbn.SymbolMappingMsg, databento_dbn.ErrorMsg)


class Incomplete(Exception):
    """The file ends within a record."""


def columns(path: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """Columns of the file's first records, `symbol` (by the file's symbology) first.

    And what its metadata say: schema, dataset, symbols.
    """
    with opened(path) as file:
        for metadata, _, records in _records(file.stream):
            for record in records:
                if not isinstance(record, SERVICE):
                    said = {"schema": str(metadata.schema), "dataset": str(metadata.dataset)}
                    return ("symbol", *_fields(type(record))), said
    return (), {}


def rows(raw: io.BufferedIOBase, wanted: list[str]) -> Iterator[list[dict[str, Any]]]:
    """Rows of the wanted columns; enumerations as their letter, undefined values as None.

    Raises Incomplete or DBNError after the last good record.
    """
    names = [name for name in wanted if name != "symbol"]
    # service messages of a live capture lack the columns: they are no rows
    complete: dict[type, bool] = {}
    for _, symbol, records in _records(raw):
        batch = []
        for record in records:
            kind = type(record)
            if kind not in complete:
                complete[kind] = all(hasattr(kind, name) for name in names)
            if complete[kind]:
                row = {name: _plain(getattr(record, name)) for name in names}
                row["symbol"] = symbol(record.instrument_id, record.ts_index)
                batch.append(row)
        yield batch


def _plain(value: Any) -> Any:
    if isinstance(value, int):
        return None if value in UNDEFINED else value
    return value if isinstance(value, float) else str(value)


def _fields(kind: type) -> list[str]:
    return [name for name in dir(kind) if not name.startswith(("_", "pretty_", "size_hint"))]


Symbology = Callable[[int, int], str | None]


def _records(raw: io.BufferedIOBase) -> Iterator[tuple[Any, Symbology, list[Any]]]:
    decoder = databento_dbn.DBNDecoder()
    metadata: Any = None
    symbol: Symbology = symbology({})
    while chunk := raw.read1(CHUNK_BYTES):
        held = decoder.buffer()
        damage: Exception | None = None
        try:
            decoder.write(chunk)
            records = decoder.decode()
        except databento_dbn.DBNError as error:
            if metadata is None:
                raise
            damage = error
            records = _one_by_one(held + chunk, metadata)
        if records and isinstance(records[0], databento_dbn.Metadata):
            metadata = records.pop(0)
            symbol = symbology(metadata.mappings)
        yield metadata, symbol, records
        if damage is not None:
            raise damage
    if metadata is None or decoder.buffer():
        raise Incomplete("the file ends within a record")


def _one_by_one(data: bytes, metadata: Any) -> list[Any]:
    """The good records before a broken one: the decoder drops them when it meets it."""
    decoder = databento_dbn.DBNDecoder(
        has_metadata=False, ts_out=metadata.ts_out, input_version=metadata.version
    )
    good: list[Any] = []
    at = 0
    while at < len(data):
        length = data[at] * 4  # a record begins with its length in 32-bit words
        try:
            decoder.write(data[at : at + length])
            good += decoder.decode()
        except databento_dbn.DBNError:
            break
        if length == 0:
            break
        at += length
    return good


def symbology(mappings: dict[str, list[dict[str, Any]]]) -> Symbology:
    """symbol(instrument_id, ts in ns) from a file's metadata; None where it says nothing."""
    spans: dict[int, list[tuple[int, int, str]]] = {}
    epoch = date(1970, 1, 1)
    for symbol, intervals in mappings.items():
        for span in intervals:
            if str(span["symbol"]).isdigit():
                begins = (span["start_date"] - epoch).days * DAY_NS
                ends = (span["end_date"] - epoch).days * DAY_NS
                spans.setdefault(int(span["symbol"]), []).append((begins, ends, symbol))

    def symbol_at(instrument_id: int, ts: int) -> str | None:
        for begins, ends, name in spans.get(instrument_id, ()):
            if begins <= ts < ends:
                return name
        return None

    return symbol_at
