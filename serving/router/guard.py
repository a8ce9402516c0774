"""What a canary did, and whether it goes too far: then it is rolled back."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from serving.router.versions import Thresholds


@dataclass(frozen=True)
class Verdict:
    """Why a canary is taken back: for people, and the numbers."""

    reason: str
    evidence: dict[str, Any]


@dataclass
class Guard:
    """Of one version, while it is the canary; it remembers ten times min_requests."""

    thresholds: Thresholds
    asked: deque[tuple[bool, float]] = field(init=False)
    fresh: deque[bool] = field(init=False)
    distances: deque[float] = field(init=False)

    def __post_init__(self) -> None:
        """Bounded, so that what was long ago does not excuse what is now."""
        most = 10 * self.thresholds.min_requests
        self.asked = deque(maxlen=most)
        self.fresh = deque(maxlen=most)
        self.distances = deque(maxlen=most)

    def answered(self, seconds: float) -> None:
        """Note a request that it answered."""
        self.asked.append((True, seconds))

    def failed(self, seconds: float) -> None:
        """Note one that it did not: it raised, or took too long."""
        self.asked.append((False, seconds))

    def read(self, is_fresh: bool) -> None:
        """Note whether a row had its features fresh, of those that had the champion's."""
        self.fresh.append(is_fresh)

    def compared(self, distance: float) -> None:
        """Note how far a score was from the champion's for the same row."""
        # NaN would hide in a mean, and every bound lets it pass
        self.distances.append(distance if math.isfinite(distance) else math.inf)

    def verdict(self) -> Verdict | None:
        """What it did too much of, the worst first; None: nothing, or it is too early to say."""
        bounds = self.thresholds
        for name, most, value, number in (
            ("error_rate", bounds.max_error_rate, self._error_rate(), len(self.asked)),
            ("stale_rate", bounds.max_error_rate, self._stale_rate(), len(self.fresh)),
            ("latency_ms", bounds.max_latency_ms, self._latency_ms(), len(self.asked)),
            ("disagreement", bounds.max_disagreement, self._distance(), len(self.distances)),
        ):
            if most is not None and number >= bounds.min_requests and value > most:
                written = value if math.isfinite(value) else str(value)
                return Verdict(
                    f"{name} {value:.4g} of {number} is above {most:g}",
                    {"bound": name, "value": written, "max": most, "of": number},
                )
        return None

    def _error_rate(self) -> float:
        return sum(not is_good for is_good, _ in self.asked) / max(1, len(self.asked))

    def _stale_rate(self) -> float:
        return sum(not is_fresh for is_fresh in self.fresh) / max(1, len(self.fresh))

    def _latency_ms(self) -> float:
        taken = sorted(seconds for _, seconds in self.asked)
        return taken[-(-len(taken) * 99 // 100) - 1] * 1e3 if taken else 0.0

    def _distance(self) -> float:
        return sum(self.distances) / max(1, len(self.distances))
