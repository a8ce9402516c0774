"""The report of what is in the database: made once by the demo, then every minute by its live part.

python -m demo.page DIRECTORY
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from demo import queries, report
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


@dataclass(frozen=True)
class Made:
    """What a report was made of: the last bar of each series, and what was rejected."""

    bars: list[Row]
    rejected: list[Row]

    def newest(self, columns: Sequence[str]) -> list[Row]:
        """The bars with these columns, in that order."""
        return [{name: bar[name] for name in columns} for bar in self.bars]


def make(url: str, path: Path, source: str, compared: Sequence[Row]) -> Made:
    """Write the report of a database to path; return what the summary shows of it.

    source says where the data are from; compared: rows of served.compare().
    """
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        # one read: each would compute every window again
        features = connection.execute(queries.FEATURES).fetchall()
        series = {
            f"tenant {tenant_id}, {symbol}": list(bars)
            for (tenant_id, symbol), bars in groupby(
                features, key=itemgetter("tenant_id", "symbol")
            )
        }
        rejected = connection.execute(queries.REJECTED).fetchall()
        fresh = path.with_name(f"{path.name}.new")
        report.write(fresh, connection, source=source, served=compared)
        # whoever has it open sees the one before or this one
        fresh.replace(path)
    return Made([bars[-1] for bars in series.values()], rejected)


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
