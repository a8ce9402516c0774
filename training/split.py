"""Walk-forward: each test lies after all that its model learned from, labels included."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from training.errors import DatasetError

Moments = NDArray[np.int64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Fold:
    """Rows to learn from and rows to test on, by their places. begins: the test's first moment."""

    begins: int
    train: Places
    test: Places


def walk_forward(
    moments: Moments, known: Moments, folds: int, embargo: int, min_train_rows: int
) -> list[Fold]:
    """Tests of about as many moments each, one after another, over the newer part of the time.

    moments, known: as_of of each row, and from when its label was known, in one unit, say
    microseconds; embargo: in the same. A row is learned from if its label was known no later than
    the embargo before the test begins: rows whose label reaches into the test, or comes within the
    embargo before it, are purged. A moment is in one test only, all its rows together.
    Errors: DatasetError for fewer moments than tests, or too few rows to learn from.
    """
    if np.any(known <= moments):
        place = int(np.argmax(known <= moments))
        raise DatasetError(
            f"the label of row {place + 1} is known no later than its features: it would be one of "
            "them; give known_at after as_of"
        )
    distinct = np.unique(moments)
    # the first of folds + 1 equal parts is never tested
    bounds = [len(distinct) * part // (folds + 1) for part in range(1, folds + 2)]
    if bounds[0] < 1 or len(set(bounds)) < len(bounds):
        raise DatasetError(
            f"{len(distinct)} moments are too few for {folds} tests: widen the period, or declare "
            "fewer folds"
        )
    found: list[Fold] = []
    for first, after in pairwise(bounds):
        begins = int(distinct[first])
        is_tested = moments >= begins
        if after < len(distinct):
            is_tested &= moments < distinct[after]
        train = np.flatnonzero(known <= begins - embargo)
        if len(train) < min_train_rows:
            raise DatasetError(
                f"{len(train)} rows before test {len(found) + 1} of {folds} are too few to learn "
                f"from, min_train_rows is {min_train_rows}: of {len(moments)} rows, those whose "
                "label was not known before the test and its embargo are purged; widen the period, "
                "or declare fewer folds"
            )
        found.append(Fold(begins, train, np.flatnonzero(is_tested)))
    return found
