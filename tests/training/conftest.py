"""The training environment, a database with a day, and a process that trains on it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from embedded import redis
from tests.conftest import Databases
from tests.services import clean
from tests.training import day

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Said:
    """What a command did. code: its exit code; out, err: what it printed."""

    code: int
    out: str
    err: str

    def after(self, word: str) -> str:
        """The rest of the line that begins with a word."""
        (line,) = (one for one in self.out.splitlines() if one.startswith(f"{word} "))
        return line.removeprefix(f"{word} ")


class Trainer:
    """A process of the training environment. env: what it was started with."""

    def __init__(self, python: Path, env: dict[str, str]) -> None:
        self.env = env
        self._log = Path(env["TRAINER_LOG"]).open("w")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [python, "-m", "tests.training.steps"],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def ask(self, step: str, *arguments: Any, **env: str) -> dict[str, Any]:
        """A step of tests/training/steps.py, in other settings where some are given."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        asked = {"step": step, "arguments": arguments, "env": env}
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, Path(self.env["TRAINER_LOG"]).read_text()
        found: dict[str, Any] = json.loads(line)
        return found

    def run(self, *arguments: str, **env: str) -> Said:
        """A command of python -m training."""
        found = self.ask("main", list(arguments), **env)
        assert "error" not in found, found["trace"]
        return Said(found["value"], found["out"], found["err"])

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._log.close()


@pytest.fixture(scope="module")
def day_database(modelled_database: str) -> str:
    """With the day of tests/training/day.py."""
    day.load(modelled_database)
    return modelled_database


@pytest.fixture(scope="module")
def rebuilt_database(databases: Databases) -> Iterator[str]:
    """Another one, into which the same day was brought anew."""
    url, drop = databases.create("modelled")
    day.load(url)
    yield url
    drop()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped declarations, of the day's symbols and its few rows."""
    folder = tmp_path_factory.mktemp("models")
    for path in (ROOT / "training" / "models").glob("direction_5m*"):
        (folder / path.name).write_text(of_the_day(path.read_text()))
    return folder


def of_the_day(text: str) -> str:
    """A shipped declaration, for the day."""
    found = text
    if "[universe]" in text:
        begins = text.index("symbols = [")
        ends = text.index("]", begins) + 1
        found = text[:begins] + f"symbols = {json.dumps(list(day.SYMBOLS))}" + text[ends:]
        found = found.replace("min_train_rows = 200", "min_train_rows = 60")
        found = found.replace("folds = 4", "folds = 3")
    return found


@pytest.fixture(scope="module")
def trainer(
    training_python: Path, day_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trainer]:
    """A process that trains on the day, with MLflow and Redis of its own."""
    folder = tmp_path_factory.mktemp("trainer")
    server = redis.start(folder / "redis")
    made = Trainer(
        training_python,
        {
            **clean(),
            "DATABASE_URL": day_database,
            "REDIS_URL": server.url,
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow' / 'mlflow.db'}",
            "FEAST_REGISTRY": f"sqlite:///{folder / 'registry.db'}",
            "TRAINER_LOG": str(folder / "log"),
        },
    )
    yield made
    made.close()
    redis.stop(folder / "redis")


@pytest.fixture(scope="module")
def server(training_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of `make mlflow` over a folder of its own; Ctrl-C ends it."""
    assert training_python.exists()
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    settings = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "MLFLOW_PORT": port}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            ["make", "-s", f"VENV={sys.prefix}", "mlflow"],
            cwd=ROOT,
            env={**clean(), **settings},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(f"{url}/health", timeout=5).ok:
                break
        except requests.ConnectionError:
            time.sleep(0.2)
    assert process.poll() is None, (folder / "log").read_text()
    yield url
    os.killpg(process.pid, signal.SIGINT)
    process.wait(60)
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/health", timeout=5)
