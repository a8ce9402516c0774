"""Rows on a terminal: as many columns as it is wide, none cut or folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

GAP = 2
INDENT = 2
MARK = "..."


def fitted(rows: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    """Lines of a table: columns from the first on while they fit, then which were left out.

    Text that is last in its row may be long: it is cut at the width.
    """
    if not rows:
        return ["  none"]
    cells = [{name: text(value) for name, value in row.items()} for row in rows]
    names = list(rows[0])
    room = width - INDENT
    shown: list[str] = []
    sizes: dict[str, int] = {}
    for name in names:
        size = max(len(name), *(len(row[name]) for row in cells))
        can_be_cut = name == names[-1] and _is_text(rows, name)
        least = min(size, max(len(name), len(MARK))) if can_be_cut else size
        taken = sum(sizes.values()) + GAP * len(sizes)
        if shown and taken + least > room:
            break
        shown.append(name)
        sizes[name] = min(size, room - taken)
    left = names[len(shown) :]
    lines = [_line({name: name for name in names}, shown, sizes, rows)]
    lines += [_line(row, shown, sizes, rows) for row in cells]
    if left:
        lines += wrapped(f"and, in a wider terminal: {', '.join(left)}", width)
    return lines


def across(columns: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines of a table with a row for each name, and a column for each of a few mappings."""
    names = list(next(iter(columns.values())))
    rows = [
        {"": name, **{head: text(values[name]) for head, values in columns.items()}}
        for name in names
    ]
    return fitted(rows, sum(len(head) for head in columns) + 200)


def wrapped(said: str, width: int) -> list[str]:
    """A sentence in lines of a width."""
    lines = [" " * INDENT]
    for word in said.split():
        if lines[-1].strip() and len(lines[-1]) + 1 + len(word) > width:
            lines.append(" " * INDENT)
        lines[-1] += ("" if not lines[-1].strip() else " ") + word
    return lines


def text(value: Any) -> str:
    """One cell: floats to six digits, times in UTC to the minute, NULL as a dash."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return " ".join(str(value).split())


def _line(
    row: Mapping[str, str],
    shown: Sequence[str],
    sizes: Mapping[str, int],
    rows: Sequence[Mapping[str, Any]],
) -> str:
    cells = []
    for name in shown:
        cell = row[name]
        if len(cell) > sizes[name]:
            cell = cell[: max(0, sizes[name] - len(MARK))] + MARK
        cells.append(cell.ljust(sizes[name]) if _is_text(rows, name) else cell.rjust(sizes[name]))
    return (" " * INDENT + (" " * GAP).join(cells)).rstrip()


def _is_text(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return any(isinstance(row[name], str | datetime) for row in rows)
