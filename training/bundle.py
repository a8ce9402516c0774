"""A bundle: the folder that a model is served from. It scores a row to the same bits wherever read.

    model.json     its card: name, columns, learner, label, digests of what it learned from
    model.txt      a LightGBM booster, or
    model.onnx     a graph for onnxruntime

It needs numpy and the learner's runtime, nothing of this project: Triton's Python backend reads it
in an environment of its own, MLflow's model in another, and a replay in a third.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

CARD: Final = "model.json"
FILES: Final = {"lightgbm": "model.txt", "onnx": "model.onnx"}

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """One input of a model: a field of a set, for a text the values that it may have.

    A text is the place of its value among the categories; NULL is NaN.
    """

    feature_set: str
    field: str
    categories: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As <set>.<field>."""
        return f"{self.feature_set}.{self.field}"

    def number(self, value: Any) -> float:
        """A value as the model takes it. Errors: ValueError for another type or category."""
        if value is None:
            return float("nan")
        if self.categories:
            if value not in self.categories:
                raise ValueError(
                    f"{self.name} is {value!r}, and the model knows {', '.join(self.categories)}: "
                    "train it anew on what there is now"
                )
            return float(self.categories.index(value))
        if isinstance(value, bool) or not isinstance(value, int | float | np.floating):
            raise ValueError(f"{self.name} is {value!r}: send a number, or null for none")
        return float(value)


@dataclass(frozen=True)
class Bundle:
    """A model that scores. card: what model.json says; learner: what scores a matrix."""

    card: Mapping[str, Any]
    columns: tuple[Column, ...]
    learner: Any

    @classmethod
    def read(cls, folder: Path) -> Bundle:
        """Read a bundle. Errors: ValueError for one that is damaged or half-written."""
        try:
            card = json.loads((folder / CARD).read_text())
            columns = tuple(
                Column(one["feature_set"], one["field"], tuple(one.get("categories") or ()))
                for one in card["columns"]
            )
            file = folder / FILES[card["kind"]]
            found = hashlib.sha256(file.read_bytes()).hexdigest()
            if found != card["sha256"]:
                raise ValueError(f"{file.name} has the SHA-256 {found}, not {card['sha256']}")
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{folder} is no whole bundle ({error}): write it anew from its MLflow run"
            ) from error
        return cls(card, columns, _learner(card["kind"], file))

    def encode(self, rows: Sequence[Sequence[Any]]) -> Matrix:
        """Rows of values in the order of the columns, as numbers. Errors: as Column.number()."""
        matrix = np.empty((len(rows), len(self.columns)))
        for place, row in enumerate(rows):
            for number, (column, value) in enumerate(zip(self.columns, row, strict=True)):
                matrix[place, number] = column.number(value)
        return matrix

    def score(self, matrix: Matrix) -> NDArray[np.float64]:
        """A score for each row; the same row has the same bits alone and among others."""
        if matrix.ndim != 2 or matrix.shape[1] != len(self.columns):
            raise ValueError(
                f"the model takes rows of {len(self.columns)} numbers "
                f"({', '.join(column.name for column in self.columns)}), not {matrix.shape}"
            )
        if not len(matrix):
            return np.empty(0)
        found = np.asarray(self.learner(np.ascontiguousarray(matrix, np.float64)), np.float64)
        return found.reshape(len(matrix))


def row_digests(matrix: Matrix) -> list[str]:
    """SHA-256 of each row of numbers, big-endian as PostgreSQL's float8send() writes them.

    Every NaN is the one that PostgreSQL has, so that model.replay() finds the same in psql.
    """
    bits = np.where(np.isnan(matrix), np.float64("nan"), matrix).astype(">f8")
    return [hashlib.sha256(row.tobytes()).hexdigest() for row in bits]


def row_digest(row: NDArray[np.float64]) -> str:
    """row_digests() of one row."""
    (found,) = row_digests(row[np.newaxis])
    return found


def _learner(kind: str, file: Path) -> Any:
    # one thread: a sum that is split among threads may end in other bits
    if kind == "lightgbm":
        import lightgbm

        booster = lightgbm.Booster(model_file=str(file))
        return lambda matrix: booster.predict(matrix, num_threads=1)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    kept = np.float64 if given.type == "tensor(double)" else np.float32

    def scored(matrix: Matrix) -> Any:
        # a row at a time: a batch may be added up in another order
        asked = matrix.astype(kept)
        return [
            session.run(["score"], {given.name: asked[place : place + 1]})[0].reshape(-1)[0]
            for place in range(len(asked))
        ]

    return scored
