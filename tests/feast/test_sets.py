"""Fields of several sets at once are each set's own snapshot: training sets, online, over HTTP."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pandas as pd
import polars as pl
import psycopg
import pyarrow as pa
import pytest
import redis
from feast import FeatureStore, FeatureView
from feast.infra.offline_stores.offline_store import RetrievalJob
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from feast_repo import definitions, internals, push
from feast_repo import receipts as receipts_of
from feast_repo.receipts import verify, with_receipts
from feast_repo.store import materialize, open_store
from tests.conftest import Databases
from tests.documents import block
from tests.feast.market import FIELDS_OF, MINUTE, SETS, SYMBOLS, Market, amended, bits, rows
from tests.feast.served import Served
from tests.pit.oracle import Event, Trade
from tests.pit.world import World

# two hours before a session of the day ends, at midnight of UTC
BEGIN = datetime(2024, 3, 4, 22, tzinfo=UTC)
DAY = timedelta(days=1)
VIEWS = {name: list(one.views) for name, one in SETS.items()}
ALL = [
    f"{view.name}:{field.name}"
    for views in definitions.feature_views().values()
    for view in views.values()
    for field in view.features
]
Key = tuple[int, str, datetime]


@pytest.fixture(scope="module")
def market(databases: Databases, database: str) -> Iterator[Market]:
    """Two hours over the end of a session, and the last minutes of the next one."""
    world = World(database, databases.kind)
    made = Market(world, BEGIN)
    made.minutes(125, seed=1, publish_every=25)
    made.now = BEGIN + DAY + 100 * MINUTE
    made.minutes(25, seed=2, publish_every=25)
    yield made
    world.close()


def known(world: World, of: str, keys: list[Key]) -> list[tuple[Any, ...]]:
    """What psql says of a set, one call per row."""
    statement = sql.SQL("select * from {}(array[%s], %s::timestamptz, p_tenant_id => %s)").format(
        sql.Identifier(SETS[of].snapshot)
    )
    found: list[Any] = []
    with world.connection.cursor(row_factory=dict_row) as cursor:
        for tenant, symbol, at in keys:
            found.append(cursor.execute(statement, [symbol, at, tenant]).fetchone())
    return rows(found, FIELDS_OF[of])


def of_set(of: str, found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """A set's fields of rows whose columns are view__field."""
    short = [
        {name.partition("__")[2]: row[name] for name in row if name.split("__")[0] in VIEWS[of]}
        for row in found
    ]
    return rows(short, FIELDS_OF[of])


def trained(store: FeatureStore, keys: list[Key]) -> list[dict[str, Any]]:
    frame = entities(keys)
    found: list[dict[str, Any]] = (
        store.get_historical_features(frame, ALL, full_feature_names=True).to_arrow().to_pylist()
    )
    return found


def entities(keys: list[Key]) -> pd.DataFrame:
    return pd.DataFrame(keys, columns=["tenant_id", "symbol", "event_timestamp"])


def pairs(market: Market) -> list[Key]:
    """Of both tenants and symbols, one before the next, before the first bar too, and one twice."""
    found = [
        (tenant, symbol, BEGIN + minute * MINUTE)
        for minute in (124, 119, 60, 0)
        for tenant in market.tenants
        for symbol in SYMBOLS
    ]
    return [*found, found[0]]


def psql_receipt(market: Market, of: str, keys: list[Key]) -> Any:
    question = [[symbol for _, symbol, _ in keys], [at for *_, at in keys], keys[0][0], of]
    (row,) = market.world.connection.execute(
        "select feature.receipt(%s, %s::timestamptz[], null::timestamptz[], %s, %s)", question
    ).fetchall()
    return row[0]


def online(store: FeatureStore, keys: list[tuple[int, str]]) -> list[dict[str, Any]]:
    entities = [{"tenant_id": tenant, "symbol": symbol} for tenant, symbol in keys]
    found = store.get_online_features(ALL, entities, full_feature_names=True).to_dict()
    return [dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True)]


