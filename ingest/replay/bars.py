"""Bars told from ticks by what is in the cells, where no header says it."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from ingest.replay.textfiles import Ragged, Row

FEWEST = 5
LOOKED_AT = 200
# high and low of a bar lie closer together; volumes, counts and ids beside a price do not
WIDEST = 0.5


def bar_columns(names: Sequence[str], rows: Sequence[Row]) -> tuple[str, ...]:
    """Four neighbours that are open, high, low and close in every row; () where there are none."""
    whole = [row for row in rows[:LOOKED_AT] if not isinstance(row, Ragged)]
    if len(whole) < FEWEST:
        return ()
    for at in range(len(names) - 3):
        four = tuple(names[at : at + 4])
        if _are_bars([[row.get(name) for name in four] for row in whole]):
            return four
    return ()


def _are_bars(cells: list[list[object]]) -> bool:
    moved = False
    for four in cells:
        numbers = [_number(cell) for cell in four]
        if not all(isfinite(number) for number in numbers):
            return False
        first, high, low, last = numbers
        if not (low <= min(first, last) and max(first, last) <= high):
            return False
        if high - low > WIDEST * abs(high):
            return False
        moved = moved or (low < high and (low < first < high or low < last < high or first != last))
    return moved


def _number(cell: object) -> float:
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        return float("nan")
    try:
        return float(cell.replace(",", ".") if isinstance(cell, str) else cell)
    except (ValueError, OverflowError):
        return float("nan")
