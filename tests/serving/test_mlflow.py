"""A version comes from MLflow's registry into the model repository, as make train leaves it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from serving import layout, replay
from tests.serving.world import MODEL, ROOT, Models, Routed

# what training.train does at its end, without the training; in one process, as MLflow takes its
# time to be imported
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
from serving.repository import main
sys.exit(main(["once", sys.argv[2]]))
"""


@pytest.fixture
def env(world: Routed, tmp_path: Path) -> dict[str, str]:
    return os.environ | {
        "DATABASE_URL": world.served.database,
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
        "SERVING_REPOSITORY": str(tmp_path / "models"),
        "PYTHONPATH": str(ROOT),
    }


def test_what_has_an_alias_is_brought_from_mlflow(
    world: Routed,
    models: Models,
    training_python: Path,
    env: dict[str, str],
    tmp_path: Path,
) -> None:
    assert training_python.exists()
    assert world.answering() == 1
    program = LOGS.replace("training/pyfunc.py", str(ROOT / "training" / "pyfunc.py"))
    # the registry's first version is the database's first, which is the champion
    bundle = tmp_path / "bundle"
    shutil.copytree(models.bundle(1), bundle)
    command = [str(replay.TRAINING), "-c", program, str(bundle), MODEL]
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    place = tmp_path / "models"
    assert [path.name for path in place.iterdir()] == [f"{MODEL}.1"]
    assert layout.wrong(layout.bundle_folder(place, MODEL, 1), models.made[1]) is None
