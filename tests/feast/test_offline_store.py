"""Historical retrieval is feature_pit_snapshot(), whatever form the entity frame has."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import polars as pl
import psycopg
import pyarrow as pa
import pytest
from feast import FeatureService, FeatureStore, FeatureView, Field
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import (
    PostgreSQLSource,
    SavedDatasetPostgreSQLStorage,
)
from feast.types import Float64
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from feast_repo import definitions, offline_store
from feast_repo.receipts import verify, with_receipts
from tests.conftest import Databases
from tests.feast.market import FIELDS, MINUTE, SETS, START, SYMBOLS, Market, rows

ALL = [
    "bar:bucket",
    *(f"{view}:{field}" for view, fields in SETS["market_1m"].views.items() for field in fields),
]
Key = tuple[int, str, datetime]
places = st.tuples(st.integers(0, 1), st.sampled_from([*SYMBOLS, "SYN_GC"]))
moments = st.integers(-(10 * 60 * 10**6), 200 * 60 * 10**6).map(
    lambda us: START + timedelta(microseconds=us)
)


def frame(keys: list[Key]) -> pd.DataFrame:
    made = pd.DataFrame(keys, columns=["tenant_id", "symbol", "event_timestamp"])
    made["event_timestamp"] = pd.to_datetime(made["event_timestamp"], utc=True)
    return made.astype({"tenant_id": "int64"})


def asked(market: Market, keys: list[Key]) -> list[tuple[Any, ...]]:
    """What psql says, one call per row."""
    return [
        rows(market.world.ask([symbol], as_of, None, tenant))[0] for tenant, symbol, as_of in keys
    ]


def got(table: pa.Table, fields: Any = FIELDS) -> list[tuple[Any, ...]]:
    return rows(table.to_pylist(), fields)


@pytest.fixture
def keys(market: Market) -> list[Key]:
    """Moments of both tenants and symbols, also before the first bar and after the last, twice."""
    found = [
        (tenant, symbol, START + minute * MINUTE + timedelta(seconds=20))
        for minute in (0, 1, 17, 60, 61, 119, 140)
        for tenant in market.tenants
        for symbol in SYMBOLS
    ]
    return [*found[::-1], *found[:3]]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(places, moments), min_size=1, max_size=30))
def test_a_training_set_is_the_snapshot_to_the_bit(
    market: Market, store: FeatureStore, picks: list[tuple[tuple[int, str], datetime]]
) -> None:
    keys = [(market.tenants[tenant], symbol, at) for (tenant, symbol), at in picks]
    found = store.get_historical_features(frame(keys), ALL).to_arrow()
    assert got(found) == asked(market, keys)
    assert found["symbol"].to_pylist() == [symbol for _, symbol, _ in keys]


def test_what_was_learned_later_is_not_in_it(market: Market, store: FeatureStore) -> None:
    """The stock join would answer with the newest version of the bar."""
    versions = market.world.connection.execute(
        "select tenant_id::bigint, symbol, bucket, min(known_at), max(known_at) from feature.log"
        " where tenant_id = any(%s) and close is not null group by 1, 2, 3"
        " having count(distinct close) > 1 order by 3 limit 20",
        [list(market.tenants)],
    ).fetchall()
    assert versions, "the market has corrections"
    then = [(tenant, symbol, first) for tenant, symbol, _, first, _ in versions]
    found = store.get_historical_features(frame(then), ["bar:close"]).to_arrow()
    assert got(found, ["close"]) == [(row[FIELDS.index("close")],) for row in asked(market, then)]
    newest = market.world.connection.execute(
        "select distinct on (tenant_id, symbol, bucket) close from feature.log"
        " where (tenant_id, symbol, bucket) in (select * from unnest(%s::int[], %s::text[],"
        " %s::timestamptz[])) order by tenant_id, symbol, bucket, known_at desc",
        [list(column) for column in zip(*(v[:3] for v in versions), strict=True)],
    ).fetchall()
    assert sorted(newest, key=str) != sorted(zip(found["close"].to_pylist()), key=str)


def test_every_form_of_entity_frame_gives_the_same(
    market: Market, store: FeatureStore, keys: list[Key]
) -> None:
    expected = asked(market, keys)
    as_pandas = frame(keys)
    literal = ", ".join(
        f"({place}, {tenant}::bigint, '{symbol}', timestamptz '{at}')"
        for place, (tenant, symbol, at) in enumerate(keys)
    )
    statement = (
        "select tenant_id, symbol, event_timestamp from (values "
        f"{literal}) as e (place, tenant_id, symbol, event_timestamp) order by place"
    )
    frames = [as_pandas, pl.from_pandas(as_pandas), pa.Table.from_pandas(as_pandas), statement]
    for entity_df in frames:
        found = store.get_historical_features(entity_df, ALL).to_arrow()
        assert got(found) == expected, type(entity_df)
    assert len(store.get_historical_features(f"{statement} limit 0", ALL).to_df()) == 0
    assert len(store.get_historical_features(as_pandas.head(0), ALL).to_df()) == 0


def test_times_without_a_zone_are_utc_and_what_is_finer_is_cut_off(
    market: Market, store: FeatureStore
) -> None:
    tenant, stamp = market.tenants[0], market.now
    first = [(tenant, SYMBOLS[0], stamp - timedelta(microseconds=1)), (tenant, SYMBOLS[0], stamp)]
    expected = asked(market, first)
    made = frame(first)
    made["event_timestamp"] = made["event_timestamp"].dt.as_unit("ns")
    # 999 ns later is still before the publish of the next microsecond
    made["event_timestamp"] += pd.Timedelta(999, "ns")
    for zone in (None, "UTC", "America/New_York"):
        moved = made.copy()
        moved["event_timestamp"] = moved["event_timestamp"].dt.tz_convert(zone)
        for entity_df in (moved, pl.from_pandas(moved)):
            found = store.get_historical_features(entity_df, ALL).to_arrow()
            assert got(found) == expected, (zone, type(entity_df))
    assert expected[0] != expected[1], "the publish changed something"


def test_prefixes_labels_and_another_leg(
    market: Market, store: FeatureStore, keys: list[Key]
) -> None:
    entity_df = frame(keys)
    entity_df["hedge"] = [SYMBOLS[1 - SYMBOLS.index(symbol)] for _, symbol, _ in keys]
    entity_df["label"] = range(len(keys))
    service = FeatureService(
        name="legs",
        features=[
            # both with a name of their own: Feast cannot compare one that has none
            definitions.bar[["close"]].with_name("own_bar"),
            definitions.liquidity,
            definitions.bar[["close", "bucket"]]
            .with_name("hedge_bar")
            .with_join_key_map({"symbol": "hedge"}),
        ],
    )
    store.apply(service)
    found = store.get_historical_features(entity_df, service, full_feature_names=True).to_arrow()
    assert found["label"].to_pylist() == list(range(len(keys)))
    own = asked(market, keys)
    other = asked(market, [(t, SYMBOLS[1 - SYMBOLS.index(s)], at) for t, s, at in keys])
    names = ["own_bar__close", "liquidity__spread_bps", "hedge_bar__close", "hedge_bar__bucket"]
    place = {field: number for number, field in enumerate(FIELDS)}
    assert got(found, names) == [
        (mine[place["close"]], mine[place["spread_bps"]], its[place["close"]], its[place["bucket"]])
        for mine, its in zip(own, other, strict=True)
    ]
    job = store.get_historical_features(entity_df, service, full_feature_names=True)
    _, receipts = with_receipts(job)
    assert {*receipts} == {
        f"market_1m.{tenant}{leg}" for tenant in market.tenants for leg in ("", ".tenant_id.hedge")
    }
    assert {row["is_equal"] for row in verify(store, entity_df, receipts).values()} == {True}


def test_ratios_are_computed_from_the_snapshot(
    market: Market, store: FeatureStore, keys: list[Key]
) -> None:
    refs = ["ratio:close_to_vwap", "ratio:close_to_sma_20", "ratio:range_bps"]
    found = store.get_historical_features(frame(keys), refs).to_arrow().to_pylist()
    for row, (tenant, symbol, at) in zip(found, keys, strict=True):
        known = market.world.ask([symbol], at, None, tenant)[0]
        close, vwap, sma = known["close"], known["vwap"], known["sma_20"]
        assert row["close_to_vwap"] == (None if close is None else close / vwap - 1)
        assert row["close_to_sma_20"] == (None if sma is None else close / sma - 1)
        assert row["range_bps"] == (
            None if close is None else (known["high"] - known["low"]) / close * 10_000
        )
    assert {row["close_to_sma_20"] is None for row in found} == {True, False}


def test_a_view_with_a_ttl_leaves_older_bars_out(market: Market, store: FeatureStore) -> None:
    short = FeatureView(
        name="short",
        entities=[definitions.tenant, definitions.instrument],
        schema=definitions.bar.schema,
        source=definitions.feature_log,
        ttl=timedelta(seconds=90),
        online=False,
    )
    store.apply(short)
    keys = [
        (market.tenants[0], SYMBOLS[0], START + 100 * MINUTE + timedelta(seconds=second))
        for second in range(0, 400, 10)
    ]
    refs = ["short:close", "short:bucket"]
    found = store.get_historical_features(frame(keys), refs).to_arrow().to_pylist()
    for row, (tenant, symbol, at) in zip(found, keys, strict=True):
        known = market.world.ask([symbol], at, None, tenant)[0]
        fresh = at - (known["bucket"] + MINUTE) <= timedelta(seconds=90)
        assert row["close"] == (known["close"] if fresh else None), at
    assert {row["close"] is None for row in found} == {True, False}


def test_big_sets_go_in_batches_that_show_progress(
    market: Market,
    store: FeatureStore,
    keys: list[Key],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    expected = asked(market, keys)
    monkeypatch.setattr(offline_store, "BATCH", 7)
    assert got(store.get_historical_features(frame(keys), ALL).to_arrow()) == expected
    assert f"{len(keys)}/{len(keys)}" in capfd.readouterr().err
    monkeypatch.setattr(offline_store, "BATCH", 50_000)
    store.get_historical_features(frame(keys), ALL).to_arrow()
    assert "rows" not in capfd.readouterr().err


def test_a_saved_dataset_is_the_same_again(
    market: Market, store: FeatureStore, keys: list[Key]
) -> None:
    def save(allow_overwrite: bool) -> None:
        store.create_saved_dataset(
            from_=store.get_historical_features(frame(keys), ALL),
            name="training",
            storage=SavedDatasetPostgreSQLStorage("training"),
            allow_overwrite=allow_overwrite,
        )

    save(allow_overwrite=False)
    found = store.get_saved_dataset("training").to_df()
    expected = sorted(asked(market, keys), key=str)
    assert sorted(got(pa.Table.from_pandas(found)), key=str) == expected
    with pytest.raises(Exception, match="training"):
        save(allow_overwrite=False)
    save(allow_overwrite=True)
    assert len(store.get_saved_dataset("training").to_df()) == len(keys)


def test_nothing_is_made_in_the_database(
    market: Market, store: FeatureStore, keys: list[Key]
) -> None:
    def relations() -> list[tuple[Any, ...]]:
        return market.world.connection.execute("select oid from pg_class order by 1").fetchall()

    before = relations()
    job = store.get_historical_features(frame(keys), ALL)
    job.to_arrow()
    assert relations() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="symbol"), "no column symbol: it has tenant_id, event_timestamp"),
        (lambda f: f.drop(columns="tenant_id"), "no column tenant_id"),
        (lambda f: f.assign(event_timestamp=datetime(2999, 1, 1, tzinfo=UTC)), "in the future"),
        (lambda f: f.assign(symbol=None), "NULL at position 1 of p_symbols"),
        (lambda f: f.assign(event_timestamp=pd.NaT), "p_as_of"),
        (lambda f: f.drop(columns="event_timestamp"), "event_timestamp"),
        (lambda f: f.assign(event_timestamp="yesterday"), "not times: use datetimes"),
        (lambda f: f.assign(symbol=["NOPE", *f["symbol"][1:]]), "unknown symbols: 'NOPE'"),
        (lambda f: f.assign(tenant_id=990_099), "unknown tenant: 990099"),
        (lambda f: f.assign(close=1.0), "named as features: close. Rename them, or ask with full"),
        (lambda _: 7, "type int cannot be read"),
        (lambda _: None, "give entity_df"),
        (lambda _: "select 1 as wrong", "event_timestamp"),
        (lambda _: "this is no SQL", "syntax error"),
    ],
)
def test_bad_frames_are_refused_with_what_to_do(
    store: FeatureStore, keys: list[Key], change: Any, message: str
) -> None:
    with pytest.raises(Exception, match=message):
        store.get_historical_features(change(frame(keys)), ALL).to_df()


def test_a_column_clashes_with_what_is_asked_for_alone(
    market: Market, store: FeatureStore, keys: list[Key]
) -> None:
    labelled = frame(keys).assign(close=1.0, range_bps=2.0)
    found = store.get_historical_features(labelled, ALL, full_feature_names=True).to_arrow()
    assert found["close"].to_pylist() == [1.0] * len(keys)
    assert got(found, ["bar__close"]) == [
        (row[FIELDS.index("close")],) for row in asked(market, keys)
    ]
    assert "range_bps" in store.get_historical_features(labelled, ["bar:vwap"]).to_df()
    with pytest.raises(ValueError, match="named as features: close, range_bps"):
        store.get_historical_features(labelled, ["ratio:range_bps"])
    prefixed = frame(keys).assign(bar__close=1.0)
    with pytest.raises(ValueError, match=r"features: bar__close\. Rename them$"):
        store.get_historical_features(prefixed, ["bar:close"], full_feature_names=True)


def test_a_name_of_a_later_batch_is_refused_before_reading(
    store: FeatureStore, keys: list[Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offline_store, "BATCH", 7)
    monkeypatch.setattr(offline_store, "SNAPSHOT", "select 'nothing is read' / 0 -- {columns}")
    wrong = [*keys, (keys[0][0], "syn_es", keys[0][2])]
    with pytest.raises(psycopg.errors.UndefinedObject, match="unknown symbols: 'syn_es'"):
        store.get_historical_features(frame(wrong), ALL).to_df()


def test_history_that_waits_is_told(market: Market, store: FeatureStore) -> None:
    """What psql warns of, whoever asks over Feast is warned of, too."""
    asked = frame([(market.tenants[0], SYMBOLS[0], START + 60 * MINUTE)])
    connection = market.world.connection
    connection.execute(
        "insert into feature.waiting_history (symbol, tenant_id, day, minutes)"
        " values (%s, %s, %s, set_bit(0::bit(1440), 5, 1))",
        [SYMBOLS[0], market.tenants[0], START.date()],
    )
    try:
        with pytest.warns(UserWarning, match=f"history not backfilled: {START.date()} to .*call"):
            store.get_historical_features(asked, ALL).to_df()
    finally:
        connection.execute("delete from feature.waiting_history")


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
def test_no_rows_give_no_rows(store: FeatureStore, kind: Any) -> None:
    untyped: Any = {"tenant_id": [], "symbol": [], "event_timestamp": [], "label": []}
    found = store.get_historical_features(kind(untyped), ALL).to_arrow()
    assert len(found) == 0
    assert {"label", "close", "bucket"} <= set(found.column_names)


def test_views_of_other_sources_are_refused(store: FeatureStore, keys: list[Key]) -> None:
    other = FeatureView(
        name="fundamentals",
        entities=[definitions.instrument],
        schema=[Field(name="earnings", dtype=Float64)],
        source=PostgreSQLSource(name="f", table="f", timestamp_field="ts"),
        online=False,
    )
    store.apply(other)
    with pytest.raises(ValueError, match=r"fundamentals do not read feature_pit_snapshot"):
        store.get_historical_features(frame(keys), ["fundamentals:earnings", "bar:close"])


def test_a_statement_that_takes_too_long_is_ended(
    market: Market,
    store: FeatureStore,
    databases: Databases,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if databases.kind == "embedded":
        pytest.skip("statement_timeout counts from the next message on the embedded engine")
    monkeypatch.setattr(offline_store, "BATCH", 200_000)
    many = frame([(market.tenants[0], SYMBOLS[0], START + 60 * MINUTE)] * 200_000)
    with pytest.raises(psycopg.errors.QueryCanceled):
        store.get_historical_features(many, ALL).to_df(timeout=1)


@pytest.fixture
def tenant_login(market: Market, databases: Databases) -> Iterator[str]:
    """A login of the first tenant, which may create nothing."""
    if databases.kind == "embedded":
        pytest.skip("the embedded engine lets everybody in as its one superuser")
    login = f"feast_{market.world.url[-8:]}"
    connection = market.world.connection
    connection.execute("call access.lockdown()")
    connection.execute(
        "call access.set_tenant(%s, p_name => %s, p_logins => array[%s]::name[])",
        [market.tenants[0], login, login],
    )
    yield login
    connection.execute("call access.remove_tenant(%s)", [market.tenants[0]])


def test_a_tenants_own_login_reads_its_own(
    market: Market,
    store: FeatureStore,  # noqa: ARG001 - the registry's definitions are there
    keys: list[Key],
    tenant_login: str,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No right to create, a registry of its own, and api in place of public."""
    from feast_repo.store import open_store

    for name, value in {
        "DATABASE_URL": make_conninfo(market.world.url, user=tenant_login),
        "FEAST_REGISTRY": f"sqlite:///{tmp_path}/registry.db",
        "FEAST_DB_SCHEMA": "api",
    }.items():
        monkeypatch.setenv(name, value)
    theirs = open_store()
    views = [definitions.bar, definitions.signal, definitions.liquidity]
    theirs.apply([definitions.tenant, definitions.instrument, *views])
    own = [key for key in keys if key[0] == market.tenants[0]]
    assert got(theirs.get_historical_features(frame(own), ALL).to_arrow()) == asked(market, own)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="not yours to read"):
        theirs.get_historical_features(frame(keys), ALL).to_df()
