"""Ctrl-C ends every command with a line that says what stands, never with a traceback."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


def interrupted(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def inside_a_callback(*_: Any, **__: Any) -> None:
    """What confluent_kafka makes of Ctrl-C while it calls back."""
    raise SystemError("<method 'poll'> returned NULL") from KeyboardInterrupt()


@pytest.mark.parametrize(
    ("module", "what", "arguments", "code", "said"),
    [
        ("engine", "migrate", ["migrate"], 130, "migrate: interrupted; each migration was applied"),
        ("engine", "start", ["dbt"], 130, "dbt: interrupted; models it had built stay"),
        ("engine", "start", ["psql"], 130, "psql: interrupted\n"),
        ("feast_repo", "_run", ["materialize"], 130, "materialize: interrupted; views that"),
        ("feast_repo", "_run", ["push"], 0, "push: ended"),
        ("feast_repo", "_run", ["serve"], 0, "serve: ended"),
        ("ingest", "kafka_bootstrap", ["replay", "a"], 130, "replay: interrupted"),
        ("demo", "check", [], 130, "demo interrupted after nothing"),
    ],
)
def test_a_command_says_what_stands(
    module: str,
    what: str,
    arguments: list[str],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ENGINE", "given")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    command = importlib.import_module(f"{module}.__main__")
    monkeypatch.setattr(command, what, interrupted)
    assert command.main(arguments) == code
    told = "".join(capsys.readouterr())
    assert said in told
    assert "None" not in told


def test_inside_a_callback_of_the_kafka_client(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = importlib.import_module("ingest.__main__")
    monkeypatch.setattr(command, "kafka_bootstrap", inside_a_callback)
    assert command.main(["replay", "a"]) == 130
    assert "replay: interrupted" in capsys.readouterr().err
    other = SystemError("something else")
    monkeypatch.setattr(command, "kafka_bootstrap", lambda: (_ for _ in ()).throw(other))
    with pytest.raises(SystemError, match="something else"):
        command.main(["replay", "a"])


def test_while_feast_is_being_loaded() -> None:
    """It says at once what it does; from then on Ctrl-C is no traceback."""
    with subprocess.Popen(
        [sys.executable, "-m", "feast_repo", "serve", "--port", "1"],
        cwd=ROOT,
        env={**os.environ, "ENGINE": "given", "DATABASE_URL": "postgresql://me@127.0.0.1:1/x"},
        stderr=subprocess.PIPE,
        text=True,
    ) as serve:
        assert serve.stderr is not None
        first = serve.stderr.readline()
        assert first.startswith("serve: the feature API on http://127.0.0.1:1, once Feast is")
        serve.send_signal(signal.SIGINT)
        rest = serve.stderr.read()
    assert "Traceback" not in rest
    assert serve.returncode in (0, 1)


def test_another_program_ends_in_its_own_way() -> None:
    """Who runs it waits for what it still has to do, and keeps what it said."""
    program = (
        "import sys\n"
        "from engine import child\n"
        "waits = 'import time\\ntry:\\n  print(1)\\n  time.sleep(60)\\n'\n"
        "waits += 'except KeyboardInterrupt:\\n  time.sleep(0.5)\\n  print(2)'\n"
        "try:\n"
        "    child.stream([sys.executable, '-c', waits], {}, '.', show=True)\n"
        "except KeyboardInterrupt:\n"
        "    print(3, file=sys.stderr)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None
        # as it comes, not at the end
        assert parent.stdout.readline() == "1\n"
        # a terminal's Ctrl-C is for all of its programs
        os.killpg(parent.pid, signal.SIGINT)
        _, said = parent.communicate(timeout=30)
    assert said.split() == ["2", "3"]
