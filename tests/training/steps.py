"""Runs commands of training in its environment, one after another: what the tests ask on stdin.

One process, because Feast and MLflow take seconds to import. A line of JSON asks, one answers.
"""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from training.__main__ import main


def predict(uri: str, rows: list[dict[str, Any]]) -> list[str]:
    """Scores of rows by a logged model, to the bit."""
    import mlflow
    import pandas as pd

    model = mlflow.pyfunc.load_model(uri)
    return [float(score).hex() for score in model.predict(pd.DataFrame(rows))["score"]]


def source(run_id: str) -> dict[str, Any]:
    """A run's dataset: its digest, and what its source gives when it is loaded."""
    import mlflow

    inputs: Any = mlflow.get_run(run_id).inputs
    dataset = inputs.dataset_inputs[0]
    loaded = mlflow.data.get_source(dataset).load()
    return {
        "digest": dataset.dataset.digest,
        "tags": {tag.key: tag.value for tag in dataset.tags},
        "rows": len(loaded),
        "columns": list(loaded),
    }


def document(block: str) -> list[str]:
    """What a document's block of code leaves as scores, to the bit."""
    names: dict[str, Any] = {}
    exec(block, names)  # noqa: S102 - the document's
    return [float(score).hex() for score in names["scores"]["score"]]


def online(until: str) -> None:
    """Have online what was known at a moment."""
    from datetime import datetime, timedelta

    from engine.settings import ENVIRONMENT
    from training import service

    at = datetime.fromisoformat(until)
    service.opened(ENVIRONMENT).materialize(at - timedelta(minutes=1), at)


STEPS: dict[str, Callable[..., Any]] = {
    "main": main,
    "predict": predict,
    "source": source,
    "online": online,
    "document": document,
}


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """One step: what it gave, printed or raised."""
    out, err = io.StringIO(), io.StringIO()
    found: dict[str, Any] = {}
    before = dict(os.environ)
    os.environ.update(asked.get("env", {}))
    try:
        with redirect_stdout(out), redirect_stderr(err):
            found["value"] = STEPS[asked["step"]](*asked["arguments"])
    except BaseException as error:  # the test that asked judges it
        found["error"] = f"{type(error).__name__}: {error}"
        found["trace"] = traceback.format_exc()
    finally:
        os.environ.clear()
        os.environ.update(before)
    return found | {"out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    # what libraries print to the real stdout goes to stderr
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
