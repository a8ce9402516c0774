"""What kind of file this is: format, compression, encoding, delimiter, header, marks of numbers."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.replay.containers import UNREADABLE, SourceError, checked, compression, opened
from ingest.replay.sources import DamagedFile, Ragged, Row, Source, open_source
from ingest.replay.textfiles import BOMS, Dialect
from ingest.texts import quoted

HEAD = 1 << 18
LINES = 200
ROWS = 1_000
DELIMITERS = (";", "\t", "|", ",")
NAMES = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}
NUMBER = re.compile(r"[+-]?(\d[\d.,' ]*|[.,]\d+)([eE][+-]?\d+)?")
CLOCKLIKE = re.compile(r"\d{1,4}[-/.:]\d{1,2}([-/.:]\d{1,4})?.*|\d{8}[ T]\d{4,9}.*")
COMMA_DECIMAL = re.compile(r"[+-]?\d+,\d+")
COMMA_GROUPS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
DOT_GROUPS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d+)?")
POINT = re.compile(r"[+-]?\d*\.\d+")
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")


@dataclass
class Sniffed:
    """A file's form and first rows. why: what was seen, in the order it was looked at."""

    source: Source
    format: str
    dialect: Dialect
    rows: list[Row]
    why: list[str]

    def cells(self, column: str) -> list[object]:
        """The first rows' cells of a column that are not empty."""
        found = (row.get(column) for row in self.rows if not isinstance(row, Ragged))
        return [cell for cell in found if cell is not None and cell != ""]


def sniff(path: Path) -> Sniffed:
    """Find out what a file is. Raises SourceError for what cannot be replayed."""
    checked(path)
    why = []
    if packed := compression(path):
        why.append(f"{packed}, by its first bytes")
    head = _head(path)
    dialect = Dialect()
    if head.startswith(b"PAR1"):
        kind = "parquet"
    elif head.startswith(b"DBN"):
        kind = "dbn"
    else:
        kind, dialect = _text(path, head, why)
    source = open_source(path, kind, dialect, ROWS)
    why.append(
        {"parquet": "Parquet", "dbn": "Databento's DBN", "json": "JSON lines", "csv": "CSV"}[kind]
    )
    found = Sniffed(source, kind, dialect, _rows(source), why)
    if not found.rows:
        raise SourceError(f"{path} has no rows; get the file again")
    return found


def _head(path: Path) -> bytes:
    head = b""
    try:
        with opened(path) as file:
            while len(head) < HEAD and (part := file.stream.read1(HEAD - len(head))):
                head += part
    except UNREADABLE as error:
        if not head:
            said = " ".join(str(error).split()) or type(error).__name__
            raise SourceError(f"{path} cannot be unpacked: {said}; get it again") from None
    if not head:
        raise SourceError(f"{path} holds an empty file; get it again")
    return head


def _rows(source: Source) -> list[Row]:
    rows: list[Row] = []
    try:
        for batch in source.batches(list(source.columns)):
            rows += batch.rows
            if len(rows) >= ROWS:
                break
    except DamagedFile:
        if not rows:
            raise
    return rows[:ROWS]


def _text(path: Path, head: bytes, why: list[str]) -> tuple[str, Dialect]:
    encoding = _encoding(path, head, why)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head).lstrip("\ufeff")
    lines = text.splitlines()[:LINES]
    if len(head) == HEAD and len(lines) > 1 and len(lines) < LINES:
        lines.pop()  # it may go on behind what was read
    lines = [line for line in lines if line.strip()]
    if not lines:
        raise SourceError(f"{path} holds blank lines alone; get it again")
    if lines[0].lstrip()[:1] in ("{", "["):
        return _json(path, lines[0], encoding)
    delimiter, blanks = _delimiter(path, lines)
    why.append(f"separated by {NAMES[delimiter]}" + (", with blanks after them" if blanks else ""))
    table = [*csv.reader(lines, delimiter=delimiter, skipinitialspace=blanks)]
    first = table[0]
    if _is_header(first):
        why.append("the first line names the columns")
        return "csv", Dialect(encoding, delimiter, blanks)
    why.append(f"no header: the first line has values ({quoted(first[0])}, ...)")
    return "csv", Dialect(
        encoding, delimiter, blanks, tuple(f"c{n}" for n in range(1, len(first) + 1))
    )


