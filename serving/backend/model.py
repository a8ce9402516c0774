"""A version of a model, as Triton's Python backend runs it; it stands beside its bundle.

    <version>/model.py          this file
    <version>/training/         bundle.py, which reads and scores
    <version>/bundle/           model.json and the learner's file

Input features: FP64 [-1, k], in the order of the card's columns, NaN for none. Output score: FP64
[-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as triton

from training.bundle import Bundle, Matrix


class TritonPythonModel:
    """The one name that the backend looks for."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the bundle. Errors: ValueError where it is damaged: Triton then has no version."""
        folder = Path(args["model_repository"]) / args["model_version"]
        self.bundle = Bundle.read(folder / "bundle")

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Score what has queued in one go; a request that fails fails alone."""
        matrices = [
            triton.get_input_tensor_by_name(request, "features").as_numpy() for request in requests
        ]
        try:
            scores = self.bundle.score(np.concatenate(matrices))
        except Exception:
            return [self._alone(matrix) for matrix in matrices]
        ends = np.cumsum([len(matrix) for matrix in matrices])
        return [_answer(part) for part in np.split(scores, ends[:-1])]

    def _alone(self, matrix: Matrix) -> Any:
        try:
            return _answer(self.bundle.score(matrix))
        except Exception as error:
            said = triton.TritonError(f"{type(error).__name__}: {error}")
            return triton.InferenceResponse(output_tensors=[], error=said)


def _answer(scores: Matrix) -> Any:
    tensor = triton.Tensor("score", np.ascontiguousarray(scores, np.float64).reshape(-1, 1))
    return triton.InferenceResponse(output_tensors=[tensor])
