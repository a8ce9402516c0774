"""The offline store: Feast's PostgreSQL store, reading through each set's feature_pit_snapshot().

A training set is the snapshot's element-wise form: each row of the entity frame gets what was known
at its event timestamp, in one call for each set of features that it has fields of. Feast's own join
goes by one clock and lets corrections leak into the past.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from feast.data_source import DataSource
from feast.feature_view import FeatureView
from feast.infra.offline_stores import offline_utils
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres import (
    PostgreSQLOfflineStore,
    PostgreSQLOfflineStoreConfig,
    PostgreSQLRetrievalJob,
)
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import (
    SavedDatasetPostgreSQLStorage,
)
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.infra.offline_stores.offline_utils import FeatureViewQueryContext
from feast.infra.registry.base_registry import BaseRegistry
from feast.infra.utils.postgres.connection_utils import df_to_postgres_table
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import RepoConfig
from feast.saved_dataset import SavedDatasetStorage
from feast.types import from_feast_to_pyarrow_type
from psycopg import sql
from pydantic import model_validator
from tqdm import tqdm

from feast_repo import internals, receipts, sets
from feast_repo.asking import Entities, Keys, answered, one_publish
from feast_repo.environment import address
from feast_repo.sets import FeatureSet

SELF: Final = "feast_repo.offline_store.PitOfflineStore"
# Views with these sources are answered by the function of that name; definitions.py names them.
SOURCES = {one.snapshot: one for one in sets.read()}
# Pairs per statement: enough to hide the round trip, few enough to show progress and bound memory.
BATCH = 50_000
BUCKET = pa.field("bucket", pa.timestamp("us", tz="UTC"))

SNAPSHOT = """
    with pair as materialized (
        select p.symbol, p.tenant_id, p.as_of at time zone 'UTC' as as_of, p.place
        from unnest(%s::text[], %s::integer[], %s::timestamp[])
            with ordinality as p (symbol, tenant_id, as_of, place)
    ),

    of_tenant as (
        select
            p.tenant_id,
            array_agg(p.symbol order by p.place) as symbols,
            array_agg(p.as_of order by p.place) as as_ofs,
            array_agg(p.place order by p.place) as places
        from pair as p
        group by p.tenant_id
    )

    select {columns}
    from of_tenant as t
    cross join lateral {function}(
        t.symbols, t.as_ofs, null::timestamptz[], t.tenant_id
    ) with ordinality as a
    order by t.places[a.ordinality]
"""
# The function checks all names before it reads. In 2000 there is nothing to read.
NAMES = """
    with pair as (
        select distinct p.symbol, p.tenant_id
        from unnest(%s::text[], %s::integer[]) as p (symbol, tenant_id)
    )

    select count(*)
    from (
        select tenant_id, array_agg(symbol order by symbol) as symbols
        from pair
        group by tenant_id
    ) as t
    cross join lateral {function}(
        t.symbols, timestamptz '2000-01-01', null::timestamptz, t.tenant_id
    ) as s
