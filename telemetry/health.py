"""Whether the main loop moves, and whether it can do its work: answers for /healthz and /readyz."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

STALL_S = 120.0


class Health:
    """Told by the main loop, asked by the endpoint's thread; starts alive and not ready."""

    def __init__(self, stall_s: float = STALL_S, unready: str = "starting") -> None:
        """stall_s: longest time between two beats of a living loop, in seconds.

        unready: why it is not ready at first.
        """
        self._stall_s = stall_s
        self._beat = time.monotonic()
        self._unready: str | None = unready
        self._awaited: tuple[str, float] | None = None

    def beat(self) -> None:
        """Say that the main loop has begun a step, or tries something again."""
        self._beat = time.monotonic()

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Say that the main loop waits for what others do: the database, the online store.

        However long that takes, it is alive, as a restart would wait again; after stall_s it
        is not ready.
        """
        self._awaited = what, time.monotonic()
        try:
            yield
        finally:
            self.beat()
            self._awaited = None

    def ready(self, ready: bool, reason: str = "") -> None:
        """Say whether the work can be done: what it needs is there and answers; else the reason."""
        self._unready = None if ready else reason or "not ready"

    def stalled(self) -> str | None:
        """Return why the process counts as hung, None when it is alive."""
        still_s = time.monotonic() - self._beat
        if self._awaited is not None or still_s <= self._stall_s:
            return None
        return f"no step of the main loop for {still_s:.0f} s (at most {self._stall_s:g} s)"

    def unready(self) -> str | None:
        """Return why no work is done at present, None when it is."""
        awaited = self._awaited
        if awaited is not None:
            what, since = awaited
            waits_s = time.monotonic() - since
            if waits_s > self._stall_s:
                return f"it has waited for the {what} for {waits_s:.0f} s"
        return self.stalled() or self._unready
