"""How good a model is: walk-forward over rows it has not learned from; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import learners
from training.bundle import Column, Matrix
from training.declaration import Declaration
from training.split import Fold

Numbers = NDArray[np.float64]
CURVE = (0.2, 0.4, 0.6, 0.8, 1.0)
# a certain score would make one wrong row infinitely bad
EPSILON = 1e-12
BINS = 10


@dataclass(frozen=True)
class Validation:
    """What the tests gave. scores: of each tested row, at its place; curve: (rows, train, test).

    metrics: of all tested rows together; of_folds: of each test alone.
    """

    places: NDArray[np.int64]
    scores: Numbers
    metrics: Mapping[str, float]
    of_folds: Sequence[Mapping[str, float]]
    curve: Sequence[tuple[int, float, float]]


def validate(
    declaration: Declaration,
    columns: Sequence[Column],
    matrix: Matrix,
    labels: Numbers,
    folds: Sequence[Fold],
    *,
    curve: bool = True,
) -> Validation:
    """Learn before each test, score it, and measure. Errors: those of learners.fit()."""
    places, scores, of_folds = [], [], []
    for fold in folds:
        found = scored(declaration, columns, matrix, labels, fold.train, matrix[fold.test])
        places.append(fold.test)
        scores.append(found)
        of_folds.append(measured(found, labels[fold.test]))
    tested, given = np.concatenate(places), np.concatenate(scores)
    last, learned = folds[-1], []
    for share in CURVE if curve else ():
        # the newest part of what there is to learn from
        train = last.train[len(last.train) - max(1, int(len(last.train) * share)) :]
        if len(np.unique(labels[train])) < 2:
            continue
        rows = np.concatenate([train, last.test])
        found = scored(declaration, columns, matrix, labels, train, matrix[rows])
        learned.append(
            (
                len(train),
                measured(found[: len(train)], labels[train])["log_loss"],
                measured(found[len(train) :], labels[last.test])["log_loss"],
            )
        )
    return Validation(tested, given, measured(given, labels[tested]), of_folds, learned)


def scored(
    declaration: Declaration,
    columns: Sequence[Column],
    matrix: Matrix,
    labels: Numbers,
    train: NDArray[np.int64],
    asked: Matrix,
) -> Numbers:
    """Scores of rows by a model that learned from others, through its file as it is served."""
    fitted = learners.fit(declaration.learner, columns, matrix[train], labels[train])
    found: Numbers = learners.bundle(fitted, columns).score(asked)
    return found


def measured(scores: Numbers, labels: Numbers) -> dict[str, float]:
    """rows, log_loss, brier, hit_rate, base_rate, and auc where both labels are there."""
    held = np.clip(scores, EPSILON, 1 - EPSILON)
    losses = labels * np.log(held) + (1 - labels) * np.log(1 - held)
    found = {
        "rows": float(len(labels)),
        "log_loss": -math.fsum(losses) / len(labels),
        "brier": math.fsum((scores - labels) ** 2) / len(labels),
        "hit_rate": float(np.mean((scores > 0.5) == (labels > 0.5))),
        "base_rate": float(np.mean(labels)),
    }
    area = auc(scores, labels)
    return found if area is None else {**found, "auc": area}


def auc(scores: Numbers, labels: Numbers) -> float | None:
    """The chance that a row of label 1 has the higher score; ties count half. None: one label."""
    ones = int(labels.sum())
    zeros = len(labels) - ones
    if not ones or not zeros:
        return None
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return float((ranks[places][labels > 0.5].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def is_worse(metric: str, value: float, champion: float, margin: float) -> bool:
    """Whether a metric is worse than the champion's by more than the margin."""
    worse = champion - value if metric == "auc" else value - champion
    return not worse <= margin


def calibration(scores: Numbers, labels: Numbers) -> list[tuple[float, float, int]]:
    """(mean score, share of label 1, rows) of tenths of the scores that are there."""
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    return [
        (float(scores[place == one].mean()), float(labels[place == one].mean()), int(n))
        for one in range(BINS)
        if (n := np.count_nonzero(place == one))
    ]


def equity(
    moments: NDArray[np.int64],
    scores: Numbers,
    returns: Numbers,
    enter_above: float,
    cost_bps: float,
) -> tuple[NDArray[np.int64], Numbers]:
    """Moments in order, and what a simple rule had earned by each, as a fraction of one stake.

    It buys above enter_above and sells below 1 - enter_above, for the horizon of returns, and pays
    cost_bps to enter and to leave. The trades of a moment share the stake; a return that is not
    known is not traded.
    """
    side = np.where(scores > enter_above, 1.0, np.where(scores < 1 - enter_above, -1.0, 0.0))
    side[np.isnan(returns)] = 0
    earned = side * np.nan_to_num(returns) - np.abs(side) * 2 * cost_bps / 10_000
    distinct, places = np.unique(moments, return_inverse=True)
    trades = np.maximum(np.bincount(places, np.abs(side), len(distinct)), 1)
    return distinct, np.cumsum(np.bincount(places, earned, len(distinct)) / trades)


def reference(columns: Sequence[Column], matrix: Matrix, scores: Numbers) -> list[dict[str, Any]]:
    """How each column, and "score", was distributed: by these, drift is measured later.

    bins: inner edges, ascending; shares: of the values below the first, from each to below the
    next, and from the last on, as width_bucket(value, bins) counts, then of rows without a value.
    All shares together are 1.
    """
    found = []
    for name, values, categories in [
        *((one.name, matrix[:, n], len(one.categories)) for n, one in enumerate(columns)),
        ("score", scores, 0),
    ]:
        there = values[~np.isnan(values)]
        if categories:
            edges = np.arange(1, categories) - 0.5
        else:
            tenths = np.quantile(there, np.arange(1, BINS) / BINS) if len(there) else np.empty(0)
            edges = np.unique(tenths)
        counts = np.bincount(np.searchsorted(edges, there, side="right"), minlength=len(edges) + 1)
        found.append(
            {
                "column": name,
                "bins": edges.tolist(),
                "shares": [int(n) / len(values) for n in (*counts, len(values) - len(there))],
            }
        )
    return found
