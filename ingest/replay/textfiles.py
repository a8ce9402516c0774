"""CSV and JSON lines as rows: of any encoding, delimiter and line end, with or without header."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

CHUNK = 1 << 16
# a file without line ends is no table, and must not be read whole to find that out
LONGEST_LINE = 1 << 23
BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
ENCODINGS = Literal["utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252"]

Row = dict[str, Any]


class Ragged(Row):
    """A row whose number of fields is not that of the header."""


class BadText(ValueError):
    """Bytes that are not the text that was expected; its text says where and why."""


@dataclass(frozen=True)
class Dialect:
    """How a text file is written. names: its columns, where no header names them."""

    encoding: str = "utf-8"
    delimiter: str = ","
    skip_blanks: bool = False
    names: tuple[str, ...] = ()


def lines(stream: io.BufferedIOBase, encoding: str) -> Iterator[str]:
    """Lines with their ends; a byte-order mark goes before the encoding.

    Raises BadText behind the last good line.
    """
    chunk = stream.read1(CHUNK)
    for mark, name in BOMS:
        if chunk.startswith(mark):
            chunk, encoding = chunk[len(mark) :], name
            break
    else:
        encoding = "utf-16-le" if encoding == "utf-16" else encoding
    decoder = codecs.getincrementaldecoder(encoding)()
    held = ""
    while True:
        last, failed = not chunk, None
        try:
            text = decoder.decode(chunk, final=last)
        except UnicodeDecodeError as error:
            failed = error
            text = error.object[: error.start].decode(encoding)
        *whole, held = (held + text).split("\n")
        for line in whole:
            yield line + "\n"
        if failed is not None:
            raise BadText(
                f"the bytes {failed.object[failed.start : failed.end][:4].hex()} are no {encoding}"
                f' ({failed.reason}): give the mapping an encoding, such as "latin-1"'
            )
        if len(held) > LONGEST_LINE:
            raise BadText(f"a line of more than {LONGEST_LINE:,} characters: this is no table")
        if last:
            break
        chunk = stream.read1(CHUNK)
    if held:
        yield held


class CsvRows:
    """The rows of a CSV file, in the order of the file. line: the last one that was read."""

    def __init__(self, stream: io.BufferedIOBase, dialect: Dialect) -> None:
        """Begin; `header` is read at once. Raises BadText."""
        self._ended = True
        reader = csv.reader(
            self._noted(lines(stream, dialect.encoding)),
            delimiter=dialect.delimiter,
            skipinitialspace=dialect.skip_blanks,
            strict=True,
        )
        self._reader = reader
        try:
            self.header = dialect.names or tuple(next(reader, []))
        except csv.Error as error:
            raise BadText(str(error)) from None

    @property
    def line(self) -> int:
        """Number of the last line read."""
        return int(self._reader.line_num)

    def _noted(self, read: Iterator[str]) -> Iterator[str]:
        for line in read:
            self._ended = line.endswith("\n") or line.endswith("\r")
            yield line

    def __iter__(self) -> Iterator[Row]:
        """Rows by the header's names. Raises BadText behind the last good one."""
        width = len(self.header)
        row: Row | None = None
        try:
            for fields in self._reader:
                if not fields:
                    continue
                if row is not None:
                    yield row
                row = dict(zip(self.header, fields, strict=False))
                if len(fields) != width:
                    row = Ragged(row)
        except csv.Error as error:
            if row is not None:
                yield row
            raise BadText(str(error)) from None
        except BadText:
            if row is not None:
                yield row
            raise
        # only at the end is a short row a half-written one
        if isinstance(row, Ragged) and len(row) < width and not self._ended:
            raise BadText(f"the file ends after {len(row)} of {width} fields")
        if row is not None:
            yield row


class JsonRows:
    """The objects of a file that has one, or an array of them, in each line."""

    def __init__(self, stream: io.BufferedIOBase, dialect: Dialect) -> None:
        """Begin with the first line."""
        self._lines = lines(stream, dialect.encoding)
        self.line = 0

    def __iter__(self) -> Iterator[Row]:
        """Rows as the objects have them. Raises BadText behind the last good one."""
        for line in self._lines:
            self.line += 1
            if not line.strip():
                continue
            try:
                found = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BadText(
                    f"line {self.line:,} is not JSON ({error}): each line must be an object or an "
                    "array of objects, as `jq -c` writes them"
                ) from None
            for row in found if isinstance(found, list) else [found]:
                if not isinstance(row, dict):
                    raise BadText(f"line {self.line:,} has {str(row)[:50]!r}, which is no object")
                yield row
