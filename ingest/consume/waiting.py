"""Partitions that stand before a message whose schema cannot be had now."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ingest.clock import Clock, jittered
from ingest.consume.batch import KafkaMessage, Partition, place_of

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 30.0


@dataclass
class _Wait:
    """The messages at hand, until when they wait, and how long at most."""

    messages: list[KafkaMessage]
    until: float
    wait_s: float


class Waiting(Collection[Partition]):
    """Keeps what was read of each partition that waits, and when it is tried again."""

    def __init__(self, clock: Clock) -> None:
        """Nothing waits."""
        self._clock = clock
        self._waits: dict[Partition, _Wait] = {}

    def __contains__(self, at: object) -> bool:
        """Whether this partition waits, or is being tried again."""
        return at in self._waits

    def __iter__(self) -> Iterator[Partition]:
        """Yield the partitions that wait."""
        return iter(self._waits)

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waits)

    def hold(self, at: Partition, messages: list[KafkaMessage]) -> float:
        """Keep these for a while, twice as long each time; returns how long, in seconds."""
        before = self._waits.get(at)
        wait_s = FIRST_WAIT_S if before is None else min(2 * before.wait_s, LONGEST_WAIT_S)
        pause_s = jittered(wait_s)
        self._waits[at] = _Wait(messages, self._clock.monotonic() + pause_s, wait_s)
        return pause_s

    def hold_back(self, messages: list[KafkaMessage]) -> list[KafkaMessage]:
        """Leave out what came after messages that wait: a pause takes a moment to work."""
        ready = []
        for message in messages:
            wait = self._waits.get(place_of(message))
            if wait is not None and wait.messages:
                wait.messages.append(message)
            else:
                ready.append(message)
        return ready

    def due(self) -> list[KafkaMessage]:
        """Return what has waited long enough; its partition waits until it is forgotten."""
        now = self._clock.monotonic()
        found: list[KafkaMessage] = []
        for wait in self._waits.values():
            if wait.messages and wait.until <= now:
                found += wait.messages
                wait.messages = []
        return found

    def forget(self, at: Partition) -> None:
        """Its messages were read, or the partition is another consumer's now."""
        self._waits.pop(at, None)

    def clear(self) -> None:
        """Forget all."""
        self._waits.clear()
