"""The same pairs over the same log by Feast, DuckDB and polars."""

import contextlib
import io
import tempfile
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import duckdb
import polars as pl
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from bench.pit.data import Pairs

LOG = """
    select format(
        $$select symbol, bucket + interval '1 minute' as event_timestamp, known_at, %s
        from feature.log$$,
        feature.field_list('market_1m', '%1$I')
    )
"""
TEMP_FILE_LIMIT = "40GB"

# The join that everybody writes first. It takes what became known of the bar after as_of, and bars
# that had closed but were not known yet; of two versions of a bar it takes either.
EVENT_TIME = """
    select p.place, l.* exclude (symbol), p.symbol, p.as_of
    from pair as p
    asof left join log as l on p.symbol = l.symbol and p.as_of >= l.event_timestamp
"""
# Leaks nothing, but a correction of an old bar hides the latest bar until the next one is known.
KNOWN_AT = """
    select p.place, l.* exclude (symbol), p.symbol, p.as_of
    from pair as p
    asof left join log as l on p.symbol = l.symbol and p.as_of >= l.known_at
"""
# Right, as long as known_as_of is as_of and no bar is ever cancelled: versions of bars that were no
# longer the latest are dropped beforehand. It cannot ask "as of then, as known now" or the reverse.
LATEST_KNOWN = """
    with latest as (
        select *
        from log
        qualify event_timestamp = max(event_timestamp) over (
            partition by symbol order by known_at rows unbounded preceding
        )
    )

    select p.place, l.* exclude (symbol), p.symbol, p.as_of
    from pair as p
    asof left join latest as l on p.symbol = l.symbol and p.as_of >= l.known_at
"""
# Right for any known_as_of, for who knows that bars lie on minutes: the newest version of the three
# minutes before. A pair whose bar is older, or has gone, would need another query.
GRID = """
    with candidate as (
        select p.*, date_trunc('minute', p.as_of) - to_minutes(n) as event_timestamp
        from pair as p, range(3) as r (n)
    ),

    newest as (
        select
            c.place,
            any_value(c.as_of) as as_of,
            arg_max(l, (l.event_timestamp, l.known_at)) as version
        from candidate as c
        inner join {log} as l
            on c.symbol = l.symbol
            and c.event_timestamp = l.event_timestamp
            and l.known_at <= c.known_as_of
        group by c.place
    )

    select n.place, n.as_of, unnest(n.version) from newest as n
"""


def _log(url: str) -> str:
    """The query of the log with the contract's fields, under the names that Feast expects."""
    with psycopg.connect(url, autocommit=True) as connection:
        row: Any = connection.execute(LOG).fetchone()
    return str(row[0])


def export(url: str, path: Path) -> float:
    """Write the log to Parquet in the order of the bars; returns its size in MB."""
    with adbc.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"{_log(url)} order by bucket, symbol, known_at")
        batches = cursor.fetch_record_batch()
        with pq.ParquetWriter(path, batches.schema) as file:
            for batch in batches:
                file.write_batch(batch)
    return path.stat().st_size / 1e6


class Duck:
    """DuckDB in this process with its own choice of threads, the log as a view of the Parquet."""

    def __init__(self, path: Path, pairs: Pairs) -> None:
        """Open an empty DuckDB in memory."""
        self.connection = duckdb.connect()
        self.connection.execute(f"create view log as select * from read_parquet('{path}')")
        self.connection.execute("set timezone = 'UTC'")
        self.connection.register("pair", pairs.arrow())

    def load(self) -> None:
        """Copy the Parquet into a table of DuckDB's own, `stored`."""
        self.connection.execute("create or replace table stored as select * from log")

    def as_arrow(self, query: str) -> pa.Table:
        """The whole training set as an Arrow table."""
        return self.connection.sql(query).to_arrow_table()

    def as_sum(self, query: str) -> tuple[int, float]:
        """The two numbers that ours.in_server() returns; DuckDB then reads three columns only."""
        rows = self.connection.sql(f"select count(*), sum(close) from ({query})").fetchall()
        return rows[0][0], rows[0][1]


class Polars:
    """polars with its own choice of threads; reading, sorting and joining apart."""

    def __init__(self, path: Path, pairs: Pairs) -> None:
        """Take the pairs; read() comes first."""
        self.path = path
        self.pairs = pl.DataFrame(pairs.arrow())
        self.log: Any = None
        self.sorted: Any = None

    def read(self) -> None:
        """The whole Parquet file into memory."""
        self.log = pl.read_parquet(self.path)

    def sort(self) -> None:
        """What join_asof asks for: both sides in the order of the time."""
        self.sorted = (
            self.pairs.sort("symbol", "as_of"),
            self.log.sort("symbol", "event_timestamp"),
        )

    def join(self) -> Any:
        """By event time alone: see EVENT_TIME for what that gets wrong."""
        pairs, log = self.sorted
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it cannot check the order inside groups
            return pairs.join_asof(
                log, left_on="as_of", right_on="event_timestamp", by="symbol", strategy="backward"
            )


