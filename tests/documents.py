"""The blocks of code of README.md and docs/, in the order in which a reader meets them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ("README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
FENCED = r"^```(?P<kind>\w+)\n(?P<text>.*?)\n```$"
INDENTED = r"(?<=\n\n) {4}[^\n]*\n(?:(?: {4}[^\n]*)?\n)*"
BLOCK = re.compile(f"{FENCED}|{INDENTED}", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced or indented block; kind: the word behind the fence, or `indented`."""

    document: str
    line: int
    kind: str
    text: str


def blocks(document: str, *kinds: str) -> list[Block]:
    """All blocks of a document, or those of some kinds."""
    whole = (ROOT / document).read_text()
    found = [
        Block(
            document,
            whole.count("\n", 0, one.start()) + 1,
            one["kind"] or "indented",
            one["text"] or dedent(one[0]).strip("\n"),
        )
        for one in BLOCK.finditer(whole)
    ]
    return [one for one in found if not kinds or one.kind in kinds]


def block(document: str, begins: str) -> str:
    """The text of the one block of a document that begins so."""
    (found,) = (one.text for one in blocks(document) if one.text.startswith(begins))
    return found
