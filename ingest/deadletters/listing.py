"""Letters for people: in 80 columns on a terminal, tab-separated for programs."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from ingest import texts
from ingest.deadletters.letters import Letter
from ingest.validate import moment

MOST_TOTALS = 20
INDENT = "    "
NUMBERS = ("letters", "sent back")

Totals = Counter[tuple[str, str, str, str, str]]


def whose(letter: Letter) -> tuple[str, str, str, str, str]:
    """Return what letters are counted by: topic, reason, tenant, symbol, file."""
    tenant = "" if letter.tenant is None else str(letter.tenant)
    return letter.topic, letter.reason, tenant, letter.symbol or "", letter.file or ""


def show_letters(letters: Iterable[Letter]) -> None:
    """Print each: two lines with its number whole, or its values separated by tabs."""
    if not Console().is_terminal:
        for letter in letters:
            values = (letter.number, letter.source, letter.reason, moment(letter.time_us))
            cells = (*values, letter.headers.get("message", ""), *whose(letter)[2:])
            print("\t".join(" ".join(cell.split()) for cell in cells))
        return
    width = shutil.get_terminal_size().columns - 1
    for letter in letters:
        print(f"{letter.number}  {letter.reason}  {moment(letter.time_us)[:19]}")
        said = " ".join(f"{letter.source}: {letter.headers.get('message', '')}".split())
        room = width - len(INDENT)
        print(INDENT + (said if len(said) <= room else f"{said[: room - 3]}..."))


def show_totals(totals: Totals, settled: Totals | None = None) -> None:
    """Print how many letters there are of whom, most first; settled: that were sent back."""
    columns = ["reason", "tenant", "symbol", "file", "letters"]
    rows = []
    several = len({topic for topic, *_ in totals}) > 1
    for at, number in totals.most_common(MOST_TOTALS):
        row = [*at[1:], str(number)]
        rows.append([at[0], *row] if several else row)
        if settled is not None:
            rows[-1].append(str(settled[at]))
    columns = (["topic"] if several else []) + columns
    table(columns + ([] if settled is None else ["sent back"]), rows)
    if len(totals) > MOST_TOTALS:
        print(f"and {len(totals) - MOST_TOTALS} more kinds with fewer letters")


def table(columns: list[str], rows: list[list[str]]) -> None:
    """Print a table no wider than the terminal, or tab-separated values where nobody looks."""
    console = Console()
    if not console.is_terminal:
        for row in rows:
            print("\t".join(" ".join(cell.split()) for cell in row))
        return
    if not rows:
        return
    head = [
        Column(name, overflow="fold", justify="right" if name in NUMBERS else "left")
        for name in columns
    ]
    shown = Table(*head, box=box.SIMPLE, padding=(0, 1, 0, 0))
    for row in rows:
        shown.add_row(*(escape(texts.cut(cell, 60)) for cell in row))
    console.print(shown)
