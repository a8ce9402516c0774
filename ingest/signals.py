"""SIGTERM and SIGINT, without the deadlock that a plain handler can run into."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from ingest.errors import DeliveryError


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


def is_interrupt(error: BaseException) -> bool:
    """Whether it is Ctrl-C, or what that becomes while the Kafka client calls back."""
    return isinstance(error, KeyboardInterrupt) or (
        isinstance(error, SystemError) and isinstance(error.__cause__, KeyboardInterrupt)
    )


@contextmanager
def told(flush: Callable[[], None], sent: Callable[[], Iterable[str]]) -> Iterator[None]:
    """Where Ctrl-C ends the block, print what had been sent by then, once that has arrived.

    flush: of the producer; sent: lines that say what was handed to it.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemError) as error:
        if is_interrupt(error):
            print(file=sys.stderr)
            try:
                flush()
            except DeliveryError as lost:
                print(lost, file=sys.stderr)
            print("\n".join(sent()), file=sys.stderr)
        raise
