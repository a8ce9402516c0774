"""Whether the main loop moves, and whether it can do its work: answers for /healthz and /readyz."""

from __future__ import annotations

import time

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

    def beat(self) -> None:
        """Say that the main loop has begun a step, or tries something again."""
        self._beat = time.monotonic()

    def ready(self, ready: bool, reason: str = "") -> None:
        """Say whether the work can be done: what it needs is there and answers; else the reason."""
        self._unready = None if ready else reason or "not ready"

    def stalled(self) -> str | None:
        """Return why the process counts as hung, None when it is alive."""
        still_s = time.monotonic() - self._beat
        if still_s <= self._stall_s:
            return None
        return f"no step of the main loop for {still_s:.0f} s (at most {self._stall_s:g} s)"

    def unready(self) -> str | None:
        """Return why no work is done at present, None when it is."""
        return self.stalled() or self._unready
