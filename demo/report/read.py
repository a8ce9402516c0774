"""A day of a series of the report, read from the database at both clocks."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import numpy as np
import psycopg
from psycopg import sql
from psycopg.rows import dict_row, tuple_row

from demo.report import queries
from demo.report.levels import Day, levels, sentences
from demo.report.pack import Floats, pack

CAUSES = ("close", "late", "correction", "cancel", "definition")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
READERS = ("psql", "offline", "online")
Connection = psycopg.Connection[Any]
Row = Mapping[str, Any]


def rows(
    connection: Connection, query: LiteralString | sql.Composed, arguments: Row | None = None
) -> list[dict[str, Any]]:
    """What a query answers, whatever the connection's own rows are."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, arguments).fetchall()


def tuples(
    connection: Connection, query: LiteralString | sql.Composed, arguments: Row
) -> list[tuple[Any, ...]]:
    """The same as tuples."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(query, arguments).fetchall()


def day(connection: Connection, one: Row, contract: Sequence[Row], served: Sequence[Row]) -> str:
    """Everything the page shows of a day of a series, packed.

    one: a row of queries.DAYS, with those of queries.CLOCK and queries.REACH. contract: of
    demo.contract.read(). served: this series' rows of demo.served.compare().
    """
    fields = [each["field"] for each in contract]
    columns, words = versions(tuples(connection, queries.versions(fields), one), contract)
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
        values={field: columns[field][shown] for field in fields},
        sessions=[(opens, closes) for opens, closes in sessions] if sessions is not None else None,
    )
    of_day = [event for event in events if event["ts"] >= one["starts_us"]]
    kept = levels(read, contract)
    (counts,) = rows(connection, queries.COUNTS, one)
    facts = {
        **{name: one[name] for name in ("tenant_id", "symbol", "description", "venue", "currency")},
        **{name: one[name] for name in ("tick_size", "zone", "starts_us")},
        "names": list(columns),
        "words": words,
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


def versions(
    found: Sequence[tuple[Any, ...]], contract: Sequence[Row]
) -> tuple[dict[str, Floats], dict[str, list[str]]]:
    """Rows of queries.versions() as columns of doubles: NULL is NaN, a word its number.

    And the words of each field that has some: those of its unit, and others that were found.
    """
    kept = list(zip(*found, strict=True)) or [()] * (3 + len(contract))
    bucket, known_at, cause, *values = kept
    columns = {
        "bucket": _floats(bucket),
        "known_at": _floats(known_at),
        "cause": _floats([CAUSES.index(one) for one in cause]),
    }
    words = {}
    for one, found_of_it in zip(contract, values, strict=True):
        field, told = one["field"], found_of_it
        if one["kind"] == "word":
            words[field] = list(dict.fromkeys([*one["words"], *sorted({*told} - {None})]))
            numbers = {None: None, **{word: at for at, word in enumerate(words[field])}}
            told = tuple(numbers[word] for word in told)
        columns[field] = _floats(told)
    return columns, words


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
