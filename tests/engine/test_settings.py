"""One reader of the environment, and nobody else who touches it."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import settings
from engine.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    *("bench", "demo", "embedded", "engine", "examples", "feast_repo", "ingest", "telemetry"),
)
READERS = {"text", "number", "choice", "_given"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Name and tree of every module that is no test."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "node_modules" not in path.parts:
                yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def touches(tree: ast.Module) -> int:
    """How often a module says os.environ, os.getenv or os.putenv, however it imports them."""
    names = {"environ", "environb", "getenv", "putenv", "unsetenv"}
    return sum(
        (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.ImportFrom) and node.module == "os")
        for node in ast.walk(tree)
    )


def test_only_the_reader_and_commands_touch_the_environment() -> None:
    """embedded/ stands below the reader, and hands its children what it was started with."""
    found = {name: touches(tree) for name, tree in modules()}
    others = {
        name
        for name, number in found.items()
        if number
        and name != "engine/settings.py"
        and not name.endswith("__main__.py")
        and not name.startswith("embedded/")
    }
    assert others == set()
    assert sum(found.values()) < 12


def test_what_this_process_was_started_with_cannot_be_written() -> None:
    with pytest.raises(TypeError):
        settings.ENVIRONMENT["A"] = "b"  # type: ignore[index]


def test_it_is_what_the_environment_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TESTS_OWN", "x")
    assert settings.text(settings.ENVIRONMENT, "A_TESTS_OWN") == "x"
    assert dict(settings.ENVIRONMENT) == dict(os.environ)


def test_every_variable_is_in_the_docs() -> None:
    read = {
        str(node.args[1].value)
        for _, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) in READERS
        and len(node.args) > 1
        and isinstance(node.args[1], ast.Constant)
        and re.fullmatch(r"[A-Z][A-Z_]+", str(node.args[1].value))
    }
    docs = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    said = {name for path in docs for name in re.findall(r"`([A-Z][A-Z_]+)\b", path.read_text())}
    assert len(read) > 25
    assert read <= said, f"in no table of docs/: {sorted(read - said)}"


@pytest.mark.parametrize("env", [{}, {"N": ""}])
def test_set_to_nothing_is_not_set(env: dict[str, str]) -> None:
    assert settings.text(env, "N", "x") == "x"
    assert settings.number(env, "N", 3, 1) == 3
    assert settings.choice(env, "N", ("a", "b")) is None


@pytest.mark.parametrize(
    ("given", "default", "value"),
    [("7", 1, 7), ("7", 1.0, 7.0), ("0.5", 1.0, 0.5), ("+2", 1, 2), ("1e1", 1.0, 10.0)],
)
def test_a_number_is_of_its_defaults_type(
    given: str, default: int | float, value: int | float
) -> None:
    found = settings.number({"N": given}, "N", default, 0)
    assert (found, type(found)) == (value, type(default))


@pytest.mark.parametrize("given", ["many", "-1", "1.5", "1_0", "\u0661", "inf", "nan", " 1", "10"])
def test_a_number_that_cannot_be_used_is_named(given: str) -> None:
    expected = re.escape(f"N={given!r}: set it to seconds from 0 to 9")
    with pytest.raises(ConfigError, match=expected):
        settings.number({"N": given}, "N", 1, 0, 9, what="seconds")


@pytest.mark.parametrize("given", ["inf", "nan", "1.2.3", ".", "1e", "1_0", "1e999", "-0.1"])
def test_a_float_that_cannot_be_used_is_named(given: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"N={given!r}: set it to a number")):
        settings.number({"N": given}, "N", 1.0, 0)


def test_a_choice_that_is_none_of_them_is_named() -> None:
    assert settings.choice({"N": "b"}, "N", ("a", "b")) == "b"
    with pytest.raises(ConfigError, match="N='c' is unknown; use one of a, b"):
        settings.choice({"N": "c"}, "N", ("a", "b"))
