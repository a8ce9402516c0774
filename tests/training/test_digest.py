"""The digest moves with every bit, every key and their order, and with nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.bundle import Column
from training.digest import digest

COLUMNS = (Column("market_1m", "close"), Column("market_1m", "regime_tag", ("range", "volatile")))


def parts(**other: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "columns": COLUMNS,
        "label": "rises_5m",
        "keys": [(1, "A"), (1, "B"), (2, "A")],
        "moments_us": np.array([1, 1, 2], np.int64),
        "matrix": np.array([[1.5, 0.0], [np.nan, 1.0], [0.0, np.nan]]),
        "labels": np.array([1.0, 0.0, 1.0]),
        "known_us": np.array([6, 6, 7], np.int64),
    }
    return found | other


def test_it_is_the_same_on_every_machine() -> None:
    assert digest(**parts()) == "f996e25aa4ffc9ecc55ad996f0f2bab062e659eb991a296eafc349ea313bc3a7"


@pytest.mark.parametrize(
    "other",
    [
        {"label": "rises_10m"},
        {"columns": (Column("daily", "close"), COLUMNS[1])},
        {"columns": (COLUMNS[0], Column("market_1m", "regime_tag", ("volatile", "range")))},
        {"keys": [(1, "A"), (1, "B"), (3, "A")]},
        {"keys": [(1, "A"), (1, "A"), (2, "A")]},
        {"keys": [(1, "B"), (1, "A"), (2, "A")]},
        {"moments_us": np.array([1, 1, 3], np.int64)},
        {"known_us": np.array([6, 6, 8], np.int64)},
        {"labels": np.array([1.0, 0.0, 0.0])},
        {"labels": np.array([1.0, 0.0, np.nan])},
        {"matrix": np.array([[np.nextafter(1.5, 2), 0.0], [np.nan, 1.0], [0.0, np.nan]])},
        {"matrix": np.array([[1.5, 0.0], [np.nan, 1.0], [-0.0, np.nan]])},
        {"matrix": np.array([[1.5, 0.0], [0.0, 1.0], [0.0, np.nan]])},
    ],
)
def test_it_moves_with_each_part(other: dict[str, Any]) -> None:
    assert digest(**parts(**other)) != digest(**parts())


def test_every_nan_is_the_same_and_layout_does_not_matter() -> None:
    other = np.asfortranarray(parts()["matrix"])
    other[1, 0] = np.frombuffer(b"\x01\x00\x00\x00\x00\x00\xf8\xff", np.float64)[0]
    assert digest(**parts(matrix=other)) == digest(**parts())


@given(st.integers(0, 2), st.integers(0, 1), st.floats(allow_nan=False))
def test_one_value_is_enough(row: int, column: int, value: float) -> None:
    matrix = parts()["matrix"].copy()
    same = np.float64(matrix[row, column]).tobytes() == np.float64(value).tobytes()
    matrix[row, column] = value
    assert (digest(**parts(matrix=matrix)) == digest(**parts())) is same


def test_no_rows_have_a_digest_too() -> None:
    empty = np.empty(0, np.int64)
    found = digest(COLUMNS, "l", [], empty, np.empty((0, 2)), np.empty(0), empty)
    assert len(found) == 64


def test_parts_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"differ in length: \[2, 3\]"):
        digest(**parts(labels=np.array([1.0, 0.0])))
