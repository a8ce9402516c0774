"""A circuit breaker for a partition in which nothing can be read.

A tick that breaks a rule never trips it, however many there are: they have a culprit, a tenant, a
symbol or a file, and everybody else's ticks stand behind them. Bytes that cannot be read have none.
"""

from __future__ import annotations

from collections import Counter

from ingest.consume.batch import Batch, Partition, place_of
from ingest.texts import quoted
from ingest.validate import UNDECODABLE
from ingest.wire.topics import dead_letter_topic


class PoisonGuard:
    """Counts the messages of each partition, and those that cannot be read, a run at a time."""

    def __init__(self, ratio: float, run: int) -> None:
        """ratio: share of unreadable messages that is too much, over `run` of a partition."""
        self._ratio = ratio
        self._run = run
        self._messages: Counter[Partition] = Counter()
        self._unreadable: Counter[Partition] = Counter()

    def check(self, batch: Batch) -> dict[Partition, str]:
        """Count a batch before it is written; return the partitions to stop at, each with why.

        Of such a one nothing is forgotten: read again, it must bring something readable.
        """
        bad = [
            ordinal
            for ordinal, refusal in batch.refusals.items()
            if refusal.reason == UNDECODABLE.name
        ]
        if bad:
            self._messages.update(map(place_of, batch.messages))
            self._unreadable.update(place_of(batch.messages[ordinal]) for ordinal in bad)
        else:
            self._messages.update({at: end - first for at, (first, end) in batch.ranges.items()})
        last = {place_of(batch.messages[ordinal]): ordinal for ordinal in bad}
        found = {}
        for at in batch.ranges:
            seen, unreadable = self._messages[at], self._unreadable[at]
            if seen < self._run:
                continue
            if at in last and unreadable >= self._ratio * seen:
                found[at] = _why(batch, last[at], seen, unreadable)
                continue
            self._messages[at] = self._unreadable[at] = 0
        return found


def _why(batch: Batch, ordinal: int, seen: int, unreadable: int) -> str:
    message = batch.messages[ordinal]
    topic, partition = place_of(message)
    return (
        f"{unreadable} of the last {seen} messages of {topic}/{partition} cannot be read: "
        f"{batch.refusals[ordinal].message} (offset {message.offset()}, key "
        f"{quoted(message.key())}). It is not read on, and nothing of its last batch was consumed. "
        "Mend the producer; to drain the partition into the dead letters "
        f"({dead_letter_topic(topic)}), start with POISON_RATIO=2"
    )
