"""Time as the loop and its retries see it: a clock that is handed in, pauses between attempts."""

from __future__ import annotations

import logging
import random
import threading
import time
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from typing import Any

log = logging.getLogger("ingest")

FIRST_S = 0.2
LONGEST_S = 5.0


class Clock:
    """The machine's clocks, and the two ways of waiting."""

    def monotonic(self) -> float:
        """Return seconds since some moment, which never go back."""
        return time.monotonic()

    def time_ns(self) -> int:
        """Return nanoseconds since 1970."""
        return time.time_ns()

    def pause(self, seconds: float, stopping: threading.Event) -> None:
        """Wait so long, or until stopping is set."""
        stopping.wait(seconds)

    def wait(self, pending: Future[Any], seconds: float) -> None:
        """Wait until the work is done, at most so long."""
        wait_for([pending], seconds)


def jittered(wait_s: float) -> float:
    """Return half of a wait to all of it.

    Jitter: many ingesters that failed together do not all ask again at the same moment, which is
    called a thundering herd.
    """
    return wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


class Backoff:
    """The pauses of one piece of work that fails again and again."""

    def __init__(
        self, retry_s: float, stopping: threading.Event, clock: Clock | None = None
    ) -> None:
        """retry_s: how long it is tried in all, seconds. stopping: ends a pause when set."""
        self._clock = clock or Clock()
        self._until = self._clock.monotonic() + retry_s
        self._stopping = stopping
        self._wait_s = FIRST_S

    @property
    def spent(self) -> bool:
        """Whether another pause would end too late."""
        return self._clock.monotonic() + self._wait_s > self._until

    def pause(self, said: str) -> None:
        """Log what failed, and wait."""
        pause_s = jittered(self._wait_s)
        log.warning("%s; trying again in %.1f s, nothing is lost", said, pause_s)
        self._clock.pause(pause_s, self._stopping)
        self._wait_s = min(2 * self._wait_s, LONGEST_S)
