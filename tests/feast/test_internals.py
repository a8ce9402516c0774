"""An upgrade of Feast is one file to look at."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INTERNALS = ROOT / "feast_repo" / "internals.py"
SOURCES = sorted(
    path
    for package in ("bench", "demo", "examples", "feast_repo")
    for path in (ROOT / package).rglob("*.py")
    if "feast" in path.read_text() and path != INTERNALS
)


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def private_names(source: str) -> set[str]:
    """What a module imports of Feast with an underscore, or asks of another object than itself."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "feast":
            found |= {alias.name for alias in node.names if is_private(alias.name)}
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            of = node.value
            if not (isinstance(of, ast.Name) and of.id in ("self", "cls")):
                found.add(node.attr)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_other_module_uses_a_private_name_of_feasts(path: Path) -> None:
    assert private_names(path.read_text()) == set()


def test_that_one_has_them_all() -> None:
    assert private_names(INTERNALS.read_text()) == {
        *("_get_client", "_get_conn", "_get_provider", "_mmh3", "_parse_connection_string"),
        *("_prep_rows_to_write_for_ingestion", "_redis_key", "_table", "_timestamp_to_str"),
        "_value_to_native",
    }


@pytest.mark.parametrize(
    "source",
    ["from feast.infra.utils import _get_conn", "store._get_provider()", "a.b._table"],
)
def test_each_way_to_use_one_is_seen(source: str) -> None:
    assert private_names(source)
