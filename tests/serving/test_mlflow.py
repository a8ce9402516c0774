"""A version comes from MLflow's registry into the model repository, as make train leaves it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from serving import layout, replay
from tests.serving.test_process import training_environment as training_environment
from tests.serving.world import MODEL, ROOT, Models, Routed

# what training.train does at its end, without the training
LOGS = """
import sys
import mlflow
from engine.settings import ENVIRONMENT
from training import tracking
tracking.connect(ENVIRONMENT)
with mlflow.start_run():
    mlflow.pyfunc.log_model(
        name="model", python_model="training/pyfunc.py", artifacts={"bundle": sys.argv[1]},
        registered_model_name=sys.argv[2], pip_requirements=[],
    )
"""


@pytest.fixture
def env(world: Routed, tmp_path: Path) -> dict[str, str]:
    return os.environ | {
        "DATABASE_URL": world.served.database,
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
        "SERVING_REPOSITORY": str(tmp_path / "models"),
        "PYTHONPATH": str(ROOT),
    }


def run(env: dict[str, str], place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(replay.TRAINING), *arguments]
    return subprocess.run(command, cwd=place, env=env, capture_output=True, text=True, check=False)


def test_what_has_an_alias_is_brought_from_mlflow(
    world: Routed,
    models: Models,
    training_environment: None,
    env: dict[str, str],
    tmp_path: Path,
) -> None:
    assert training_environment is None
    assert world.answering() == 1
    program = LOGS.replace("training/pyfunc.py", str(ROOT / "training" / "pyfunc.py"))
    # the registry's first version is the database's first, which is the champion
    bundle = tmp_path / "bundle"
    shutil.copytree(models.bundle(1), bundle)
    done = run(env, tmp_path, "-c", program, str(bundle), MODEL)
    assert done.returncode == 0, done.stderr
    done = run(env, ROOT, "-m", "serving.repository", "once", MODEL)
    assert done.returncode == 0, done.stderr
    place = tmp_path / "models"
    assert [path.name for path in place.iterdir()] == [f"{MODEL}.1"]
    assert layout.wrong(layout.bundle_folder(place, MODEL, 1), models.made[1]) is None

    # nothing there, nothing to be had: it says so
    away = env | {
        "SERVING_REPOSITORY": str(tmp_path / "other"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/empty.db",
    }
    done = run(away, ROOT, "-m", "serving.repository", "once", MODEL)
    assert done.returncode == 1
    assert f"MLflow does not give version 1 of {MODEL}" in done.stderr
    assert list((tmp_path / "other").iterdir()) == []
