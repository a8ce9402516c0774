"""Time as the loop and its retries see it: handed in, so that tests need not wait."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from typing import Any


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
