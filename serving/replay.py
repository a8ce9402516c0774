"""Whether a prediction can be made again: its features in psql, its score by the model's bundle.

model.replay() reads the features as the prediction's moments have them; the bundle, of the model
repository or else of MLflow, scores them in .venv-serving. Equal is equal to the bit.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from engine.settings import Env
from serving import layout, triton
from serving.errors import ServingError

TRAINING: Final = layout.ROOT / ".venv-training" / "bin" / "python"
SCORE_S: Final = 300
REPLAY: Final = "select r.* from model.replay(%s) as r"


@dataclass(frozen=True)
class Replayed:
    """is_same: whether everything is; lines: what was compared, and what differs."""

    is_same: bool
    lines: list[str]


def asked(prediction: str) -> UUID:
    """The number of a prediction. Errors: ServingError."""
    try:
        return UUID(prediction)
    except ValueError:
        raise ServingError(
            f"PREDICTION={prediction!r} is no prediction_id: the router's answer has it, and "
            "api.prediction"
        ) from None


def replay(url: str, prediction: UUID, env: Env) -> Replayed:
    """Compute a prediction again, and compare.

    Errors: ServingError for one that is not there, or whose model is not; psycopg's.
    """
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        try:
            row: Any = connection.execute(REPLAY, [prediction]).fetchone()
        except psycopg.Error as error:
            if not error.diag.message_primary:
                raise
            hint = error.diag.message_hint or ""
            raise ServingError(f"{error.diag.message_primary}. {hint}".strip()) from error
    return compared(row, None if row["features"] is None else scored(row, env))


def scored(row: Mapping[str, Any], env: Env) -> float:
    """What the bundle gives for a row's features. Errors: ServingError, InstallError."""
    model, version = row["model"], str(row["version"])
    place = layout.repository(env)
    if layout.wrong(layout.bundle_folder(place, model, int(version))) is not None:
        if not TRAINING.exists():
            raise ServingError(
                f"{TRAINING} is missing, which fetches models: run `make .venv-training/.installed`"
            )
        _run(TRAINING, ["serving.repository", "fetch", model, version], "", env)
    numbers = [float("nan") if value is None else float(value) for value in row["features"]]
    line = " ".join(map(float.hex, numbers))
    said = _run(triton.python(), ["serving.score", model, version], line, env)
    return float.fromhex(said.strip())


def _run(python: Path, module: Sequence[str], text: str, env: Env) -> str:
    done = subprocess.run(
        [python, "-m", *module],
        cwd=layout.ROOT,
        env=dict(env),
        input=text,
        capture_output=True,
        text=True,
        timeout=SCORE_S,
        check=False,
    )
    if done.returncode != 0:
        raise ServingError(done.stderr.strip() or f"{' '.join(module)} failed")
    return done.stdout


def compared(row: Mapping[str, Any], score: float | None) -> Replayed:
    """What the two say; row: of model.replay(). score: None where its features cannot be had."""
    lines = [
        f"version {row['version']} of {row['model']} for {row['symbol']}, tenant "
        f"{row['tenant_id']}, as of {row['as_of'].isoformat()}",
        f"features: the same, SHA-256 {row['feature_hash']}"
        if row["same"]
        else f"features DIFFER: {row['difference']}",
    ]
    is_score = score is not None and _bits(score) == _bits(row["value"])
    if is_score:
        lines.append(f"score: the same to the bit, {score!r}")
    elif score is not None:
        lines.append(f"score DIFFERS: {score!r} now, {row['value']!r} was served")
    return Replayed(bool(row["same"]) and is_score, lines)


def _bits(value: float) -> bytes:
    return struct.pack(">d", value)
