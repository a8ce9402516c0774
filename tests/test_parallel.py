"""The run is spread over as many workers as the machine bears, the longest modules first."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import parallel

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("processors", "free_mib", "workers"),
    [(2, 16_000, 4), (8, 16_000, 7), (64, 1_000, 1), (1, 64_000, 3)],
)
def test_workers(
    monkeypatch: pytest.MonkeyPatch, processors: int, free_mib: int, workers: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(processors))
    monkeypatch.setattr(parallel, "_free_mib", lambda: free_mib)
    assert parallel.pytest_xdist_auto_num_workers() == workers


def test_what_shares_a_database_stays_together() -> None:
    assert parallel.unit("tests/pit/test_log.py::test_one[a::b]") == "tests/pit/test_log.py"
    for folder in parallel.TOGETHER:
        assert (ROOT / folder).is_dir()
        assert parallel.unit(f"{folder}test_a.py::test_one") == folder


def test_the_longest_modules_are_first() -> None:
    assert [name for name in parallel.LONGEST if not (ROOT / name).exists()] == []
    names = ["tests/a.py::one", *(f"{name}::two" for name in reversed(parallel.LONGEST))]
    items: list[Any] = [SimpleNamespace(nodeid=name) for name in names]
    parallel.pytest_collection_modifyitems(items)
    assert [item.nodeid.partition("::")[0] for item in items] == [*parallel.LONGEST, "tests/a.py"]
