"""How the code is laid out: who may import whom, and how long a thing may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# A package imports those of the levels below its own, and nobody imports tests.
LEVELS = (
    {"calendars", "embedded"},
    {"engine"},
    {"telemetry"},
    {"ingest", "feast_repo"},
    {"training"},
    {"serving"},
    {"bench", "demo", "examples"},
    {"tests"},
)
LEVEL = {package: number for number, level in enumerate(LEVELS) for package in level}
LONGEST_FUNCTION = 80
LONGEST_SQL_BODY = 120
LONGEST_TEST_FILE = 500
# a body ends with the very quote it began with; others may stand in it
SQL_BODY = re.compile(r"\bas\s+(\$\w*\$)(.*?)\1", re.DOTALL | re.IGNORECASE)
SQL_NAME = re.compile(
    r"create\s+(?:or\s+replace\s+)?(?:function|procedure)\s+([\w.]+)", re.IGNORECASE
)


def modules() -> Iterator[Path]:
    """Every Python file of this repository's packages."""
    for package in sorted(path.parent for path in ROOT.glob("*/*.py")):
        if not package.name.startswith("."):
            yield from sorted(package.rglob("*.py"))


MODULES = sorted({path for path in modules() if "node_modules" not in path.parts})


def imported(tree: ast.AST) -> Iterator[str]:
    """Top-level names of what is imported, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def climbs(package: str, tree: ast.AST) -> list[str]:
    """What this package must not import: its own level's others, and what is above."""
    return sorted(
        {
            name
            for name in imported(tree)
            if name in LEVEL and name != package and LEVEL[name] >= LEVEL[package]
        }
    )


def too_long(tree: ast.AST) -> list[tuple[str, int]]:
    """Functions above the limit, with their lines."""
    return [
        (node.name, lines)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION
    ]


def sql_bodies(text: str) -> Iterator[tuple[str, int]]:
    """(function, lines of its body) of an SQL file."""
    for found in SQL_BODY.finditer(text):
        names = SQL_NAME.findall(text[: found.start()])
        yield names[-1] if names else "?", found[2].strip("\n").count("\n") + 1


def test_every_package_has_its_level() -> None:
    packages = {path.relative_to(ROOT).parts[0] for path in MODULES}
    assert packages - set(LEVEL) == set()


def test_imports_go_down() -> None:
    found = {
        str(path.relative_to(ROOT)): up
        for path in MODULES
        if (up := climbs(path.relative_to(ROOT).parts[0], ast.parse(path.read_text())))
    }
    assert found == {}


def test_no_function_is_too_long() -> None:
    found = {
        str(path.relative_to(ROOT)): long
        for path in MODULES
        if (long := too_long(ast.parse(path.read_text())))
    }
    assert found == {}


def test_no_sql_function_is_too_long() -> None:
    files = sorted((ROOT / "migrations").rglob("*.sql"))
    bodies = [(file, *body) for file in files for body in sql_bodies(file.read_text())]
    assert len(bodies) > 50
    assert [
        (str(file.relative_to(ROOT)), name, lines)
        for file, name, lines in bodies
        if lines > LONGEST_SQL_BODY
    ] == []


def test_no_test_file_is_too_long() -> None:
    found = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / "tests").rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > LONGEST_TEST_FILE
    }
    assert found == {}


@pytest.mark.parametrize(
    ("package", "text", "up"),
    [
        ("engine", "import embedded.node\nfrom engine import dbt", []),
        ("engine", "def f():\n    from ingest.config import Config", ["ingest"]),
        ("ingest", "import feast_repo", ["feast_repo"]),
        ("bench", "from tests.pit import world\nimport numpy", ["tests"]),
        ("ingest", "from . import tests", []),
    ],
)
def test_what_climbs_is_seen(package: str, text: str, up: list[str]) -> None:
    assert climbs(package, ast.parse(text)) == up


def test_what_is_too_long_is_seen() -> None:
    body = "    pass\n" * LONGEST_FUNCTION
    assert too_long(ast.parse(f"async def f():\n{body}")) == [("f", LONGEST_FUNCTION + 1)]
    lines = "    select $q$ as $q$;\n" * 3
    text = f"create function a.b()\nreturns void as $$\n{lines}$$ language sql;\ndo $$\n$$;"
    assert [*sql_bodies(text)] == [("a.b", 3)]
