"""Statements that a policy's refresh of the same range refuses for a moment."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

PATIENCE_S = 30.0


def when_free(
    connection: psycopg.Connection[Any],
    statement: str,
    values: Sequence[Any] | Mapping[str, Any] = (),
) -> None:
    """Execute it once no other session refreshes the same; LockNotAvailable after half a minute."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            connection.execute(statement.encode(), values)
            return
        except psycopg.errors.LockNotAvailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
