"""A run that is ended from outside leaves no process behind, whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 60.0

# servers as tests start them: in a fixture that stops them, by a command that has gone, in a test
INNER = """
import subprocess, sys, time
from pathlib import Path
import pytest
from embedded import broker, redis

@pytest.fixture(scope="session")
def servers(tmp_path_factory):
    place = tmp_path_factory.mktemp("servers")
    yield [broker.start(place / "broker").pid, redis.start(place / "redis").pid]
    redis.stop(place / "redis")
    broker.stop(place / "broker")

@pytest.mark.parametrize("number", range({tests}))
def test_it_takes_long(servers, tmp_path, number):
    command = [sys.executable, "-m", "embedded.redis", "start", "--directory", str(tmp_path)]
    subprocess.run(command, check=True)
    pids = [*servers, redis.status(tmp_path).pid]
    pids.append(subprocess.Popen(["sleep", "600"], start_new_session=True).pid)
    new = Path({said!r}, "new" + str(number))
    new.write_text(" ".join(map(str, pids)))
    new.rename(new.with_name(str(number)))
    time.sleep(600)
"""


def _alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split()[0] not in (b"Z", b"X")


def _within(done: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + LIMIT_S
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
@pytest.mark.parametrize("workers", [0, 2])
def test_no_process_is_left(tmp_path: Path, number: signal.Signals, workers: int) -> None:
    tests = max(1, workers)
    said, inner = tmp_path / "said", tmp_path / "test_inner.py"
    said.mkdir()
    inner.write_text(INNER.format(tests=tests, said=str(said)))
    command = [sys.executable, "-m", "pytest", "-p", "tests.supervised", f"--rootdir={tmp_path}"]
    if workers:
        command += ["-n", str(workers)]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    with (tmp_path / "log").open("wb") as log:
        run = subprocess.Popen(
            [*command, f"--basetemp={tmp_path / 'base'}", str(inner)],
            cwd=tmp_path,
            env={**env, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        assert _within(lambda: run.poll() is not None or len([*said.glob("[0-9]")]) == tests)
        pids = {int(pid) for file in said.glob("[0-9]") for pid in file.read_text().split()}
        assert len(pids) == 4 * tests, (tmp_path / "log").read_text()
        assert all(map(_alive, pids))
        run.send_signal(number)
        assert run.wait(LIMIT_S) == pytest.ExitCode.INTERRUPTED, (tmp_path / "log").read_text()
        assert [pid for pid in pids if _alive(pid)] == []
    finally:
        run.kill()
