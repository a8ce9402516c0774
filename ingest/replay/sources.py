"""Captured files as rows: Databento DBN, CSV, JSON lines and Parquet, read in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.replay.containers import (
    UNREADABLE,
    Bytes,
    SourceError,
    checked,
    compression,
    opened,
)
from ingest.replay.textfiles import BadText, CsvRows, Dialect, JsonRows, Ragged, Row

__all__ = ["Batch", "DamagedFile", "Ragged", "Row", "Source", "SourceError", "open_source"]

# of a JSON file, whose objects need not have the same keys
LOOKED_AT = 1000
BATCH_ROWS = 20_000
PLAIN = Dialect()


class DamagedFile(SourceError):
    """A captured file is broken from some row on; the rows before it were yielded."""

    def __init__(self, path: Path, position: str, reason: object) -> None:
        """Name the file, where the damage begins, and what the reader said."""
        super().__init__(
            f"{path} is damaged or half-written: {position}: {reason}. The rows before were kept; "
            "get the file again and replay it whole, rows already ingested count as duplicates"
        )


@dataclass(frozen=True)
class Batch:
    """Consecutive rows; `done` is the fraction of the file read after them."""

    rows: list[Row]
    done: float


@dataclass(frozen=True)
class Source:
    """An open file: its columns, the unit of those that are clocks, and batches(columns).

    Rows hold at least the asked columns. batches raises DamagedFile after the last good row.
    naive: the clocks that name no zone. said: what the file says of itself, by name.
    """

    path: Path
    columns: tuple[str, ...]
    clocks: Mapping[str, Literal["us", "ns"]]
    batches: Callable[[list[str]], Iterator[Batch]]
    naive: frozenset[str] = frozenset()
    said: Mapping[str, str] | None = None


def open_source(
    path: Path, format_name: str, dialect: Dialect = PLAIN, batch_rows: int | None = None
) -> Source:
    """Open a file as `dbn`, `csv`, `json` or `parquet`; SourceError if that is impossible.

    dialect: of a text file. batch_rows: most rows of a batch.
    """
    checked(path)
    most = batch_rows or BATCH_ROWS
    if format_name == "csv":
        return _open_csv(path, dialect, most)
    if format_name == "json":
        return _open_json(path, dialect, most)
    return {"parquet": _open_parquet, "dbn": _open_dbn}[format_name](path, most)


def _open_csv(path: Path, dialect: Dialect, most: int) -> Source:
    try:
        with opened(path) as file:
            header = CsvRows(file.stream, dialect).header
    except (BadText, *UNREADABLE) as error:
        raise SourceError(f"{path} is not a CSV file{_hint(path)}: {_said(error)}") from None
    if not any(header):
        raise SourceError(
            f"{path} has no header; its first line must name the columns, or `names` of the mapping"
        )
    if len(set(header)) != len(header):
        raise SourceError(
            f"{path} names a column twice: {', '.join(header)}; rename one, or, where this is no "
            "header, name them with `names`: `python -m ingest inspect` writes such a mapping"
        )

    def batches(_columns: list[str]) -> Iterator[Batch]:
        yield from _text_batches(path, lambda file: CsvRows(file.stream, dialect), most)

    return Source(path, tuple(header), {}, batches)


def _open_json(path: Path, dialect: Dialect, most: int) -> Source:
    columns: dict[str, None] = {}
    try:
        with opened(path) as file:
            for row in islice(JsonRows(file.stream, dialect), LOOKED_AT):
                columns.update(dict.fromkeys(row))
    except (BadText, *UNREADABLE) as error:
        if not columns:
            raise SourceError(f"{path} is no file of JSON lines: {_said(error)}") from None
    if not columns:
        raise SourceError(f"{path} has no objects; get the file again")

    def batches(wanted: list[str]) -> Iterator[Batch]:
        for batch in _text_batches(path, lambda file: JsonRows(file.stream, dialect), most):
            for row in batch.rows:
                for name in wanted:
                    row.setdefault(name, None)
            yield batch

    return Source(path, tuple(columns), {}, batches)


def _text_batches(
    path: Path, rows_of: Callable[[Bytes], CsvRows | JsonRows], most: int
) -> Iterator[Batch]:
    rows: list[Row] = []
    number, line = 0, 0
    damage: BaseException | None = None
    try:
        with opened(path) as file:
            found = rows_of(file)
            try:
                for row in found:
                    number += 1
                    rows.append(row)
                    if len(rows) >= most:
                        yield Batch(rows, file.done)
                        rows = []
            finally:
                line = found.line
    except (BadText, *UNREADABLE) as error:
        damage = error
    yield Batch(rows, 1.0)
    if damage is not None:
        raise DamagedFile(path, f"row {number + 1:,}, line {line:,}", _said(damage))


def _said(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _hint(path: Path) -> str:
    """What the bytes are, where that explains that they are no text."""
    with path.open("rb") as raw:
        head = raw.read(4)
    known = {b"PAR1": " but Parquet", b"DBN\x01": " but DBN", b"DBN\x02": " but DBN"}
    return known.get(head, "")


def _open_parquet(path: Path, most: int) -> Source:
    if compression(path):
        raise SourceError(
            f"{path} is a compressed file; Parquet is compressed within: unpack it, "
            "or give a mapping of its true format with --map"
        )
    try:
        with pq.ParquetFile(path) as file:
            schema, total = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SourceError(
            f"{path} is not a complete Parquet file: {error} The list of columns is at its end, so "
            "a half-written file has no readable row: write or download it again, or give a "
            "mapping of its true format with --map"
        ) from None
    clocks = {
        field.name: _unit(field.type) for field in schema if pa.types.is_timestamp(field.type)
    }
    naive = frozenset(name for name in clocks if schema.field(name).type.tz is None)

    def batches(columns: list[str]) -> Iterator[Batch]:
        number = 0
        there = [name for name in columns if name in schema.names]
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(most, columns=there):
                    rows = pa.table(
                        {name: _plain(batch.column(name)) for name in batch.schema.names}
                    ).to_pylist()
                    number += len(rows)
                    yield Batch(rows, number / total)
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise DamagedFile(path, f"after row {number:,} of {total:,}", error) from None

    return Source(path, tuple(schema.names), clocks, batches, naive, _metadata(schema))


def _metadata(schema: Any) -> dict[str, str]:
    widths = {f.type.byte_width for f in schema if pa.types.is_fixed_size_binary(f.type)}
    return {"fixed_size_bytes": ", ".join(map(str, sorted(widths)))} | {
        key.decode("utf-8", "replace"): value.decode("utf-8", "replace")
        for key, value in (schema.metadata or {}).items()
        if len(value) <= LOOKED_AT
    }


def _unit(clock: Any) -> Literal["us", "ns"]:
    return "ns" if clock.unit == "ns" else "us"


def _plain(column: Any) -> Any:
    """Timestamps become integers, dates text, single precision the number that was meant.

    So do Nautilus' fixed-size bytes, which are integers.
    """
    if pa.types.is_date(column.type):
        return column.cast(pa.string())  # of any year: Python has none after 9999
    if pa.types.is_timestamp(column.type):
        unit = _unit(column.type)
        return column.cast(pa.timestamp(unit, column.type.tz), safe=False).cast(pa.int64())
    if pa.types.is_float32(column.type):
        return column.cast(pa.string()).cast(pa.float64())
    if pa.types.is_fixed_size_binary(column.type) and column.type.byte_width in (8, 16):
        return pa.array(
            [
                None if cell is None else str(int.from_bytes(cell, "little", signed=True))
                for cell in column.to_pylist()
            ],
            pa.string(),
        )
    return column


def _open_dbn(path: Path, most: int) -> Source:
    try:
        import databento_dbn
    except ImportError:
        raise SourceError(
            f"{path} needs the Databento reader, which is not installed: pip install '.[databento]'"
        ) from None
    from ingest.replay import dbn

    failures = (databento_dbn.DBNError, dbn.Incomplete, *UNREADABLE)
    try:
        columns, said = dbn.columns(path)
    except failures as error:
        raise SourceError(
            f"{path} is not a readable DBN file: {_said(error)}; get it again, or give a mapping "
            "of its true format with --map"
        ) from None
    if not columns:
        raise SourceError(f"{path} has no records; get the file again")

    def batches(wanted: list[str]) -> Iterator[Batch]:
        number = 0
        with opened(path) as file:
            try:
                for rows in dbn.rows(file.stream, wanted):
                    for begin in range(0, len(rows), most):
                        part = rows[begin : begin + most]
                        number += len(part)
                        yield Batch(part, file.done)
            except failures as error:
                position = f"after {number:,} rows, near byte {file.raw.tell():,} of {file.size:,}"
                raise DamagedFile(path, position, _said(error)) from None

    return Source(path, columns, {}, batches, said=said)
