"""Run something several times and keep every duration."""

import statistics
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def timed(work: Callable[[], T], repeats: int = 5, budget_s: float = 60) -> tuple[list[float], T]:
    """Durations in seconds, and what the last run returned.

    The first run warms up and does not count. Of slow work fewer runs are made: none begins after
    budget_s, and when the first alone took as long, it is the one that counts.
    """
    began = time.perf_counter()
    result = work()
    durations = [time.perf_counter() - began]
    if durations[0] >= budget_s:
        return durations, result
    durations = []
    while len(durations) < repeats and (not durations or time.perf_counter() - began < budget_s):
        started = time.perf_counter()
        result = work()
        durations.append(time.perf_counter() - started)
    return durations, result


def median(durations: list[float]) -> float:
    """The middle of the durations."""
    return statistics.median(durations)


def percentile(durations: list[float], percent: int) -> float:
    """The smallest duration that percent of all do not exceed."""
    return sorted(durations)[max(0, -(-len(durations) * percent // 100) - 1)]
