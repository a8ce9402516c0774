"""Ingest's rooms: arrows go one way between them, and no file is reached from itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INGEST = ROOT / "ingest"
# what each room may import from, besides itself; ground: the files at ingest's top
MAY = {
    "ground": set(),
    "wire": {"ground"},
    "deadletters": {"ground", "wire"},
    "consume": {"ground", "wire", "deadletters"},
    "replay": {"ground", "wire"},
    "__main__": {"ground"},
}


def modules() -> dict[str, Path]:
    """Each module of ingest by its dotted name; a folder's __init__ is its name."""
    found = {}
    for path in INGEST.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def room(module: str) -> str:
    parts = module.split(".")[1:]
    if parts == ["__main__"]:
        return "__main__"
    return parts[0] if parts and (INGEST / parts[0]).is_dir() else "ground"


def imports(source: str, known: set[str]) -> Iterator[str]:
    """The modules of ingest that a source imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in known:
                    yield inner
                elif node.module in known:
                    yield node.module


def graph() -> dict[str, set[str]]:
    """Each module, and those of ingest that it imports."""
    found = modules()
    return {name: set(imports(path.read_text(), set(found))) for name, path in found.items()}


def upward(arrows: dict[str, set[str]]) -> list[str]:
    return [
        f"{module} -> {target}"
        for module, targets in sorted(arrows.items())
        for target in sorted(targets)
        if room(target) not in MAY[room(module)] | {room(module)}
    ]


def test_every_folder_is_a_room() -> None:
    assert {room(module) for module in graph()} == set(MAY)


def test_arrows_go_one_way_between_rooms() -> None:
    assert upward(graph()) == []


def test_no_file_is_reached_from_itself() -> None:
    try:
        TopologicalSorter(graph()).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_an_arrow_that_goes_up_is_seen() -> None:
    known = {"ingest.kinds", "ingest.consume", "ingest.consume.batch"}
    source = "def late():\n    from ingest.consume import batch\n    import ingest.kinds\n"
    assert list(imports(source, known)) == ["ingest.consume.batch", "ingest.kinds"]
    assert upward({"ingest.wire.codec": set(imports(source, known))}) == [
        "ingest.wire.codec -> ingest.consume.batch"
    ]


def test_the_packages_list_is_the_rooms() -> None:
    listed = (ROOT / "pyproject.toml").read_text()
    for name in MAY.keys() - {"ground", "__main__"}:
        assert f'"ingest.{name}"' in listed
