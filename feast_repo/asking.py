"""How the offline store is asked: entity frames in whatever form they come, and one publish."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import psycopg
import pyarrow as pa
from feast.infra.offline_stores import offline_utils
from feast.repo_config import RepoConfig
from feast.type_map import pg_type_code_to_arrow

from feast_repo import internals

# the columns of an entity frame that hold a tenant and a symbol
Keys = tuple[str, str]


@dataclass(frozen=True)
class Entities:
    """An entity frame. at: its column of event timestamps; moments: these, as they are asked."""

    table: pa.Table
    at: str
    moments: pa.ChunkedArray

    @classmethod
    def read(cls, entity_df: Any, config: RepoConfig) -> Entities:
        """Of a pandas, polars or Arrow frame, or of SQL.

        The column of times is event_timestamp where there are several. Errors: ValueError for
        another type, none, or one without times; psycopg's for SQL.
        """
        table = _arrow(entity_df, config)
        at = offline_utils.infer_event_timestamp_from_entity_df(
            {name: table[name].type.to_pandas_dtype() for name in table.column_names}
        )
        return cls(table, at, _moments(table[at], at))

    def require(self, columns: Collection[str]) -> None:
        """Errors: ValueError that names the columns that are missing."""
        missing = sorted(column for column in columns if column not in self.table.column_names)
        if missing:
            raise ValueError(
                f"the entity frame has no column {', '.join(missing)}: it has "
                f"{', '.join(self.table.column_names)}"
            )

    def questions(self, keys: Keys) -> dict[int | None, tuple[list[str], list[datetime]]]:
        """Symbols and moments of each tenant, in the frame's order."""
        found: dict[int | None, tuple[list[str], list[datetime]]] = {}
        columns = (self.table[keys[0]], self.table[keys[1]], self.moments)
        for tenant, symbol, at in zip(*(one.to_pylist() for one in columns), strict=True):
            symbols, moments = found.setdefault(tenant, ([], []))
            symbols.append(symbol)
            moments.append(at)
        return found


@contextmanager
def one_publish(config: RepoConfig, timeout: int | None = None) -> Iterator[psycopg.Connection]:
    """A connection with one view of the logs for all that it reads; timeout: of a statement, s."""
    with internals.connect(config.offline_store) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        if timeout is not None:
            connection.execute("select set_config('statement_timeout', %s, true)", [f"{timeout}s"])
        yield connection


def answered(query: str, config: RepoConfig) -> pa.Table:
    """What a query answers. Errors: psycopg's."""
    with internals.connect(config.offline_store) as connection:
        connection.read_only = True
        cursor = connection.execute(query.encode())
        described = cursor.description or []
        columns = list(zip(*cursor.fetchall(), strict=True)) or [()] * len(described)
    found = {}
    for column, values in zip(described, columns, strict=True):
        array = pa.array(values)
        # no value says what type it is
        kind = pg_type_code_to_arrow(column.type_code)
        found[column.name] = array.cast(kind) if pa.types.is_null(array.type) else array
    return pa.table(found)


def _arrow(entity_df: Any, config: RepoConfig) -> pa.Table:
    if entity_df is None:
        raise ValueError(
            "a snapshot is asked for by moment: give entity_df with tenant_id, symbol and "
            "event_timestamp instead of start_date and end_date"
        )
    if isinstance(entity_df, str):
        return answered(entity_df, config)
    if isinstance(entity_df, pa.Table):
        return entity_df
    if isinstance(entity_df, pd.DataFrame):
        return pa.Table.from_pandas(entity_df, preserve_index=False)
    if hasattr(entity_df, "to_arrow"):  # polars, without importing it
        return entity_df.to_arrow()
    raise ValueError(
        f"an entity frame of type {type(entity_df).__name__} cannot be read: give pandas, polars, "
        "pyarrow.Table, or SQL as text"
    )


def _moments(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Times in UTC; what is finer than a microsecond is cut off, towards the past."""
    if len(column) == 0:
        # no value says what type it is
        return pa.chunked_array([], pa.timestamp("us", tz="UTC"))
    if not pa.types.is_timestamp(column.type):
        raise ValueError(f"{name} holds {column.type}, not times: use datetimes in UTC")
    return column.cast(pa.timestamp("us", tz="UTC"), safe=False)
