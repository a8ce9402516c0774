"""The services as fixtures, one of each a session; tests/conftest.py names this file a plugin."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.jvm import kafka, registry

ROOT = Path(__file__).resolve().parents[1]
# what another make, or the caller's settings, would say
LEFT_OUT = ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "ARGS", "MODEL", "MLFLOW_TRACKING_URI")


def clean() -> dict[str, str]:
    """The environment without what a make that runs this has set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FEAST_")}
    return {name: value for name, value in kept.items() if name not in LEFT_OUT}


def installed(name: str, shared_directory: Path) -> Path:
    """Python of an environment that its target installs, once a run; skips where it cannot."""
    target = f"{name}/.installed"
    with (shared_directory / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            ["make", f"VENV={sys.prefix}", target],
            cwd=ROOT,
            env=clean(),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        pytest.skip(f"make {target} fails: {done.stderr.strip()[-500:]}")
    return ROOT / name / "bin" / "python"


@pytest.fixture(scope="session")
def training_python(shared_directory: Path) -> Path:
    """What trains models."""
    return installed(".venv-training", shared_directory)


@pytest.fixture(scope="session")
def serving_python(shared_directory: Path) -> Path:
    """What Triton runs in."""
    return installed(".venv-serving", shared_directory)


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kafka.Service]:
    """A running Apache Kafka; skips where there is none to be had."""
    reason = kafka.missing()
    if reason is not None:
        pytest.skip(reason)
    service = kafka.start(tmp_path_factory.mktemp("apache_kafka"))
    yield service
    kafka.stop(service)


@pytest.fixture(scope="session")
def apicurio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[registry.Service]:
    """A running Apicurio Registry; skips where there is none to be had."""
    reason = registry.missing()
    if reason is not None:
        pytest.skip(reason)
    service = registry.start(tmp_path_factory.mktemp("apicurio"))
    yield service
    registry.stop(service)