def test_a_training_set_of_several_sets_is_the_snapshot_of_each(
    market: Market, store: FeatureStore
) -> None:
    """Before the first bar, within a session, after it, stale in one set and in all."""
    after = (0, 61, 119, 120, 121, 125, 140, 200, 1540, 1559, 1560, 1561, 1565)
    moments = [BEGIN + minute * MINUTE + timedelta(seconds=20) for minute in after]
    keys = [
        (tenant, symbol, at)
        for at in reversed([*moments, market.now + 3 * DAY])
        for tenant in market.tenants
        for symbol in (*SYMBOLS, "SYN_GC")
    ]
    found = trained(store, [*keys, *keys[:3]])
    expected = {of: known(market.world, of, [*keys, *keys[:3]]) for of in SETS}
    for of in SETS:
        assert of_set(of, found) == expected[of], of
        filled = [[value is not None for value in row] for row in expected[of]]
        # what no row has would be the same by chance
        wanting = [n for n, *there in zip(FIELDS_OF[of], *filled, strict=True) if not any(there)]
        assert set(wanting) <= {"order_flow_imbalance", "atr_14", "realised_volatility_20"}
        assert not all(map(any, filled))
    minutes, days = expected["market_1m"], expected["daily"]
    seen = {(m[0] is None, d[0] is None) for m, d in zip(minutes, days, strict=True)}
    assert seen == {(True, True), (False, True), (True, False), (False, False)}


def test_a_minute_goes_from_redis_and_its_session_stays(
    market: Market, online_world: Served, redis_url: str
) -> None:
    """Where nobody has written for the maximum staleness of a minute."""
    store, tenant = online_world.store, market.tenants[0]
    at = market.publish()
    materialize(store)
    pairs = [(tenant, symbol) for symbol in SYMBOLS]
    sessions = known(market.world, "daily", [(*pair, at) for pair in pairs])
    assert all(row[0] is not None for row in sessions)
    with redis.Redis.from_url(redis_url) as server:
        for key in server.scan_iter():
            for view in VIEWS["market_1m"]:
                names = definitions.VIEWS[view]
                fields = (internals.redis_field(view, name) for name in (*names, "bucket"))
                server.hexpire(key, 0, internals.time_field(view), *fields)
    found = online(store, pairs)
    assert of_set("market_1m", found) == [(None,) * len(FIELDS_OF["market_1m"])] * len(pairs)
    assert of_set("daily", found) == sessions
    body = {
        "features": ["bar:close", "session_bar:high"],
        "entities": {"symbol": list(SYMBOLS), "tenant_id": [tenant] * len(SYMBOLS)},
    }
    minute, session = online_world.ask(body, online_world.keys[tenant]).json()["results"][2:]
    assert (minute["values"], minute["statuses"]) == ([None] * 2, ["NOT_FOUND"] * 2)
    assert session["statuses"] == ["PRESENT"] * 2
    high = FIELDS_OF["daily"].index("high")
    assert [(bits(value),) for value in session["values"]] == [(row[high],) for row in sessions]


def test_online_and_over_http_each_set_is_its_snapshot(
    market: Market, online_world: Served
) -> None:
    store = online_world.store
    pairs = [(tenant, symbol) for tenant in market.tenants for symbol in SYMBOLS]
    for quiet in (timedelta(0), 20 * MINUTE, 3 * DAY):
        at = market.publish(quiet + timedelta(microseconds=7))
        assert materialize(store) == at
        keys = [(tenant, symbol, at) for tenant, symbol in pairs]
        found = online(store, pairs)
        told = []
        for tenant in market.tenants:
            body = {
                "features": ALL,
                "full_feature_names": True,
                "entities": {"symbol": list(SYMBOLS), "tenant_id": [tenant] * len(SYMBOLS)},
            }
            answer = online_world.ask(body, online_world.keys[tenant])
            assert answer.status_code == 200, answer.text
            told += answered(answer.json(), at)
        for of in SETS:
            expected = known(market.world, of, keys)
            assert of_set(of, found) == expected, (of, quiet)
            assert of_set(of, told) == expected, (of, quiet)
            if quiet == timedelta(0):
                assert all(row[0] is not None for row in expected)
        stale = {of: known(market.world, of, keys)[0][0] is None for of in SETS}
        assert stale["market_1m"] == stale["momentum_1m"] == (quiet > timedelta(0))
        assert stale["daily"] == (quiet > DAY)


def answered(body: dict[str, Any], at: datetime) -> list[dict[str, Any]]:
    """The rows of an answer, all of whose features are of the moment at."""
    names = body["metadata"]["feature_names"]
    for name, column in zip(names, body["results"], strict=True):
        if name not in ("symbol", "tenant_id"):
            assert {*map(datetime.fromisoformat, column["event_timestamps"])} == {at}
        if name.endswith("__bucket"):
            column["values"] = [v and datetime.fromtimestamp(v, UTC) for v in column["values"]]
    values = zip(*(column["values"] for column in body["results"]), strict=True)
    return [dict(zip(names, row, strict=True)) for row in values]


