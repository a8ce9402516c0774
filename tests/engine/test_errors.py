"""One root of what a user can mend, and every command prints it as one line."""

import ast
import importlib
from pathlib import Path

import pytest

from embedded.errors import EmbeddedError, UserError
from engine.errors import ConfigError, EngineError
from ingest.errors import IngestError

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = sorted(
    path.relative_to(ROOT)
    for pattern in ("*/__main__.py", "bench/*/__main__.py", "embedded/daemon.py", "examples/*.py")
    for path in ROOT.glob(pattern)
    if "except" in path.read_text()
)


@pytest.mark.parametrize("error", [EmbeddedError, EngineError, ConfigError, IngestError])
def test_every_packages_errors_have_one_root(error: type[Exception]) -> None:
    assert issubclass(error, UserError)


def caught(path: Path) -> set[str]:
    """Names that the module's functions that print an error and return 1 catch."""
    return {
        ast.unparse(handler.type)
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.Try)
        for handler in node.handlers
        if handler.type is not None
        and any(
            (isinstance(last, ast.Return) and ast.unparse(last) == "return 1")
            or "sys.exit" in ast.unparse(last)
            for last in handler.body
        )
    }


@pytest.mark.parametrize("path", COMMANDS, ids=str)
def test_a_command_catches_that_root_alone(path: Path) -> None:
    assert caught(path) == {"UserError"}


@pytest.mark.parametrize("name", ["engine", "feast_repo", "ingest", "demo"])
def test_a_command_prints_one_line_and_exits_1(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENGINE", "oracle")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:1")
    arguments = {
        "engine": ["up"],
        "feast_repo": ["materialize"],
        "ingest": ["run"],
        "demo": [],
    }[name]
    assert importlib.import_module(f"{name}.__main__").main(arguments) == 1
    said = "".join(capsys.readouterr())
    assert "ENGINE='oracle' is unknown" in said
    assert "Traceback" not in said
