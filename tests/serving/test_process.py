"""python -m serving serve, as make serve-model runs it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from serving import triton
from tests.feast.market import SYMBOLS
from tests.serving.world import MODEL, ROOT, Routed, eventually, outputs, symbols


@contextmanager
def served(
    world: Routed, running: triton.EmbeddedTriton, log: Path, port: int
) -> Iterator[subprocess.Popen[bytes]]:
    env = os.environ | {
        "DATABASE_URL": world.served.pool,
        "REDIS_URL": world.served.redis_url,
        "TRITON_URL": running.url,
        "SERVING_REPOSITORY": str(world.models.repository),
        "FEAST_REGISTRY": str(world.served.store.config.registry.path),
    }
    command = [sys.executable, "-m", "serving", "serve", MODEL, "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--metrics-port", "0"], cwd=ROOT, env=env, stdout=out, stderr=out
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def children(pid: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_the_command_serves(
    world: Routed,
    running: triton.EmbeddedTriton,
    training_python: Path,
    tmp_path: Path,
) -> None:
    assert training_python.exists()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path / "log"
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        try:
            return requests.get(f"{url}/v2/health/ready", timeout=10).status_code == 200
        except requests.ConnectionError:
            return False

    with served(world, running, log, port) as process:
        eventually(lambda: ready() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        (beside,) = children(process.pid)
        other = Routed(url, world.router, world.models, world.served)
        found = outputs(other.ask(symbols(SYMBOLS[1], tenants=[world.served.first])))
        # the market of the tests ended in 2024
        assert found["refused"][0].startswith("stale: market_1m is online as of 2024-03-04")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()
        assert not Path(f"/proc/{beside}").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", ""], "MODEL is not given: make serve-model MODEL=direction_5m"),
        (["replay", ""], "PREDICTION='' is no prediction_id"),
    ],
)
def test_what_is_not_given(arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", "serving", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert said in done.stderr
