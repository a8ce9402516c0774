"""What docs/point-in-time.md shows is what psql prints."""

import re
import subprocess
from pathlib import Path

from engine.__main__ import psql_path

DOC = Path(__file__).resolve().parent.parent / "docs" / "point-in-time.md"


def blocks() -> list[tuple[str, str]]:
    """(sql, expected output) of the document, in order; output is empty where none is shown."""
    found = re.findall(r"```(sql|text)\n(.*?)```", DOC.read_text(), re.S)
    pairs: list[tuple[str, str]] = []
    for (kind, text), (next_kind, next_text) in zip(found, [*found[1:], ("", "")], strict=True):
        if kind == "sql":
            pairs.append((text, next_text if next_kind == "text" else ""))
    return pairs


def spaceless(text: str) -> list[list[str]]:
    """Lines as cells, without psql's padding and rulers."""
    return [
        [cell.strip() for cell in line.split("|")]
        for line in text.splitlines()
        if line.strip() and not set(line) <= set("-+")
    ]


def test_the_worked_example_prints_what_the_document_shows(modelled_database: str) -> None:
    # pasted twice it says the same
    for text, expected in [*blocks(), *blocks()]:
        done = subprocess.run(
            [
                psql_path(),
                modelled_database,
                "-X",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-P",
                "footer=off",
            ],
            input="set time zone 'UTC';\n" + text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        if "select" in text.split():
            assert spaceless(done.stdout) == spaceless(expected), text
