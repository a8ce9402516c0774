"""Pauses between attempts: longer each time, apart from those of other ingesters."""

from __future__ import annotations

import logging
import random
import threading
import time

log = logging.getLogger("ingest")

FIRST_S = 0.2
LONGEST_S = 5.0


class Backoff:
    """The pauses of one piece of work that fails again and again."""

    def __init__(self, retry_s: float, stopping: threading.Event) -> None:
        """retry_s: how long it is tried in all, seconds. stopping: ends a pause when set."""
        self._until = time.monotonic() + retry_s
        self._stopping = stopping
        self._wait_s = FIRST_S

    @property
    def spent(self) -> bool:
        """Whether another pause would end too late."""
        return time.monotonic() + self._wait_s > self._until

    def pause(self, said: str) -> None:
        """Log what failed, and wait."""
        pause_s = self._wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        log.warning("%s; trying again in %.1f s, nothing is lost", said, pause_s)
        self._stopping.wait(pause_s)
        self._wait_s = min(2 * self._wait_s, LONGEST_S)
