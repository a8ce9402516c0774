"""What differs between two training sets of the same pairs: which row, and which field; pure."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import pandas as pd

from feast_repo.receipts import AT, SYMBOL, TENANT

SHOWN = 10


def differences(
    then: pd.DataFrame, now: pd.DataFrame, columns: Sequence[str], shown: int = SHOWN
) -> list[str]:
    """A line for each value that is not the same to the bit, then how many more there are.

    then, now: frames of the same rows in the same order; columns: to compare.
    """
    if len(then) != len(now):
        return [f"{len(then)} rows then, {len(now)} now"]
    lines, more = [], 0
    for name in [TENANT, SYMBOL, AT, *columns]:
        if name not in then or name not in now:
            lines.append(f"{name} is not in the training set {'then' if name not in then else ''}")
            continue
        for place, (was, is_) in enumerate(zip(then[name], now[name], strict=True)):
            if bits(was) == bits(is_):
                continue
            if len(lines) < shown:
                row = then.iloc[place]
                lines.append(
                    f"row {place + 1} ({row[SYMBOL]} of tenant {row[TENANT]}, as of "
                    f"{row[AT].isoformat()}): {name} was {text(was)} and is {text(is_)}"
                )
            else:
                more += 1
    return [*lines, f"and {more:,} values more"] if more else lines


def bits(value: Any) -> Any:
    """A value such that only the very same one is equal: doubles by their bits, NULL as None."""
    if value is None or value is pd.NaT or value != value:
        return None
    return struct.pack(">d", value) if isinstance(value, float) else value


def text(value: Any) -> str:
    """A value as a reader sees it, all its digits."""
    if bits(value) is None:
        return "NULL"
    return value.isoformat() if hasattr(value, "isoformat") else repr(value)
