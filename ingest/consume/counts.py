"""What became of the messages: each is applied, a duplicate, refused, or waits for its tick."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ingest.consume import culprits
from ingest.consume.culprits import Culprit


@dataclass
class Counts:
    """Numbers of messages; refused: by reason; kinds: applied ones, by kind.

    waiting: corrections and cancels whose tick had not come; they count here alone.
    culprits: whose messages were refused, the worst of them.
    """

    applied: int = 0
    duplicates: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter, compare=False)
    waiting: int = 0
    culprits: Counter[Culprit] = field(default_factory=Counter, compare=False)

    @property
    def dead_lettered(self) -> int:
        """Messages that went to a dead-letter topic."""
        return self.refused.total()

    @property
    def messages(self) -> int:
        """All messages that were taken from Kafka."""
        return self.applied + self.duplicates + self.dead_lettered + self.waiting

    def add(self, other: Counts) -> None:
        """Add the numbers of one more batch."""
        self.applied += other.applied
        self.duplicates += other.duplicates
        self.refused += other.refused
        self.kinds += other.kinds
        self.waiting += other.waiting
        culprits.add(self.culprits, other.culprits)

    def __str__(self) -> str:
        """One line, one more for each reason of refusal, and below it whose messages they were."""
        line = (
            f"{self.messages} messages: {self.applied} applied, {self.duplicates} duplicates, "
            f"{self.dead_lettered} dead-lettered"
        )
        lines = [line + (f", {self.waiting} waiting for their tick" if self.waiting else "")]
        for reason, number in sorted(self.refused.items()):
            lines.append(f"  {reason}: {number}")
            lines += [f"    {line}" for line in culprits.lines(self.culprits, reason)]
        return "\n".join(lines)
