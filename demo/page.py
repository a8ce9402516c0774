"""The report of what is in the database: made once by the demo, then every minute by its live part.

python -m demo.page DIRECTORY
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from demo import report
from engine.resolve import database_url
from ingest.signals import stop_on_signals

EVERY_S = 60.0
SYNTHETIC = (
    "Synthetic data: a deterministic random day, and today's by the clock, made by this "
    "repository; no real market."
)
KEPT = "served.json"
log = logging.getLogger("demo.page")

Row = dict[str, Any]


def make(url: str, path: Path, source: str, compared: Sequence[Row]) -> None:
    """Write the report of a database to path.

    source says where the data are from; compared: rows of served.compare().
    """
    fresh = path.with_name(f"{path.name}.new")
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        report.write(fresh, connection, source=source, served=compared)
    # whoever has it open sees the one before or this one
    fresh.replace(path)


def keep(compared: Sequence[Row], path: Path, directory: Path) -> None:
    """Leave in directory where the report is, and what the demo compared, for the next ones."""
    directory.mkdir(parents=True, exist_ok=True)
    kept = {"report": str(path.resolve()), "served": compared}
    (directory / KEPT).write_text(json.dumps(kept, default=str))


def main(argv: list[str] | None = None) -> int:
    """Make the report every minute until a signal; a failure is logged, and tried again."""
    (directory,) = sys.argv[1:] if argv is None else argv
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stopping = threading.Event()
    stop_on_signals(stopping.set)
    kept = json.loads((Path(directory) / KEPT).read_text())
    url = database_url()
    while not stopping.wait(EVERY_S):
        try:
            make(url, Path(kept["report"]), SYNTHETIC, kept["served"])
        except (psycopg.Error, OSError) as error:
            log.error("no new report, tried again in a minute: %s", error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
