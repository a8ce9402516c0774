"""What learns: LightGBM, and scikit-learn's logistic regression as an ONNX graph. One thread each.

The same rows, seed and lock file give the same file, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.bundle import CARD, FILES, Bundle, Column, Matrix
from training.declaration import Learner
from training.errors import DatasetError, DeclarationError

Labels = NDArray[np.float64]


@dataclass(frozen=True)
class Fitted:
    """A model that was fitted. content: its file; importance: of each column by name."""

    kind: str
    content: bytes
    importance: Mapping[str, float]

    @property
    def sha256(self) -> str:
        """Of the file, as its card has it."""
        return hashlib.sha256(self.content).hexdigest()

    def write(self, folder: Path, card: Mapping[str, Any]) -> Bundle:
        """Write it as a bundle, the card last: a folder without one is no bundle."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILES[self.kind]).write_bytes(self.content)
        whole = {**card, "kind": self.kind, "sha256": self.sha256}
        text = json.dumps(whole, indent=2, sort_keys=True, allow_nan=False)
        (folder / CARD).write_text(f"{text}\n")
        return Bundle.read(folder)


def bundle(fitted: Fitted, columns: Sequence[Column]) -> Bundle:
    """A fitted model as it is served, through its file."""
    with tempfile.TemporaryDirectory() as folder:
        return fitted.write(Path(folder), {"columns": described(columns)})


def described(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Columns as a card has them."""
    return [
        {"feature_set": one.feature_set, "field": one.field, "categories": list(one.categories)}
        for one in columns
    ]


def fit(learner: Learner, columns: Sequence[Column], matrix: Matrix, labels: Labels) -> Fitted:
    """Learn from rows as Bundle.encode() gives them, labels 0 or 1.

    Errors: DatasetError where all labels are the same; DeclarationError for parameters that the
    learner refuses.
    """
    there = np.unique(labels)
    if len(there) < 2:
        raise DatasetError(
            f"all {len(labels)} labels to learn from are {there.tolist()}: widen the period, or "
            "write another label"
        )
    try:
        if learner.name == "lightgbm":
            return _lightgbm(learner, columns, matrix, labels)
        return _logistic(learner, columns, matrix, labels)
    except Exception as error:
        # what each library raises for a wrong parameter is its own
        if type(error).__name__ in ("LightGBMError", "InvalidParameterError"):
            raise DeclarationError(
                f"{learner.name} refuses {dict(learner.parameters)}: {error}"
            ) from error
        raise


def _lightgbm(
    learner: Learner, columns: Sequence[Column], matrix: Matrix, labels: Labels
) -> Fitted:
    import lightgbm

    given = {**learner.parameters, "seed": learner.seed}
    rounds = int(given.pop("num_iterations", 100))
    fixed = {
        "objective": "binary",
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }
    names = [column.name.replace(".", "__") for column in columns]
    texts = [place for place, column in enumerate(columns) if column.categories]
    data = lightgbm.Dataset(matrix, labels, feature_name=names, categorical_feature=texts)
    booster = lightgbm.train({**given, **fixed}, data, rounds)
    gains = booster.feature_importance("gain")
    importance = {one.name: float(gain) for one, gain in zip(columns, gains, strict=True)}
    return Fitted("lightgbm", booster.model_to_string().encode(), importance)


def _logistic(
    learner: Learner, columns: Sequence[Column], matrix: Matrix, labels: Labels
) -> Fitted:
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    numbers = [place for place, column in enumerate(columns) if not column.categories]
    # the category of each dummy, and the column that it is of
    dummies = [
        (place, float(code))
        for place, column in enumerate(columns)
        for code in range(len(column.categories))
    ]
    with np.errstate(all="ignore"):
        there = np.isfinite(matrix)
        count = np.maximum(there.sum(axis=0), 1)
        fill = np.where(there, matrix, 0).sum(axis=0) / count
        filled = np.where(there, matrix, fill)
        scale = filled.std(axis=0)
    scale[scale == 0] = 1
    blocks = [(filled[:, numbers] - fill[numbers]) / scale[numbers]]
    blocks += [(matrix[:, [place]] == code).astype(float) for place, code in dummies]
    model = LogisticRegression(random_state=learner.seed, **learner.parameters)
    with threadpool_limits(1):
        model.fit(np.hstack(blocks), labels)
    weights = model.coef_[0]
    importance = dict.fromkeys((column.name for column in columns), 0.0)
    for place, weight in zip(
        [*numbers, *(place for place, _ in dummies)], np.abs(weights), strict=True
    ):
        importance[columns[place].name] += float(weight)
    graph = _graph(
        numbers, dummies, fill[numbers], scale[numbers], weights, float(model.intercept_[0])
    )
    return Fitted("onnx", graph, importance)


def _graph(
    numbers: Sequence[int],
    dummies: Sequence[tuple[int, float]],
    fill: Matrix,
    scale: Matrix,
    weights: Matrix,
    intercept: float,
) -> bytes:
    """An ONNX graph of doubles, as scikit-learn computes: a row of features to its score.

    A number that is missing, or not finite, counts as the mean; a category that is missing as none.
    """
    from onnx import TensorProto, checker, helper

    width = len(numbers) + len({place for place, _ in dummies})
    kinds = {"double": TensorProto.DOUBLE, "int64": TensorProto.INT64}

    def constant(name: str, values: Any, kind: str = "double") -> Any:
        array = np.asarray(values)
        return helper.make_tensor(name, kinds[kind], array.shape, array.ravel().tolist())

    def node(op: str, inputs: Sequence[str], output: str, **more: Any) -> Any:
        return helper.make_node(op, [*inputs], [output], name=output, **more)

    constants = [
        constant("numbers", np.array(numbers, np.int64), "int64"),
        constant("dummies", np.array([place for place, _ in dummies], np.int64), "int64"),
        constant("codes", np.array([code for _, code in dummies], float)),
        constant("fill", fill),
        constant("scale", scale),
        constant("weights", weights.reshape(-1, 1)),
        constant("intercept", np.array([intercept])),
        constant("zero", np.array([0.0])),
    ]
    nodes = [
        node("Gather", ["features", "numbers"], "number", axis=1),
        # 0 * x is 0 of a finite x, else NaN
        node("Mul", ["number", "zero"], "finite"),
        node("IsNaN", ["finite"], "is_missing"),
        node("Where", ["is_missing", "fill", "number"], "filled"),
        node("Sub", ["filled", "fill"], "centred"),
        node("Div", ["centred", "scale"], "scaled"),
        node("Gather", ["features", "dummies"], "code", axis=1),
        node("Equal", ["code", "codes"], "is_code"),
        node("Cast", ["is_code"], "dummy", to=TensorProto.DOUBLE),
        node("Concat", ["scaled", "dummy"], "inputs", axis=1),
        node("MatMul", ["inputs", "weights"], "sum"),
        node("Add", ["sum", "intercept"], "log_odds"),
        node("Sigmoid", ["log_odds"], "score"),
    ]
    features = helper.make_tensor_value_info("features", TensorProto.DOUBLE, [None, width])
    score = helper.make_tensor_value_info("score", TensorProto.DOUBLE, [None, 1])
    graph = helper.make_graph(nodes, "model", [features], [score], constants)
    made = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name=""
    )
    checker.check_model(made)
    content: bytes = made.SerializeToString(deterministic=True)
    return content
