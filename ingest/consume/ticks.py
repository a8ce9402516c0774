"""Rows of ticks into their tables, inside the transaction of a batch."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import polars as pl
import psycopg

from ingest.kinds import KEY, KINDS, Record

KEY_TYPES: dict[str, Any] = {
    "tenant_id": pl.Int64,
    "symbol": pl.String,
    "ts": pl.Datetime("us"),
    "seq": pl.Int64,
}
# what incoming_<kind> has before the columns of the kind's table
OF_EVENT = ("ordinal", "action", "own_clock")
Other = tuple[int, str, Record | None]
# text, not binary: Polars writes it in no time, row by row in Python takes longer than the insert
TIME_FORMAT = "%Y-%m-%d %H:%M:%S%.6f+00"
AMENDED = """
    select s.tenant_id, s.symbol, s.ts at time zone 'UTC', s.seq
    from
        unnest(%s::integer[], %s::text[], %s::timestamptz[], %s::timestamptz[])
        as r (tenant_id, symbol, first_ts, last_ts)
    cross join lateral (
        select t.tenant_id, t.symbol, t.ts, t.seq
        from {table} as t
        where
            t.tenant_id = r.tenant_id
            and t.symbol = r.symbol
            and t.ts between r.first_ts and r.last_ts
        limit %s
    ) as s
    limit %s
"""
MOST_AMENDED = 1000
FIRST_APPLIED, MOST_APPLIED = 8, 512


@dataclass
class Run:
    """Batches that are applied without trying to copy them: a copy met a key that was known.

    left: of them; length: of the next run, which doubles as long as no copy succeeds.
    """

    left: int = 0
    length: int = FIRST_APPLIED


class Ticks:
    """Writes ticks of every kind: copied straight into the table where they can be.

    That takes half the time of `insert ... on conflict`, and is undone where a key is there
    already, or was. Corrections, cancels and what repeats go through market.apply_<kind>s, which
    knows the rules. Either way writing is idempotent: a tick said again changes nothing.
    """

    def __init__(self) -> None:
        """Start by trying to copy."""
        self._runs: defaultdict[str, Run] = defaultdict(Run)

    def write(self, connection: psycopg.Connection, kind: str, rows: pl.DataFrame) -> list[Other]:
        """Write the rows, columns as incoming_<kind>; return those that changed nothing.

        They are (ordinal, outcome, was), as market.apply_trades says them. Raises psycopg.Error.
        """
        if self.copies(kind):
            rows = self._copied(connection, kind, rows)
        else:
            self._runs[kind].left -= 1
        return _applied(connection, kind, rows) if rows.height else []

    def copies(self, kind: str) -> bool:
        """Whether the next rows of this kind are copied, if they can be."""
        return self._runs[kind].left == 0

    def leave_to_apply(self, kind: str) -> None:
        """Do not try to copy this kind for a while: 8 batches, twice as many each time."""
        run = self._runs[kind]
        run.left, run.length = run.length, min(2 * run.length, MOST_APPLIED)

    def _copied(
        self, connection: psycopg.Connection, kind: str, rows: pl.DataFrame
    ) -> pl.DataFrame:
        """Copy new ticks into their table and return the other rows; all where that fails."""
        new = rows.filter(pl.col("action") == "new")
        if new.is_empty():
            return rows
        columns = new.columns[len(OF_EVENT) :]
        try:
            with connection.transaction() as copying:
                # in the order of the index, which is then written page by page
                ordered = new.select(columns).sort(KEY)
                _copy(connection, f"{KINDS[kind].table} ({', '.join(columns)})", ordered)
                # afterwards: the copy has waited for whoever was cancelling one of them
                if _was_amended(connection, kind, new):
                    raise psycopg.Rollback(copying)
                self._runs[kind].length = FIRST_APPLIED
                return rows.filter(pl.col("action") != "new")
        except psycopg.errors.UniqueViolation:
            pass
        self.leave_to_apply(kind)
        return rows


def _applied(connection: psycopg.Connection, kind: str, rows: pl.DataFrame) -> list[Other]:
    create_incoming(connection, kind)
    _copy(connection, f"pg_temp.{KINDS[kind].incoming}", rows)
    return connection.execute(f"select ordinal, outcome, was from {KINDS[kind].apply}()").fetchall()


def create_incoming(connection: psycopg.Connection, kind: str) -> None:
    """Make the session's table that a kind's apply function reads; a commit empties it."""
    connection.execute(
        f"create temporary table if not exists {KINDS[kind].incoming}"
        " (ordinal bigint, action text, own_clock boolean not null default false, like"
        f" {KINDS[kind].table}) on commit delete rows"
    )


def _was_amended(connection: psycopg.Connection, kind: str, new: pl.DataFrame) -> bool:
    """Whether one of these keys was ever corrected or cancelled, or a correction waits for it.

    Also true when so many keys were, in the time ranges of these, that looking would take long.
    """
    ts = pl.col("ts").dt.replace_time_zone("UTC")
    ranges = new.group_by("tenant_id", "symbol").agg(
        ts.min().alias("first_ts"), ts.max().alias("last_ts")
    )
    most = MOST_AMENDED + 1
    values = [*(ranges[name].to_list() for name in ranges.columns), most, most]
    found = connection.execute(AMENDED.format(table=KINDS[kind].events), values).fetchall()
    amended = pl.DataFrame(found, schema=KEY_TYPES, orient="row")
    return len(found) == most or not new.join(amended, on=KEY, how="semi").is_empty()


def _copy(connection: psycopg.Connection, target: str, rows: pl.DataFrame) -> None:
    out = BytesIO()
    rows.write_csv(out, include_header=False, datetime_format=TIME_FORMAT)
    with connection.cursor().copy(f"copy {target} from stdin (format csv)") as copy:
        copy.write(out.getbuffer())
