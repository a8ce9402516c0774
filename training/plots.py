"""What a run shows: learning curve, importance, calibration, and what a simple rule earns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

mpl.use("agg")


def _figure(title: str, x: str, y: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    return figure, axes


def learning_curve(curve: Sequence[tuple[int, float, float]]) -> Figure:
    """Log loss by rows learned from: on these, and on the last test."""
    figure, axes = _figure("Learning curve, last test", "rows learned from", "log loss")
    rows = [row for row, _, _ in curve]
    axes.plot(rows, [train for _, train, _ in curve], "o-", label="learned from")
    axes.plot(rows, [test for _, _, test in curve], "o-", label="tested")
    axes.legend()
    return figure


def importance(found: Mapping[str, float], meaning: str) -> Figure:
    """Each feature's part, the largest above."""
    figure, axes = _figure("Feature importance", meaning, "")
    ordered = sorted(found.items(), key=lambda one: one[1])
    axes.barh([name for name, _ in ordered], [value for _, value in ordered])
    return figure


def calibration(tenths: Sequence[tuple[float, float, int]]) -> Figure:
    """Share of label 1 by score; on the line, a score is a probability."""
    figure, axes = _figure("Calibration, walk-forward", "mean score", "share of label 1")
    axes.plot([0, 1], [0, 1], "--", color="grey")
    axes.plot([score for score, _, _ in tenths], [share for _, share, _ in tenths], "o-")
    for score, share, rows in tenths:
        axes.annotate(f"{rows:,}", (score, share), textcoords="offset points", xytext=(4, 4))
    return figure


def equity(
    moments: NDArray[np.int64], after: NDArray[np.float64], free: NDArray[np.float64]
) -> Figure:
    """What the rule had earned by each moment, after costs and without them."""
    figure, axes = _figure("Simple rule, walk-forward", "UTC", "earned, fraction of one stake")
    at = moments.astype("datetime64[us]")
    axes.plot(at, free, label="without costs", color="grey")
    axes.plot(at, after, label="after costs")
    axes.legend()
    figure.autofmt_xdate()
    return figure
