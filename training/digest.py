"""The digest of a training set: which rows, features and labels, to the bit and in their order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.bundle import Column, Matrix


def digest(
    columns: Sequence[Column],
    label: str,
    keys: Sequence[tuple[int, str]],
    moments_us: NDArray[np.int64],
    matrix: Matrix,
    labels: NDArray[np.float64],
    known_us: NDArray[np.int64],
) -> str:
    """SHA-256 as 64 hexadecimal digits, the same on any machine and any database.

    keys: tenant and symbol of each row; moments_us, known_us: its as_of, and from when its label
    was known, in microseconds since 1970 UTC; matrix: as Bundle.encode() gives it. -0 is not 0,
    every NaN is the same. Errors: ValueError for parts of different length.
    """
    rows = {len(keys), len(moments_us), len(matrix), len(labels), len(known_us)}
    if len(rows) > 1:
        raise ValueError(f"parts of a training set differ in length: {sorted(rows)}")
    head = {
        "columns": [[one.feature_set, one.field, list(one.categories)] for one in columns],
        "label": label,
        "rows": len(keys),
        "keys": [list(key) for key in keys],
    }
    found = hashlib.sha256(b"training set 1\n")
    found.update(json.dumps(head, separators=(",", ":"), ensure_ascii=True).encode())
    for moments in (moments_us, known_us):
        found.update(np.ascontiguousarray(moments, ">i8").tobytes())
    for numbers in (matrix, labels):
        bits = np.where(np.isnan(numbers), np.float64("nan"), numbers)
        found.update(np.ascontiguousarray(bits, ">f8").tobytes())
    return found.hexdigest()
