"""A day of a series as text for a page: JSON and columns of doubles, exact to the bit."""

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def pack(facts: dict[str, Any], columns: Sequence[Floats] = ()) -> str:
    """Base64 of gzip: the JSON's length, the JSON, then each column.

    A column keeps of each double what differs from the one before it, first bytes first, then
    second bytes and so on: neighbours are alike, so that gzip leaves half. moment.js reads it.
    """
    text = json.dumps(facts, separators=(",", ":"), allow_nan=False).encode()
    parts = [len(text).to_bytes(4, "little"), text]
    for column in columns:
        bits = column.astype("<f8").view("<u8")
        differs = bits.copy()
        differs[1:] ^= bits[:-1]
        parts.append(differs.view(np.uint8).reshape(-1, 8).T.tobytes())
    return base64.b64encode(gzip.compress(b"".join(parts), mtime=0)).decode()
