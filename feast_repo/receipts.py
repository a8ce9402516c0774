"""Receipts of training sets, of backtests and of what was read online: a line for each answer.

feature.receipt() writes them and feature.verify() checks them, here and in psql; for a login of a
tenant they are those of api.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import pandas as pd
import psycopg
from feast import FeatureService, FeatureStore, RepoConfig
from feast.infra.offline_stores.offline_store import RetrievalJob
from feast.online_response import OnlineResponse
from feast.type_map import NULL_TIMESTAMP_INT_VALUE
from psycopg import sql
from psycopg.rows import dict_row

from feast_repo import internals
from feast_repo.asking import Entities, Keys, one_publish
from feast_repo.sets import answered_by, snapshot_of

TENANT: Final = "tenant_id"
SYMBOL: Final = "symbol"
AT: Final = "event_timestamp"
RECEIPT: Final = """
    select {schema}.receipt(
        %s::text[], %s::timestamptz[], null::timestamptz[], %s::integer, %s::text
    ) as receipt
"""
VERIFY: Final = """
    select v.*
    from {schema}.verify(
        %s::text, %s::text[], %s::timestamptz[], null::timestamptz[], %s::integer
    ) as v
"""
KNOWN: Final = """
    select s.*
    from {function}(%s::text[], %s::timestamptz[], null::timestamptz[], %s::integer) as s
"""
# The views of a row are written one after another: between them it is read again.
TORN_TRIES: Final = 10
TORN_S: Final = 0.05

Receipts = dict[str, str]
Question = tuple[list[str], list[datetime]]


def with_receipts(job: RetrievalJob) -> tuple[pd.DataFrame, Receipts]:
    """What job.to_df() gives, and its receipts, all of one publish.

    job: of store.get_historical_features(). A receipt for each set of features and each tenant of
    the entity frame, by "<set>.<tenant>", say market_1m.1, with the names of the columns behind it
    where views were asked by others than tenant_id and symbol. It stands for the set's answer with
    all its fields; what is computed of them, and a view's ttl, follow from it.
    Errors: ValueError for a job of another store; those of to_df().
    """
    read = getattr(job, "to_df_with_receipts", None)
    if read is None:
        raise ValueError(
            f"a {type(job).__name__} has no receipts: ask a store of feast_repo.store.open_store()"
        )
    found: tuple[pd.DataFrame, Receipts] = read()
    return found


def of_frame(
    connection: psycopg.Connection,
    config: RepoConfig,
    feature_set: str,
    entities: Entities,
    keys: Keys = (TENANT, SYMBOL),
) -> Receipts:
    """The receipts of a set's answer to an entity frame, by name."""
    query = sql.SQL(RECEIPT).format(schema=_schema(config))
    found = {}
    for tenant, (symbols, moments) in entities.questions(keys).items():
        row: Any = connection.execute(query, [symbols, moments, tenant, feature_set]).fetchone()
        found[_name(feature_set, tenant, keys)] = row[0]
    return found


def verify(
    store: FeatureStore, entity_df: Any, receipts: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Whether the answers of receipts are still given: rows of feature.verify() by their names.

    entity_df: the entity frame as it was asked, or the frame that came of it: tenants, symbols and
    event timestamps in the same order. place counts the rows of the receipt's tenant, from 1.
    Errors: ValueError for names that with_receipts() does not give, and rows without a receipt;
    psycopg's for receipts that are damaged, or of another question or database.
    """
    entities = Entities.read(entity_df, store.config)
    query = sql.SQL(VERIFY).format(schema=_schema(store.config))
    asked: dict[str, tuple[int | None, Question]] = {}
    for name in receipts:
        feature_set, _, rest = name.partition(".")
        _, *columns = rest.split(".", 2)
        keys = (columns[0], columns[1]) if len(columns) == 2 else (TENANT, SYMBOL)
        entities.require(keys)
        asked |= {
            _name(feature_set, tenant, keys): (tenant, question)
            for tenant, question in entities.questions(keys).items()
        }
    if len(entities.table) and not receipts:
        raise ValueError("no receipts to verify: give what with_receipts() gave for this frame")
    if asked.keys() != receipts.keys():
        raise ValueError(
            f"this frame has receipts named {', '.join(asked)}, and those given are named "
            f"{', '.join(receipts)}: give the frame that was asked, and all its receipts"
        )
    found = {}
    with internals.connect(store.config.offline_store) as connection:
        connection.read_only = True
        cursor = connection.cursor(row_factory=dict_row)
        for name, (tenant, question) in asked.items():
            row: Any = cursor.execute(query, [receipts[name], *question, tenant]).fetchone()
            found[name] = row
    return found


def online_with_receipts(
    store: FeatureStore,
    features: list[str] | FeatureService,
    entity_rows: list[dict[str, Any]],
    full_feature_names: bool = False,
) -> tuple[pd.DataFrame, Receipts]:
    """What store.get_online_features() gives, as a frame with event_timestamp, and its receipts.

    Rows that are not online are left out. The frame is one to verify(), or to ask the same of psql
    and of get_historical_features() with: its event_timestamp is the as_of that gives these values.
    Errors: ValueError where there is no such moment, and for features of no set.
    """
    columns = _columns(store, features, full_feature_names)
    response, moments = _online(store, features, entity_rows, full_feature_names, [*columns])
    places = [place for place, at in enumerate(moments) if at]
    frame = response.to_df().iloc[places].reset_index(drop=True)
    frame[AT] = pd.to_datetime([moments[place] for place in places], unit="us", utc=True)
    proto = response.proto
    read = dict(zip(proto.metadata.feature_names.val, proto.results, strict=True))
    entities = Entities.read(frame[[TENANT, SYMBOL, AT]], store.config)
    found: Receipts = {}
    with one_publish(store.config) as connection:
        for feature_set in dict.fromkeys(of for of, _ in columns.values()):
            fields = {
                field: [internals.native(read[shown].values[place]) for place in places]
                for shown, (of, field) in columns.items()
                if of == feature_set
            }
            _refuse_others(connection, feature_set, entities, fields)
            found |= of_frame(connection, store.config, feature_set, entities)
    return frame, found


def same(online: Any, known: Any) -> bool:
    """Whether a value that Feast's feature server answers is, to the bit, one of a snapshot."""
    return bool(_bits(online) == _bits(known))


def _bits(value: Any) -> Any:
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, float):
        # as Feast's server writes what JSON has no number for
        return value.hex() if math.isfinite(value) else str(value).replace("inf", "Infinity")
    return None if value == NULL_TIMESTAMP_INT_VALUE else value


