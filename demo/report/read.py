"""A day of a series of the report, read from the database at both clocks."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, LiteralString

import numpy as np
import psycopg
from psycopg.rows import dict_row, tuple_row

from demo.report import queries
from demo.report.levels import Day, levels, sentences
from demo.report.pack import Floats, pack

REGIMES = ("volatile", "trend_up", "trend_down", "range")
CAUSES = ("close", "late", "correction", "cancel")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
READERS = ("psql", "offline", "online")
Connection = psycopg.Connection[Any]
Row = Mapping[str, Any]


def rows(
    connection: Connection, query: LiteralString, arguments: Row | None = None
) -> list[dict[str, Any]]:
    """What a query answers, whatever the connection's own rows are."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, arguments).fetchall()


def tuples(connection: Connection, query: LiteralString, arguments: Row) -> list[tuple[Any, ...]]:
    """The same as tuples."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(query, arguments).fetchall()


def day(connection: Connection, one: Row, contract: Sequence[Row], served: Sequence[Row]) -> str:
    """Everything the page shows of a day of a series, packed.

    one: a row of queries.DAYS, with those of queries.CLOCK and queries.REACH. served: this series'
    rows of demo.served.compare().
    """
    columns = versions(tuples(connection, queries.VERSIONS, one))
    earlier = [bucket for (bucket,) in tuples(connection, queries.EARLIER, one)]
    reads_from = EPOCH + timedelta(microseconds=min([one["starts_us"], *earlier]))
    events = rows(connection, queries.EVENTS, {**one, "reads_from": reads_from})
    ((trades_on,),) = tuples(connection, queries.HAS_SESSIONS, one)
    sessions = tuples(connection, queries.SESSIONS, one) if trades_on else None
    shown = columns["bucket"] >= one["starts_us"]
    read = Day(
        tenant_id=one["tenant_id"],
        symbol=one["symbol"],
        starts=one["starts_us"],
        bucket=columns["bucket"][shown],
        known_at=columns["known_at"][shown],
        values={each["field"]: columns[each["field"]][shown] for each in contract},
        sessions=[(opens, closes) for opens, closes in sessions] if sessions is not None else None,
    )
    of_day = [event for event in events if event["ts"] >= one["starts_us"]]
    kept = levels(read, contract)
    (counts,) = rows(connection, queries.COUNTS, one)
    facts = {
        **{name: one[name] for name in ("tenant_id", "symbol", "description", "venue", "currency")},
        **{name: one[name] for name in ("tick_size", "zone", "starts_us")},
        "names": list(columns),
        "versions": len(columns["bucket"]),
        "sessions": sessions,
        "earlier": earlier,
        "events": [list(event.values()) for event in events],
        "levels": [each.row() for each in kept],
        "sentences": sentences(read, kept, of_day),
        "counts": {
            **counts,
            "late ticks": sum(event["action"] == "new" for event in of_day),
            "corrections": sum(event["action"] == "correction" for event in of_day),
            "cancels": sum(event["action"] == "cancel" for event in of_day),
            "bars": len(np.unique(read.bucket)),
            "versions of them": len(read.bucket),
        },
        "refused": tuples(connection, queries.REFUSED, one),
        "served": [
            [str(row["as_of"]), row["field"], *(_plain(row[name]) for name in READERS)]
            for row in served
        ],
    }
    return pack(facts, list(columns.values()))


def _plain(value: Any) -> Any:
    """JSON has no NaN."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def versions(found: Sequence[tuple[Any, ...]]) -> dict[str, Floats]:
    """Rows of queries.VERSIONS as columns of doubles: NULL is NaN, a word its number."""
    names = (
        *("bucket", "known_at", "cause", "open", "high", "low", "close", "volume", "vwap"),
        *("sma_20", "volatility_1h", "regime_tag", "spread_bps", "order_imbalance"),
    )
    words = {
        "cause": dict(zip(CAUSES, count(), strict=False)),
        "regime_tag": dict(zip(REGIMES, count(), strict=False)),
    }
    columns = {}
    for place, name in enumerate(names):
        values = [row[place] for row in found]
        if name in words:
            values = [words[name].get(value) for value in values]
        columns[name] = np.array(
            [np.nan if value is None else value for value in values], dtype=np.float64
        )
    return columns
