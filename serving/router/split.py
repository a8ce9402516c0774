"""Which version answers for a series: sticky, by a hash, so that a share is the share of series."""

from __future__ import annotations

import hashlib
from functools import lru_cache


@lru_cache(maxsize=200_000)
def place(model: str, tenant_id: int, symbol: str) -> float:
    """Where a series is in [0, 1), the same in every process and for ever, another in each model.

    A series is the canary's while its place is below the share: a larger share keeps those of a
    smaller one.
    """
    named = f"{model}\0{tenant_id}\0{symbol}".encode()
    digest = hashlib.blake2b(named, digest_size=8).digest()
    # the last bits that a double has not would round up to 1
    return (int.from_bytes(digest, "big") >> 11) / 2.0**53


def is_canarys(model: str, tenant_id: int, symbol: str, share: float) -> bool:
    """Whether the canary answers for a series when it has this share, 0 to 1."""
    return place(model, tenant_id, symbol) < share
