"""Metrics, calibration, the rule and the reference, against scikit-learn's and by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from training.bundle import Column
from training.evaluation import auc, calibration, equity, is_worse, measured, reference

scored = st.lists(
    st.tuples(st.sampled_from((0, 0.1, 0.25, 0.5, 0.9, 1)), st.booleans()), min_size=2
)


@given(scored)
def test_the_metrics_are_those_of_scikit_learn(found: list[tuple[float, bool]]) -> None:
    scores = np.array([score for score, _ in found], float)
    labels = np.array([float(label) for _, label in found])
    made = measured(scores, labels)
    held = np.clip(scores, 1e-12, 1 - 1e-12)
    assert made["log_loss"] == pytest.approx(log_loss(labels, held, labels=[0, 1]), abs=1e-9)
    assert made["brier"] == pytest.approx(brier_score_loss(labels, scores), abs=1e-12)
    assert made["rows"] == len(found)
    assert math.isfinite(made["log_loss"])
    if len(set(labels)) == 2:
        assert made["auc"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    else:
        assert "auc" not in made
        assert auc(scores, labels) is None


@pytest.mark.parametrize(
    ("metric", "value", "champion", "margin", "worse"),
    [
        ("log_loss", 0.71, 0.69, 0.02, False),
        ("log_loss", 0.72, 0.69, 0.02, True),
        ("log_loss", 0.50, 0.69, 0, False),
        ("auc", 0.60, 0.62, 0.02, False),
        ("auc", 0.59, 0.62, 0.02, True),
        ("auc", 0.70, 0.62, 0, False),
        ("brier", float("nan"), 0.2, 0.02, True),
    ],
)
def test_worse_is_by_more_than_the_margin(
    metric: str, value: float, champion: float, margin: float, worse: bool
) -> None:
    assert is_worse(metric, round(value, 9), champion, margin + 1e-12) is worse


def test_calibration_has_the_tenths_that_are_there() -> None:
    scores, labels = np.array([0.0, 0.05, 0.55, 1.0]), np.array([0.0, 1.0, 1.0, 1.0])
    assert calibration(scores, labels) == [(0.025, 0.5, 2), (0.55, 1.0, 1), (1.0, 1.0, 1)]


def test_the_rule_pays_twice_and_shares_its_stake() -> None:
    moments = np.array([20, 10, 10, 30, 40])
    scores = np.array([0.3, 0.8, 0.9, 0.5, 0.99])
    returns = np.array([-0.02, 0.01, 0.03, 0.5, math.nan])
    at, after = equity(moments, scores, returns, 0.6, 10)
    assert at.tolist() == [10, 20, 30, 40]
    # (1 % + 3 %) / 2 - 0.2 %; then 2 % sold, - 0.2 %; no trade; a return that is not known
    assert after == pytest.approx([0.018, 0.036, 0.036, 0.036])


values = st.lists(st.one_of(st.just(math.nan), st.integers(-3, 3).map(float)), min_size=1)


@given(values)
def test_a_reference_is_a_distribution_that_width_bucket_counts(found: list[float]) -> None:
    columns = (Column("market_1m", "close"), Column("market_1m", "regime_tag", ("a", "b", "c")))
    matrix = np.column_stack([found, [n % 3 for n in range(len(found))]])
    close, tag, score = reference(columns, matrix, np.array([0.5]))
    assert [one["column"] for one in (close, tag, score)] == [
        *("market_1m.close", "market_1m.regime_tag", "score")
    ]
    for one in (close, tag, score):
        assert len(one["shares"]) == len(one["bins"]) + 2
        assert math.fsum(one["shares"]) == pytest.approx(1)
        assert all(low < high for low, high in pairwise(one["bins"]))
    assert tag["bins"] == [0.5, 1.5]
    assert close["shares"][-1] == sum(math.isnan(value) for value in found) / len(found)
    for value in {value for value in found if not math.isnan(value)}:
        # as PostgreSQL's width_bucket(value, bins)
        bucket = sum(edge <= value for edge in close["bins"])
        assert close["shares"][bucket] > 0