def _encoding(path: Path, head: bytes, why: list[str]) -> str:
    for mark, name in BOMS:
        if head.startswith(mark):
            why.append(f"{name}, by its byte-order mark")
            return "utf-16" if name.startswith("utf-16") else name
    if len(head) > 3 and not any(head[1:200:2]) and all(head[0:200:2]):
        why.append("utf-16-le: each second byte is zero")
        return "utf-16-le"
    if len(head) > 3 and not any(head[0:200:2]) and all(head[1:200:2]):
        why.append("utf-16-be: each second byte is zero")
        return "utf-16-be"
    if CONTROL.search(head):
        raise SourceError(
            f"{path} is none of DBN, CSV, JSON lines and Parquet (it begins with {head[:8]!r}): "
            "export it as one of these"
        )
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        name = "cp1252" if re.search(rb"[\x80-\x9f]", head) else "latin-1"
        why.append(f"{name}: it is no UTF-8")
        return name
    return "utf-8"


def _json(path: Path, line: str, encoding: str) -> tuple[str, Dialect]:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        raise SourceError(
            f"{path} looks like JSON, but its first line alone is none: each line must be an "
            f"object or an array of objects, as `jq -c . {path.name}` writes them"
        ) from None
    return "json", Dialect(encoding)


def _delimiter(path: Path, lines: list[str]) -> tuple[str, bool]:
    """The character that makes equally many fields of all lines; whether blanks follow it."""
    best: tuple[float, int, str, bool] | None = None
    for delimiter in DELIMITERS:
        try:
            rows = [*csv.reader(lines, delimiter=delimiter, skipinitialspace=True)]
        except csv.Error:
            continue
        width = len(rows[-1]) if rows else 0
        alike = sum(len(row) == width for row in rows) / max(1, len(rows))
        if width > 1 and alike >= 0.8:
            found = [*csv.reader(lines, delimiter=delimiter)]
            blanks = any(cell[:1] == " " for row in found for cell in row[1:])
            if best is None or alike > best[0]:
                best = (alike, width, delimiter, blanks)
    if best is None:
        raise SourceError(
            f"{path} is no table: no comma, semicolon, tab or bar separates its lines alike (the "
            f"first: {quoted(lines[0][:80])}); export it as CSV"
        )
    return best[2], best[3]


def _is_header(first: Sequence[str]) -> bool:
    filled = [cell.strip() for cell in first if cell.strip()]
    return bool(filled) and not any(
        NUMBER.fullmatch(cell) or CLOCKLIKE.fullmatch(cell) for cell in filled
    )


def marks(found: Sniffed, columns: Iterable[str], decimal: str | None) -> tuple[str, str]:
    """The marks of decimals and of thousands in these columns of numbers.

    decimal: the first, where it was asked for. Raises SourceError where both readings fit.
    """
    cells = (cell for name in columns for cell in found.cells(name) if isinstance(cell, str))
    texts = [cell.strip() for cell in cells]
    commas = [text for text in texts if COMMA_DECIMAL.fullmatch(text)]
    grouped = [text for text in texts if DOT_GROUPS.fullmatch(text) and "," in text]
    thousands = [text for text in texts if COMMA_GROUPS.fullmatch(text)]
    sure = grouped or [text for text in commas if not COMMA_GROUPS.fullmatch(text)]
    points = [text for text in texts if POINT.fullmatch(text)]
    if decimal == "," or (decimal is None and sure and not points):
        found.why.append(f"decimal comma: {quoted((sure or commas or ['asked for'])[0])}")
        return ",", "." if grouped else ""
    if thousands and (decimal or points or any("." in t or t.count(",") > 1 for t in thousands)):
        found.why.append(f"commas between thousands: {quoted(thousands[0])}")
        return ".", ","
    if thousands:
        raise SourceError(
            f"{found.source.path}: {quoted(thousands[0])} has a decimal comma, or one between "
            'thousands: say --decimal "," or --decimal "."'
        )
    return ".", ""