"""
SNAPSHOT_ALL = "select {columns} from {function}({moment}) as s"


class PitOfflineStoreConfig(PostgreSQLOfflineStoreConfig):
    """Where the log is: database_url, unless feature_store.yaml says it field by field.

    db_schema: `public`, or `api` for a tenant's login.
    """

    type: Literal["feast_repo.offline_store.PitOfflineStore"] = SELF  # type: ignore[assignment]
    database_url: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_address(cls, given: dict[str, Any]) -> dict[str, Any]:
        url = given.get("database_url")
        if "host" in given or not url:
            return given
        info = address(url)
        found = {
            "host": info["host"],
            "port": info["port"],
            "database": info["dbname"],
            "user": info["user"],
            "password": info["password"],
            "sslmode": info.get("sslmode", "prefer"),
            "sslrootcert_path": info.get("sslrootcert"),
            "sslcert_path": info.get("sslcert"),
            "sslkey_path": info.get("sslkey"),
        }
        return {**found, **given}


class PitRetrievalJob(RetrievalJob):
    """A training set that is read when it is asked for. Rows keep the entity frame's order."""

    def __init__(
        self,
        config: RepoConfig,
        read: Callable[[int | None, dict[str, str] | None], pa.Table],
        metadata: RetrievalMetadata,
        full_feature_names: bool,
        on_demand_feature_views: list[OnDemandFeatureView],
    ) -> None:
        """read: fetches entity columns and features.

        It is given a time limit in seconds or None, and where to put their receipts or None.
        """
        self._config = config
        self._read = read
        self._receipts: dict[str, str] | None = None
        self._metadata = metadata
        self._full_feature_names = full_feature_names
        self._on_demand_feature_views = on_demand_feature_views

    @property
    def full_feature_names(self) -> bool:
        """Whether features are named view__feature."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """What is computed from the features."""
        return self._on_demand_feature_views

    @property
    def metadata(self) -> RetrievalMetadata:
        """What was asked for."""
        return self._metadata

    def to_df_with_receipts(
        self, timeout: int | None = None
    ) -> tuple[pd.DataFrame, dict[str, str]]:
        """What to_df() gives, and its receipts, as receipts.with_receipts() says."""
        found: dict[str, str] = {}
        self._receipts = found
        try:
            return self.to_df(timeout=timeout), found
        finally:
            self._receipts = None

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return self._read(timeout, self._receipts)

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return self._to_arrow_internal(timeout).to_pandas()

    def persist(
        self,
        storage: SavedDatasetStorage,
        allow_overwrite: bool | None = False,
        timeout: int | None = None,
    ) -> None:
        """Save the set as a table (for Feast's saved datasets); needs the right to create one.

        Errors: ValueError for another storage; psycopg's DuplicateTable where the table is there
        and allow_overwrite is not set.
        """
        if not isinstance(storage, SavedDatasetPostgreSQLStorage):
            raise ValueError(
                f"{type(storage).__name__} is not in PostgreSQL: use SavedDatasetPostgreSQLStorage"
            )
        table = internals.table_of(storage)
        frame = self.to_df(timeout=timeout)
        if allow_overwrite:
            with internals.connect(self._config.offline_store) as connection:
                connection.execute(sql.SQL("drop table if exists {}").format(sql.Identifier(table)))
        df_to_postgres_table(config=self._config.offline_store, df=frame, table_name=table)


class SnapshotJob(PostgreSQLRetrievalJob):
    """What online stores are written from; what the server warns of is told."""

    # as Feast's own, which has no time limit
    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:  # noqa: ARG002
        return answered(self.to_sql(), self.config)


class PitOfflineStore(PostgreSQLOfflineStore):
    """Feast's PostgreSQL store with the project's point-in-time read."""

    @staticmethod
    def get_historical_features(  # type: ignore[override]
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: Any,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        **_options: Any,
    ) -> RetrievalJob:
        """A training set: what was known of each row's tenant_id and symbol at its event timestamp.

        entity_df: pandas, polars or Arrow frame, or SQL, with the join keys, one column of times
        (named event_timestamp where there are several; without a zone: UTC) and any others, which
        are returned as they are. Views may be of several sets, all read as of one publish. A view's
        ttl leaves values of bars out that closed longer before.
        Nothing is created in the database. What was learned after the event timestamp is never
        returned, so that filter_by_created_timestamp changes nothing.
        Errors: ValueError for other sources, a ttl over sessions, columns that are missing or named
        as a feature, no entity frame; when it is read psycopg's, with a hint, for times in the
        future, NULLs, symbols and tenants that do not exist or are not the login's to read.
        """
        sets_of = _sets_of(feature_views)
        entities = Entities.read(entity_df, config)
        columns = entities.table.column_names
        span = pc.min_max(entities.moments)
        asked = offline_utils.get_feature_view_query_context(
            feature_refs,
            feature_views,
            registry,
            project,
            (span["min"].as_py() or datetime.now(UTC), span["max"].as_py() or datetime.now(UTC)),
        )
        on_demand = OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry)
        _refuse_clashes(
            columns,
            [(view.name, name) for view in asked for name in view.features]
            + [(view.name, field.name) for view in on_demand for field in view.features],
            full_feature_names,
        )
        views = {
            view.projection.name_to_use(): view  # type: ignore[no-untyped-call]
            for view in feature_views
        }

        # views differ in their keys where one was renamed, say to another leg of a spread
        parts: dict[tuple[FeatureSet, Keys], list[FeatureViewQueryContext]] = {}
        for context in asked:
            view = views[context.name]
            parts.setdefault((sets_of[view.name], _keys(view)), []).append(context)

        def read(timeout: int | None, carried: dict[str, str] | None) -> pa.Table:
            table = entities.table
            entities.require({key for _, keys in parts for key in keys})
            with one_publish(config, timeout) as connection:
                for (of, keys), contexts in parts.items():
                    wanted = [_column(views[c.name], name) for c in contexts for name in c.features]
                    schema = pa.schema({one.name: one for one in [BUCKET, *wanted]}.values())
                    found = _snapshot(connection, of, entities, keys, schema)
                    for context in contexts:
                        for feature, values in _values(context, of, found, entities.moments):
                            name = _named(context.name, feature, full_feature_names)
                            table = table.append_column(name, values)
                    if carried is not None:
                        carried |= receipts.of_frame(connection, config, of.name, entities, keys)
            return table

        return PitRetrievalJob(
            config,
            read,
            RetrievalMetadata(
                features=feature_refs,
                keys=[name for name in columns if name != entities.at],
                min_event_timestamp=span["min"].as_py(),
                max_event_timestamp=span["max"].as_py(),
            ),
            full_feature_names,
            on_demand,
        )

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
    ) -> RetrievalJob:
        """What an online store should hold at end_date, or at the last publish before it.

        One row per series, whatever changed since start_date, and as its event time the moment for
        which the set's snapshot gives the same: a row that went stale overwrites the last value,
        and a later moment every earlier one.
        """
        if _set_of(data_source) is None:
            return PostgreSQLOfflineStore.pull_latest_from_table_or_query(
                config,
                data_source,
                join_key_columns,
                feature_name_columns,
                timestamp_field,
                created_timestamp_column,
                start_date,
                end_date,
            )
        names = [(name, name) for name in join_key_columns + feature_name_columns]
        columns = [
            sql.SQL("{} as {}").format(sql.Identifier("s", name), sql.Identifier(shown))
            for name, shown in [*names, ("as_of", timestamp_field)]
        ]
        query = sql.SQL(SNAPSHOT_ALL).format(
            columns=sql.SQL(", ").join(columns),
            function=sql.Identifier(f"{data_source.name}_all"),
            moment=sql.Literal(end_date if end_date.tzinfo else end_date.replace(tzinfo=UTC)),
        )
        return SnapshotJob(query=query.as_string(), config=config, full_feature_names=False)

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """For the log, the same as pull_latest_from_table_or_query(); else Feast's own."""
        if _set_of(data_source) is None:
            return PostgreSQLOfflineStore.pull_all_from_table_or_query(
                config,
                data_source,
                join_key_columns,
                feature_name_columns,
                timestamp_field,
                created_timestamp_column,
                start_date,
                end_date,
            )
        end = end_date or datetime.now(UTC)
        return PitOfflineStore.pull_latest_from_table_or_query(
            config,
            data_source,
            join_key_columns,
            feature_name_columns,
            timestamp_field,
            created_timestamp_column,
            start_date or end,
            end,
        )


def _set_of(source: DataSource | None) -> FeatureSet | None:
    """The set whose log a source is; None: another source."""
    return None if source is None else SOURCES.get(source.name)


def _keys(view: FeatureView) -> Keys:
    """Columns of the entity frame that hold a view's tenant and symbol."""
    renamed = view.projection.join_key_map
    return renamed.get("tenant_id", "tenant_id"), renamed.get("symbol", "symbol")


def _sets_of(views: list[FeatureView]) -> dict[str, FeatureSet]:
    """The set of each view by the view's name. Errors: ValueError for what none can answer."""
    found = {view.name: (_set_of(view.batch_source), view.ttl) for view in views}
    others = sorted(name for name, (of, _) in found.items() if of is None)
    if others:
        raise ValueError(
            f"the views {', '.join(others)} do not read {' or '.join(SOURCES)}: ask for them in a "
            "call of their own, with Feast's own PostgreSQL store"
        )
    sets_of = {name: of for name, (of, _) in found.items() if of is not None}
    wrong = sorted(name for name, of in sets_of.items() if found[name][1] and of.span is None)
    if wrong:
        raise ValueError(
            f"the views {', '.join(wrong)} have a ttl, which counts from a bar's close, and a "
            "snapshot does not tell when a session closed: give them ttl=timedelta(0)"
        )
    return sets_of


def _values(
    context: FeatureViewQueryContext, of: FeatureSet, found: pa.Table, moments: pa.ChunkedArray
) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """The features of a view by name, without those of bars that closed longer before than ttl."""
    is_old = None
    if context.ttl and of.span:
        age = pc.subtract(moments, pc.add(found["bucket"], pa.scalar(of.span)))
        is_old = pc.greater(age, pa.scalar(timedelta(seconds=context.ttl)))
    for feature in context.features:
        values = found[feature]
        yield feature, values if is_old is None else pc.if_else(is_old, None, values)


def _column(view: FeatureView, feature: str) -> pa.Field:
    """A feature of a view as a column of the answer."""
    (dtype,) = (field.dtype for field in view.features if field.name == feature)
    return pa.field(feature, from_feast_to_pyarrow_type(dtype))


def _named(view: str, feature: str, full_feature_names: bool) -> str:
    return f"{view}__{feature}" if full_feature_names else feature


def _refuse_clashes(
    columns: list[str], features: list[tuple[str, str]], full_feature_names: bool
) -> None:
    """Refuse columns of the entity frame that a feature (view, name) would be there twice with."""
    names = {_named(*feature, full_feature_names) for feature in features}
    clashing = [column for column in columns if column in names]
    if clashing:
        way_out = "" if full_feature_names else ", or ask with full_feature_names=True"
        raise ValueError(
            f"the entity frame has columns that are named as features: {', '.join(clashing)}. "
            f"Rename them{way_out}"
        )


def _snapshot(
    connection: psycopg.Connection,
    of: FeatureSet,
    entities: Entities,
    keys: Keys,
    schema: pa.Schema,
) -> pa.Table:
    tenants = entities.table[keys[0]].to_pylist()
    symbols = entities.table[keys[1]].to_pylist()
    as_ofs = entities.moments.cast(pa.timestamp("us")).to_numpy().astype("datetime64[us]").tolist()
    function = sql.Identifier(of.snapshot)
    query = sql.SQL(SNAPSHOT).format(
        columns=sql.SQL(", ").join(sql.Identifier("a", name) for name in schema.names),
        function=function,
    )
    if len(symbols) > BATCH:
        # a name that only a later batch has
        connection.execute(sql.SQL(NAMES).format(function=function), [symbols, tenants])
    batches = []
    with tqdm(total=len(symbols), unit="rows", disable=len(symbols) <= BATCH) as progress:
        for begin in range(0, len(symbols), BATCH):
            part = slice(begin, begin + BATCH)
            rows = connection.execute(
                query, [symbols[part], tenants[part], as_ofs[part]], binary=True
            ).fetchall()
            batches.append(
                pa.record_batch(
                    [
                        pa.array(values, kind)
                        for values, kind in zip(zip(*rows, strict=True), schema.types, strict=True)
                    ],
                    schema=schema,
                )
            )
            progress.update(len(rows))
    return pa.Table.from_batches(batches, schema=schema)
