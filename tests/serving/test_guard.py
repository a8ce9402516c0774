"""When a canary goes too far: each bound alone, at it and above it, and before there is enough."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from serving.router.guard import Guard
from serving.router.versions import Thresholds

BOUNDS = Thresholds(0.1, 50.0, 0.2, 10)


def of(do: Callable[[Guard], object], times: int, bounds: Thresholds = BOUNDS) -> Guard:
    guard = Guard(bounds)
    for _ in range(times):
        do(guard)
    return guard


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        (lambda guard: guard.failed(0.001), "error_rate"),
        (lambda guard: guard.read(False), "stale_rate"),
        (lambda guard: guard.answered(0.051), "latency_ms"),
        (lambda guard: guard.compared(0.21), "disagreement"),
        (lambda guard: guard.compared(math.nan), "disagreement"),
    ],
)
def test_each_bound_alone(bad: Callable[[Guard], object], name: str) -> None:
    assert of(bad, 9).verdict() is None
    verdict = of(bad, 10).verdict()
    assert verdict is not None
    assert verdict.reason.startswith(f"{name} ")
    assert verdict.evidence["bound"] == name
    assert verdict.evidence["of"] == 10
    assert of(bad, 10, Thresholds(min_requests=10)).verdict() is None


@pytest.mark.parametrize(
    "good",
    [
        lambda guard: guard.answered(0.05),
        lambda guard: guard.read(True),
        lambda guard: guard.compared(0.2),
    ],
)
def test_at_a_bound_nothing_happens(good: Callable[[Guard], object]) -> None:
    assert of(good, 500).verdict() is None


def test_one_failure_of_ten_is_at_the_bound_and_two_are_above() -> None:
    guard = of(lambda guard: guard.answered(0.001), 9)
    guard.failed(0.001)
    assert guard.verdict() is None
    guard.failed(0.001)
    assert guard.verdict() is not None


def test_what_was_long_ago_is_forgotten() -> None:
    guard = of(lambda guard: guard.answered(0.001), 1000)
    for _ in range(11):
        guard.failed(0.001)
    # of the last hundred
    assert guard.verdict() is not None


def test_what_a_card_leaves_open_is_not_judged() -> None:
    assert Thresholds.of({}) == Thresholds(None, None, None, 100)
    given = {"thresholds": {"max_error_rate": 0.01, "psi": 0.2, "min_requests": 5}}
    assert Thresholds.of(given) == Thresholds(0.01, None, None, 5)
