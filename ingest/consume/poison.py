"""A circuit breaker: stops a stream of poison before it drains into the dead letters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ingest.consume.batch import Batch
from ingest.errors import PoisonedStreamError
from ingest.wire.topics import dead_letter_topic


class PoisonGuard:
    """Counts the messages and the refusals of each topic, a run at a time."""

    def __init__(self, ratio: float, run: int) -> None:
        """ratio: share of refused messages that is too much, over `run` messages of a topic."""
        self._ratio = ratio
        self._run = run
        self._messages: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._reasons: Counter[tuple[str, str]] = Counter()

    def check(self, batch: Batch, topics: Mapping[str, str]) -> None:
        """Count a batch before it is written. Raises PoisonedStreamError."""
        self._messages.update(str(message.topic()) for message in batch.messages)
        for ordinal, refusal in batch.refusals.items():
            topic = str(batch.messages[ordinal].topic())
            self._refused[topic] += 1
            self._reasons[topic, refusal.reason] += 1
        for topic in topics:
            seen, refused = self._messages[topic], self._refused[topic]
            if seen < self._run:
                continue
            if refused >= self._ratio * seen:
                worst = max((n, of) for (at, of), n in self._reasons.items() if at == topic)[1]
                raise PoisonedStreamError(
                    f"{refused} of the last {seen} messages of {topic} were refused, most as "
                    f"{worst}: the producer is wrong, not single messages. Nothing of the last "
                    f"batch was consumed. Look at `python -m ingest dlq list` "
                    f"({dead_letter_topic(topic)}) and mend the producer; to drain the topic into "
                    "the dead letters all the same, start with POISON_RATIO=2"
                )
            for counter in (self._messages, self._refused):
                counter[topic] = 0
            self._reasons = Counter({k: n for k, n in self._reasons.items() if k[0] != topic})