def test_a_training_set_carries_a_receipt_of_each_set_and_tenant(
    market: Market, store: FeatureStore
) -> None:
    keys = pairs(market)
    entity_df = entities(keys).assign(label=range(len(keys)))
    job = store.get_historical_features(
        entity_df, [*ALL, "ratio:range_bps"], full_feature_names=True
    )
    found, receipts = with_receipts(job)
    pd.testing.assert_frame_equal(found, job.to_df())
    assert {*receipts} == {f"{of}.{tenant}" for of in SETS for tenant in market.tenants}
    for name, receipt in receipts.items():
        of, tenant = name.split(".")
        own = [key for key in keys if key[0] == int(tenant)]
        assert receipt == psql_receipt(market, of, own)
    for asked in (entity_df, found, pl.from_pandas(entity_df), pa.Table.from_pandas(found)):
        assert {row["is_equal"] for row in verify(store, asked, receipts).values()} == {True}
    assert with_receipts(store.get_historical_features(entity_df.head(0), ALL[:2]))[1] == {}


def test_a_receipt_of_moments_after_the_last_publish_stays_equal(
    market: Market, store: FeatureStore
) -> None:
    """It is of the publish that the training set is of."""
    keys = [(market.tenants[0], symbol, market.now + 3 * MINUTE) for symbol in SYMBOLS]
    job = store.get_historical_features(entities(keys), ["bar:vwap"])
    found, receipts = with_receipts(job)
    market.minutes(4, seed=31, publish_every=1)
    assert not job.to_df().equals(found)
    assert [row["is_equal"] for row in verify(store, found, receipts).values()] == [True]


def test_a_publish_between_the_values_and_their_receipt_is_in_neither(
    market: Market,
    store: FeatureStore,
    databases: Databases,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if databases.kind == "embedded":
        pytest.skip("one transaction at a time: nothing can come in between")
    keys = [(market.tenants[0], symbol, market.now + 3 * MINUTE) for symbol in SYMBOLS]
    job = store.get_historical_features(entities(keys), ["bar:vwap"])
    before = job.to_df()
    of_frame = receipts_of.of_frame

    def late(*arguments: Any) -> dict[str, str]:
        market.minutes(4, seed=32, publish_every=1)
        return of_frame(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(receipts_of, "of_frame", late)
        found, receipts = with_receipts(job)
    assert found.equals(before)
    assert not job.to_df().equals(before)
    assert [*receipts.values()] != [psql_receipt(market, "market_1m", keys)]
    assert [row["is_equal"] for row in verify(store, found, receipts).values()] == [True]


def test_receipts_of_another_frame_are_refused(market: Market, store: FeatureStore) -> None:
    entity_df = entities(pairs(market)[:-1])
    _, receipts = with_receipts(store.get_historical_features(entity_df, ["bar:vwap"]))
    first, second = (f"market_1m.{tenant}" for tenant in market.tenants)
    assert {*receipts} == {first, second}
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="not the question of the rec"):
        verify(store, entity_df[::-1], receipts)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="damaged"):
        verify(store, entity_df, {**receipts, first: receipts[first] + "x"})
    for others in ({first: receipts[first]}, {**receipts, "market_1m.7": ""}, {"nope": ""}):
        with pytest.raises(ValueError, match=r"has receipts named .*, and those given are named"):
            verify(store, entity_df, others)
    with pytest.raises(ValueError, match="no receipts to verify"):
        verify(store, entity_df, {})
    # the same symbols and moments of the other tenant
    swapped = {first: receipts[second], second: receipts[first]}
    said = verify(store, entity_df, swapped)[first]
    assert (said["is_equal"], said["moved"]) == (False, "versions of the log")
    with pytest.raises(ValueError, match="a Mock has no receipts: ask a store of"):
        with_receipts(Mock(spec=RetrievalJob))


def test_a_run_of_mlflow_carries_the_receipts(
    market: Market, store: FeatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/point-in-time.md says."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/runs.db")
    names: dict[str, Any] = {"store": store, "entity_df": entities(pairs(market))}
    exec(block("docs/point-in-time.md", "import mlflow"), names)  # noqa: S102 - the document's
    assert names["kept"] == names["receipts"]
    assert {*names["kept"]} == {f"market_1m.{tenant}" for tenant in market.tenants}


