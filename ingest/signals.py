"""SIGTERM and SIGINT, without the deadlock that a plain handler can run into."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from queue import SimpleQueue


def stop_on_signals(stop: Callable[[], None]) -> None:
    """Have stop() called, in a thread of its own, at each SIGTERM and SIGINT from now on.

    A handler runs in the middle of whatever the main thread does: where that waits on an Event,
    setting the Event in the handler waits for a lock that its own thread holds. Only putting
    something into a SimpleQueue is safe there.
    """
    asked: SimpleQueue[int] = SimpleQueue()

    def watch() -> None:
        while True:
            asked.get()
            stop()

    threading.Thread(target=watch, name="signals", daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: asked.put(number))
