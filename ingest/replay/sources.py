"""Captured files as rows: Databento DBN, CSV and Parquet, read in batches."""

import csv
import os
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.errors import IngestError

BATCH_ROWS = 20_000
Row = dict[str, Any]


class SourceError(IngestError):
    """A captured file cannot be read; the text names the file and the remedy."""


class DamagedFile(SourceError):
    """A captured file is broken from some row on; the rows before it were yielded."""

    def __init__(self, path: Path, position: str, reason: object) -> None:
        """Name the file, where the damage begins, and what the reader said."""
        super().__init__(
            f"{path} is damaged or half-written: {position}: {reason}. The rows before were kept; "
            "get the file again and replay it whole, rows already ingested count as duplicates"
        )


class Ragged(Row):
    """A row whose number of fields is not that of the header."""


@dataclass(frozen=True)
class Batch:
    """Consecutive rows; `done` is the fraction of the file read after them."""

    rows: list[Row]
    done: float


@dataclass(frozen=True)
class Source:
    """An open file: its columns, the unit of those that are clocks, and batches(columns).

    Rows hold at least the asked columns. batches raises DamagedFile after the last good row.
    """

    path: Path
    columns: tuple[str, ...]
    clocks: Mapping[str, Literal["us", "ns"]]
    batches: Callable[[list[str]], Iterator[Batch]]


def open_source(path: Path, format_name: str) -> Source:
    """Open a file as `dbn`, `csv` or `parquet`; raises SourceError if that is impossible."""
    try:
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise SourceError(f"{path} does not exist; check the name") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}; check its rights") from None
    if path.is_dir():
        raise SourceError(f"{path} is a directory; name the files in it")
    if size == 0:
        raise SourceError(f"{path} is empty; get the file again")
    return {"csv": _open_csv, "parquet": _open_parquet, "dbn": _open_dbn}[format_name](path)


def _open_csv(path: Path) -> Source:
    try:
        with path.open("rb") as raw:
            header: list[str] = next(_csv_reader(raw), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path} is not a CSV file in UTF-8: {error}") from None
    if not any(header):
        raise SourceError(f"{path} has no header; its first line must name the columns")
    if len(set(header)) != len(header):
        raise SourceError(f"{path} names a column twice: {', '.join(header)}; rename one")

    def batches(_columns: list[str]) -> Iterator[Batch]:
        size = path.stat().st_size
        with path.open("rb") as raw:
            raw.seek(-1, os.SEEK_END)
            ends_in_newline = raw.read() in b"\r\n"
            raw.seek(0)
            yield from _csv_batches(path, raw, header, size, ends_in_newline)

    return Source(path, tuple(header), {}, batches)


def _csv_reader(raw: BinaryIO) -> Any:
    """A csv.reader that decodes line by line, so that damage does not reach the lines before."""
    raw.seek(len(BOM_UTF8) if raw.read(len(BOM_UTF8)) == BOM_UTF8 else 0)
    return csv.reader((line.decode() for line in raw), strict=True)


def _csv_batches(
    path: Path, raw: BinaryIO, header: list[str], size: int, ends_in_newline: bool
) -> Iterator[Batch]:
    reader = _csv_reader(raw)
    next(reader)
    rows: list[Row] = []
    number = 0
    damage: Exception | str | None = None
    try:
        for fields in reader:
            if not fields:
                continue
            number += 1
            row = dict(zip(header, fields, strict=False))
            rows.append(row if len(fields) == len(header) else Ragged(row))
            if len(rows) == BATCH_ROWS:
                # the last row waits for the end: only there is a short one half-written
                yield Batch(rows[:-1], raw.tell() / size)
                del rows[:-1]
    except (UnicodeDecodeError, csv.Error) as error:
        number += 1
        damage = error
    if damage is None and rows and isinstance(rows[-1], Ragged) and not ends_in_newline:
        half = rows.pop()
        damage = f"the file ends after {len(half)} of {len(header)} fields"
    yield Batch(rows, 1.0)
    if damage is not None:
        raise DamagedFile(path, f"row {number:,}, line {reader.line_num:,}", damage)


def _open_parquet(path: Path) -> Source:
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(
            f"{path} is not a complete Parquet file: {error} The list of columns is at its end, so "
            "a half-written file has no readable row: write or download it again, or give a "
            "mapping of its true format with --map"
        ) from None
    schema = file.schema_arrow
    clocks = {
        field.name: _unit(field.type) for field in schema if pa.types.is_timestamp(field.type)
    }

    def batches(columns: list[str]) -> Iterator[Batch]:
        number, total = 0, file.metadata.num_rows
        try:
            for batch in file.iter_batches(BATCH_ROWS, columns=columns):
                rows = pa.table(
                    {name: _plain(batch.column(name)) for name in batch.schema.names}
                ).to_pylist()
                number += len(rows)
                yield Batch(rows, number / total)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise DamagedFile(path, f"after row {number:,} of {total:,}", error) from None

    return Source(path, tuple(schema.names), clocks, batches)


def _unit(clock: Any) -> Literal["us", "ns"]:
    return "ns" if clock.unit == "ns" else "us"


def _plain(column: Any) -> Any:
    """Timestamps become integers, dates text, single precision the number that was meant."""
    if pa.types.is_date(column.type):
        return column.cast(pa.string())  # of any year: Python has none after 9999
    if pa.types.is_timestamp(column.type):
        # a clock without a zone is taken as UTC
        unit = _unit(column.type)
        return column.cast(pa.timestamp(unit, column.type.tz), safe=False).cast(pa.int64())
    if pa.types.is_float32(column.type):
        return column.cast(pa.string()).cast(pa.float64())
    return column


def _open_dbn(path: Path) -> Source:
    try:
        import databento_dbn
        import zstandard
    except ImportError:
        raise SourceError(
            f"{path} needs the Databento reader, which is not installed: pip install '.[databento]'"
        ) from None
    from ingest.replay import dbn

    failures = (databento_dbn.DBNError, zstandard.ZstdError, dbn.Incomplete)
    try:
        columns = dbn.columns(path)
    except failures as error:
        raise SourceError(f"{path} is not a readable DBN file: {error}; get it again") from None
    if not columns:
        raise SourceError(f"{path} has no records; get the file again")

    def batches(wanted: list[str]) -> Iterator[Batch]:
        size = path.stat().st_size
        number = 0
        with path.open("rb") as raw:
            try:
                for rows in dbn.rows(raw, wanted):
                    number += len(rows)
                    yield Batch(rows, raw.tell() / size)
            except failures as error:
                position = f"after {number:,} rows, near byte {raw.tell():,} of {size:,}"
                raise DamagedFile(path, position, error) from None

    return Source(path, columns, {}, batches)
