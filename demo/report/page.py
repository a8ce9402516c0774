"""The file: template, style and script of this folder around the packed days."""

import html
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from demo import contract
from demo.report import queries
from demo.report.pack import pack
from demo.report.read import CAUSES, day, rows

FOLDER = Path(__file__).resolve().parent
SCRIPTS = ("moment.js", "chart.js", "page.js")
# of 2 MB, what is left for days by template, style and script
LARGEST = 1_850_000
Row = Mapping[str, Any]


def write(
    path: Path, connection: psycopg.Connection[Any], *, source: str, served: Sequence[Row]
) -> None:
    """Write the report of what the database holds to path, a file below 2 MB.

    Of every series its last three days of a week, by UTC, as far as they fit, the newest first; the
    page says how many did not. source: where the ticks are from, a sentence or names of files.
    served: rows of demo.served.compare(). Errors: those of a login that may not read the log.
    """
    fields = contract.read(connection)
    (clock,) = rows(connection, queries.CLOCK)
    found = rows(connection, queries.DAYS)
    (reach,) = rows(connection, queries.REACH) if found else ({"minutes": 0, "bars": 0},)
    packed: list[str] = []
    for one in found:
        of_it = [
            row
            for row in served
            if (row["tenant_id"], row["symbol"]) == (one["tenant_id"], one["symbol"])
        ]
        text = day(connection, {**one, **clock, **reach}, fields, of_it)
        if packed and sum(map(len, packed)) + len(text) > LARGEST:
            break
        packed.append(text)
    made = datetime.now(UTC)
    facts = {
        "days": [
            [one["tenant_id"], one["symbol"], f"{one['starts']:%Y-%m-%d}"]
            for one in found[: len(packed)]
        ],
        "made_us": round(made.timestamp() * 1_000_000),
        "left_out": len(found) - len(packed),
        "contract": fields,
        "sets": contract.of_all_sets(connection),
        "lead": contract.lead(fields),
        "reach": reach,
        "causes": CAUSES,
        "published_us": clock["published_us"],
        "refused": [list(row.values()) for row in rows(connection, queries.REFUSED_OTHERS)],
        "verdict": verdict(served),
        "models": rows(connection, queries.MODELS),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(assemble(facts, packed, source, made), encoding="utf-8")


def verdict(served: Sequence[Row]) -> str:
    """How many of the values are the same from psql, offline and online, in a sentence."""
    equal = sum(row["psql"] == row["offline"] == row["online"] for row in served)
    return (
        f"{equal:,} of {len(served):,} values are the same, to the bit, from "
        "feature_pit_snapshot() in psql, from Feast's training set and from the online store."
    )


def assemble(facts: Mapping[str, Any], packed: Sequence[str], source: str, made: datetime) -> str:
    """The page's text. facts: what holds for all days; packed: what read.day() gave of each."""
    page = (FOLDER / "page.html").read_text(encoding="utf-8")
    data = "".join(
        f'<script type="application/octet-stream" id="{name}">{text}</script>\n'
        for name, text in [
            ("facts", pack(dict(facts))),
            *((f"day-{number}", text) for number, text in enumerate(packed)),
        ]
    )
    parts = {
        "{{source}}": html.escape(source),
        "{{made}}": f"{made:%Y-%m-%d %H:%M} UTC",
        "{{style}}": (FOLDER / "page.css").read_text(encoding="utf-8"),
        "{{data}}": data,
        "{{script}}": "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS),
    }
    for mark, text in parts.items():
        page = page.replace(mark, text)
    return page
