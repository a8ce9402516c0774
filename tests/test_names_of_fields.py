"""Which fields there are stands in the contract: code that names one would not follow it."""

import re
from pathlib import Path

from tests.contracts import contract

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("bench", "demo", "engine", "feast_repo", "telemetry")
SUFFIXES = {".py", ".js", ".css", ".html", ".yaml"}
# words of the language and of style sheets, too
COMMON = {"open", "high", "low", "close", "volume", "gap"}
# A user of features chooses some of them.
CHOOSES = {
    "demo/__main__.py": "a statement to paste",
    "feast_repo/ratio.py": "an example of what one defines over features",
}


def named(text: str) -> set[str]:
    """Fields that a text names."""
    return ({line["field"] for line in contract()} - COMMON) & {*re.findall(r"\w+", text)}


def test_only_who_chooses_fields_names_them() -> None:
    files = [
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in SUFFIXES and "node_modules" not in path.parts
    ]
    assert len(files) > 80
    found = {str(path.relative_to(ROOT)) for path in files if named(path.read_text())}
    assert found == set(CHOOSES)


def test_each_way_to_name_one_is_seen() -> None:
    assert named('f.sma_20, "vwap" of closes') == {"sma_20", "vwap"}
    assert named("a volume at the close, sma_200") == set()