def test_a_tenant_sees_its_own_in_every_set(
    market: Market,
    online_world: Served,
    databases: Databases,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its key, and by a login of its own over the schema api."""
    first, second = market.tenants
    keys = [(second, symbol, BEGIN + 126 * MINUTE) for symbol in SYMBOLS]
    for of in SETS:
        assert known(market.world, of, keys) != known(
            market.world, of, [(first, symbol, at) for _, symbol, at in keys]
        )
        body = {"feature_service": of, "entities": {"symbol": [SYMBOLS[0]], "tenant_id": [first]}}
        refused = online_world.ask(body, online_world.keys[second])
        assert refused.status_code == 403
    if databases.kind == "embedded":
        pytest.skip("the embedded engine lets everybody in as its one superuser")
    for name, value in {
        "DATABASE_URL": make_conninfo(market.world.url, user=online_world.logins[second]),
        "FEAST_REGISTRY": f"sqlite:///{tmp_path}/registry.db",
        "FEAST_DB_SCHEMA": "api",
    }.items():
        monkeypatch.setenv(name, value)
    theirs = open_store()
    theirs.apply(definitions.OBJECTS)
    found = trained(theirs, keys)
    asked = entities(keys)
    job = theirs.get_historical_features(asked, ALL, full_feature_names=True)
    _, receipts = with_receipts(job)
    assert {*receipts} == {f"{of}.{second}" for of in SETS}
    assert {row["is_equal"] for row in verify(theirs, asked, receipts).values()} == {True}
    for of in SETS:
        assert of_set(of, found) == known(market.world, of, keys)
        (view, *_) = VIEWS[of]
        frame = pd.DataFrame(
            [(first, SYMBOLS[0], BEGIN)], columns=["tenant_id", "symbol", "event_timestamp"]
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="not yours to read"):
            theirs.get_historical_features(frame, [f"{view}:bucket"]).to_df()


def test_a_ttl_over_sessions_is_refused(market: Market, store: FeatureStore) -> None:
    short = FeatureView(
        name="short_session",
        entities=[definitions.tenant, definitions.instrument],
        schema=definitions.session_bar.schema,
        source=definitions.LOGS["daily"],
        ttl=DAY,
        online=False,
    )
    store.apply(short)
    frame = pd.DataFrame(
        [(market.tenants[0], SYMBOLS[0], BEGIN)], columns=["tenant_id", "symbol", "event_timestamp"]
    )
    with pytest.raises(ValueError, match=r"short_session have a ttl, .* when a session closed"):
        store.get_historical_features(frame, ["short_session:close"])


def test_a_corrected_tick_reaches_what_is_derived_of_it_by_push(
    market: Market,
    store: FeatureStore,
    database: str,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same bars stay online, with other values; of yesterday's tick the session's alone."""
    monkeypatch.setattr(push, "RENEW_S", 1e9)
    world = market.world
    world.set_clock(datetime.now(UTC) - 3 * DAY, datetime.now(UTC) - timedelta(seconds=1))
    tenant, symbol, now = world.tenant(), SYMBOLS[0], datetime.now(UTC)
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0) - DAY
    # no window of today's bars reaches back to noon
    times = [noon, *(now - minute * MINUTE for minute in range(370, 1, -1))]
    trades = [
        Event("new", tenant, symbol, ts, n, Trade(100 + n % 7, 1.0, "buy"), now)
        for n, ts in enumerate(times)
    ]
    world.apply(trades)
    pushing = push.Push(store, database)
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    try:
        pushing.once()
        for trade, changes in ((trades[0], "daily"), (trades[-2], "momentum_1m")):
            before = online(store, [(tenant, symbol)])
            world.apply([amended(trade, "correction", datetime.now(UTC), 300.0)])
            assert pushing.once() == 1
            after = online(store, [(tenant, symbol)])
            for of in SETS:
                keys = [(tenant, symbol, world.published_at())]
                assert of_set(of, after) == known(world, of, keys), of
            ((was_bar, *was),) = of_set(changes, before)
            ((bar, *values),) = of_set(changes, after)
            assert bar == was_bar is not None
            assert values != was, changes
        assert after[0]["session_bar__high"] == 300.0
    finally:
        pushing.close()