def _schema(config: RepoConfig) -> sql.Identifier:
    return sql.Identifier("api" if config.offline_store.db_schema == "api" else "feature")


def _name(feature_set: str, tenant: int | None, keys: Keys) -> str:
    """What a receipt is called; tenant None: whichever has the symbols."""
    of = "any" if tenant is None else str(int(tenant))
    return ".".join([feature_set, of, *(keys if keys != (TENANT, SYMBOL) else ())])


def _columns(
    store: FeatureStore, features: list[str] | FeatureService, full: bool
) -> dict[str, tuple[str, str]]:
    """The set and the field of each column of an online answer, without those on demand."""
    if isinstance(features, FeatureService):
        projections = features.feature_view_projections
        legs = [one.name for one in projections if one.join_key_map]
        if legs:
            raise ValueError(f"{', '.join(legs)} is read by other keys: ask for it by these")
        wanted = [(p.name_alias or p.name, p.name, f.name) for p in projections for f in p.features]
    else:
        parts = [one.partition(":") for one in features]
        wanted = [(view, view, field) for view, _, field in parts]
    sets = {
        view.name: answered_by(view.batch_source.name) if view.batch_source else None
        for view in store.list_feature_views()
    }
    computed = {
        view.name: {p.name for p in view.source_feature_view_projections.values()}
        for view in store.list_on_demand_feature_views()
    }
    found = {}
    for shown, view, field in wanted:
        if view in computed:
            continue
        of = sets.get(view)
        if of is None:
            raise ValueError(f"{view} reads no set of features: ask for it in a call of its own")
        found[f"{shown}__{field}" if full else field] = (of, field)
    read = {of for of, _ in found.values()}
    for _, view, _ in wanted:
        sources = computed.get(view, set())
        if not {sets.get(source) for source in sources} <= read:
            raise ValueError(
                f"{view} is computed of {', '.join(sorted(sources))}: ask for one of theirs, too"
            )
    return found


def _online(
    store: FeatureStore,
    features: list[str] | FeatureService,
    entity_rows: list[dict[str, Any]],
    full: bool,
    columns: Sequence[str],
) -> tuple[OnlineResponse, list[int]]:
    """What is online, and the moment of each row in microseconds, 0 where there is none."""
    for _ in range(TORN_TRIES):
        response = store.get_online_features(features, entity_rows, full_feature_names=full)
        proto = response.proto
        read = dict(zip(proto.metadata.feature_names.val, proto.results, strict=True))
        moments = [
            {read[name].event_timestamps[place].ToMicroseconds() for name in columns}
            for place in range(len(entity_rows))
        ]
        torn = [row for row, found in zip(entity_rows, moments, strict=True) if len(found) > 1]
        if not torn:
            return response, [moment for (moment,) in moments]
        time.sleep(TORN_S)
    raise ValueError(
        f"what is online of {torn[0]} is not of one moment: run `make materialize`, or ask for the "
        "views of one set in a call of their own"
    )


def _refuse_others(
    connection: psycopg.Connection,
    feature_set: str,
    entities: Entities,
    fields: Mapping[str, Sequence[Any]],
) -> None:
    """Refuse values that the set's snapshot does not give at their moments."""
    query = sql.SQL(KNOWN).format(function=sql.Identifier(snapshot_of(feature_set)))
    cursor = connection.cursor(row_factory=dict_row)
    tenants = entities.table[TENANT].to_pylist()
    for tenant, question in entities.questions((TENANT, SYMBOL)).items():
        places = [place for place, of in enumerate(tenants) if of == tenant]
        for place, row in zip(places, cursor.execute(query, [*question, tenant]), strict=True):
            for field, values in fields.items():
                if not same(values[place], row[field]):
                    raise ValueError(
                        f"{field} of {row['symbol']} is online as {values[place]}, and "
                        f"{snapshot_of(feature_set)}() gives {row[field]} as of {row['as_of']}: "
                        "run `make materialize`, or wait for the next round of push"
                    )
