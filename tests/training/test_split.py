"""Walk-forward: what a model learns was known before its test; every boundary is exact."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.errors import DatasetError
from training.split import Moments, walk_forward

MINUTE = 60_000_000
rows = st.lists(
    # moments that repeat, and labels that are known soon, late, and after the next tests
    st.tuples(st.integers(0, 60), st.integers(1, 40)),
    min_size=1,
    max_size=120,
)


def arrays(found: list[tuple[int, int]]) -> tuple[Moments, Moments]:
    moments = np.array([at for at, _ in found], np.int64)
    return moments, moments + np.array([later for _, later in found], np.int64)


@given(rows, st.integers(1, 6), st.integers(0, 20))
def test_what_is_learned_was_known_before_the_test_and_its_embargo(
    found: list[tuple[int, int]], folds: int, embargo: int
) -> None:
    moments, known = arrays(found)
    try:
        made = walk_forward(moments, known, folds, embargo, 1)
    except DatasetError:
        return
    assert len(made) == folds
    for fold in made:
        tested = moments[fold.test]
        assert tested.min() == fold.begins
        assert (known[fold.train] <= fold.begins - embargo).all()
        assert (moments[fold.train] < fold.begins - embargo).all()
        # none is left out that may be learned from
        left = np.setdiff1d(np.arange(len(moments)), fold.train)
        assert (known[left] > fold.begins - embargo).all()


@given(rows, st.integers(1, 6))
def test_each_moment_is_in_one_test_and_the_tests_follow_each_other(
    found: list[tuple[int, int]], folds: int
) -> None:
    moments, known = arrays(found)
    try:
        made = walk_forward(moments, known, folds, 0, 1)
    except DatasetError:
        return
    tested = np.concatenate([fold.test for fold in made])
    assert len(np.unique(tested)) == len(tested)
    assert set(np.flatnonzero(moments >= made[0].begins)) == set(tested)
    for before, after in pairwise(made):
        assert moments[before.test].max() < after.begins
    assert not set(made[0].train) & set(tested)


@given(rows, st.integers(1, 6), st.integers(0, 20), st.integers(-(10**6), 10**6))
def test_it_goes_by_differences_of_time_alone(
    found: list[tuple[int, int]], folds: int, embargo: int, shift: int
) -> None:
    moments, known = arrays(found)

    def places(by: int, unit: int) -> list[tuple[list[int], list[int]]] | str:
        try:
            made = walk_forward(
                (moments + by) * unit, (known + by) * unit, folds, embargo * unit, 1
            )
        except DatasetError as error:
            return str(error).partition(" ")[2]
        return [(fold.train.tolist(), fold.test.tolist()) for fold in made]

    assert places(0, 1) == places(shift, MINUTE)


@pytest.mark.parametrize(
    ("late", "embargo", "kept"), [(0, 0, True), (1, 0, False), (0, 1, False), (-1, 1, True)]
)
def test_the_boundary_is_exact(late: int, embargo: int, kept: bool) -> None:
    # the newer two of four moments are tested; the label of row 2 is known as the test begins
    moments = np.array([0, 5, 10, 11], np.int64)
    known = np.array([1, 10 + late, 20, 21], np.int64)
    (fold,) = walk_forward(moments, known, 1, embargo, 1)
    assert fold.begins == 10
    assert (1 in fold.train) is kept


@pytest.mark.parametrize(
    ("moments", "known", "folds", "least", "said"),
    [
        ([], [], 2, 1, "0 moments are too few for 2 tests"),
        ([1], [2], 1, 1, "1 moments are too few for 1 tests"),
        ([1, 2, 3], [2, 3, 4], 3, 1, "3 moments are too few for 3 tests"),
        ([1, 2, 3, 4], [2, 3, 4, 5], 1, 3, "2 rows before test 1 of 1 are too few"),
        ([1, 2, 3, 4], [9, 9, 9, 9], 1, 1, "0 rows before test 1 of 1 are too few"),
        ([1, 2, 3, 4], [2, 2, 4, 5], 1, 1, "the label of row 2 is known no later"),
    ],
)
def test_too_little_is_refused(
    moments: list[int], known: list[int], folds: int, least: int, said: str
) -> None:
    with pytest.raises(DatasetError, match=said):
        walk_forward(np.array(moments, np.int64), np.array(known, np.int64), folds, 0, least)