class FeastStore:
    """Feast's FeatureStore with its stock PostgreSQL offline store, over a view of the log."""

    def __init__(self, url: str, table: str, ttl: timedelta, limit_s: float) -> None:
        """Register the view or table with its symbol, times and features in a new registry."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._register(url, table, ttl)
        self.url = url
        self.limit_s = limit_s

    def _register(self, url: str, table: str, ttl: timedelta) -> None:
        # slow imports: 10 s
        from feast import Entity, FeatureStore, FeatureView, ValueType
        from feast.infra.offline_stores.contrib.postgres_offline_store.postgres import (
            PostgreSQLOfflineStoreConfig,
        )
        from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import (
            PostgreSQLSource,
        )
        from feast.repo_config import RepoConfig

        from feast_repo.definitions import contract_fields

        info = conninfo_to_dict(url)
        self.directory = tempfile.TemporaryDirectory()
        self.store = FeatureStore(
            config=RepoConfig(
                project="bench",
                provider="local",
                registry=str(Path(self.directory.name) / "registry.db"),
                online_store=None,
                entity_key_serialization_version=3,
                offline_store=PostgreSQLOfflineStoreConfig(
                    host=str(info.get("host", "localhost")),
                    port=int(info.get("port") or 5432),
                    database=str(info["dbname"]),
                    user=str(info.get("user", "postgres")),
                    password=str(info.get("password", "")),
                    sslmode=str(info.get("sslmode", "prefer")),
                ),
            )
        )
        symbol = Entity(name="symbol", join_keys=["symbol"], value_type=ValueType.STRING)
        source = PostgreSQLSource(
            name="log",
            table=table,
            timestamp_field="event_timestamp",
            created_timestamp_column="known_at",
        )
        view = FeatureView(
            name="features",
            entities=[symbol],
            ttl=ttl,
            source=source,
            schema=list(contract_fields().values()),
        )
        self.features = [f"features:{name}" for name in contract_fields()]
        with contextlib.redirect_stdout(io.StringIO()):
            self.store.apply([symbol, source, view])

    def as_frame(self, pairs: Pairs, filter_by_created_timestamp: bool) -> Any:
        """get_historical_features().to_df(); None when it takes longer than the limit."""
        asked = (
            pairs.arrow().select(["symbol", "as_of"]).rename_columns(["symbol", "event_timestamp"])
        )
        with self._limits():
            try:
                return self.store.get_historical_features(
                    asked.to_pandas(),
                    self.features,
                    filter_by_created_timestamp=filter_by_created_timestamp,
                ).to_df()
            except (psycopg.errors.QueryCanceled, psycopg.errors.ConfigurationLimitExceeded):
                return None

    @contextlib.contextmanager
    def _limits(self) -> Any:
        """Bounds of time and of temporary files for the connections that Feast opens."""
        name = sql.Identifier(str(conninfo_to_dict(self.url)["dbname"]))
        settings = {
            "statement_timeout": f"{self.limit_s:.0f}s",
            "temp_file_limit": TEMP_FILE_LIMIT,
        }
        with psycopg.connect(self.url, autocommit=True) as connection:
            for setting, value in settings.items():
                connection.execute(
                    sql.SQL("alter database {} set {} = {}").format(
                        name, sql.Identifier(setting), sql.Literal(value)
                    )
                )
            try:
                yield
            finally:
                connection.execute(sql.SQL("alter database {} reset all").format(name))


def make_view(url: str) -> str:
    """The log under the names that Feast expects; returns the view's name."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create or replace view bench_feast_view as {_log(url)}")
    return "bench_feast_view"


def make_table(url: str) -> str:
    """The same as a plain table with the best index for Feast; returns its name."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("drop table if exists bench_feast_table")
        connection.execute(f"create table bench_feast_table as {_log(url)} order by bucket, symbol")
        connection.execute("create index on bench_feast_table (symbol, event_timestamp, known_at)")
        connection.execute("vacuum analyze bench_feast_table")
    return "bench_feast_table"


def differing(ours: list[tuple[Any, ...]], theirs: Callable[[int], tuple[Any, Any] | None]) -> int:
    """Pairs whose answer is another version: (known_at, close) of ours against theirs(place)."""
    return sum((row[4], row[8]) != theirs(place) for place, row in enumerate(ours))
