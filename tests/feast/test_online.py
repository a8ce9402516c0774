"""What is online is what the snapshot says, after every materialization."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis
from feast import FeatureStore

from embedded import redis as embedded_redis
from feast_repo import internals
from feast_repo.definitions import VIEWS, feature_views
from feast_repo.store import apply, materialize, open_store
from tests.feast.market import FIELDS, MINUTE, SYMBOLS, Market, amended, rows
from tests.known import known_from_the_beginning

MARKET = "market_v1"
MICROSECOND = timedelta(microseconds=1)


def online(store: FeatureStore, keys: list[tuple[int, str]]) -> list[tuple[Any, ...]]:
    """The values that Feast reads online, one row per key."""
    found = store.get_online_features(
        features=store.get_feature_service(MARKET),
        entity_rows=[{"tenant_id": tenant, "symbol": symbol} for tenant, symbol in keys],
    ).to_dict()
    return rows(
        [dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True)]
    )


def known(market: Market, keys: list[tuple[int, str]], at: datetime) -> list[tuple[Any, ...]]:
    """What psql says was known."""
    return [rows(market.world.ask([symbol], at, None, tenant))[0] for tenant, symbol in keys]


@pytest.fixture
def keys(market: Market) -> list[tuple[int, str]]:
    """Both symbols of both tenants."""
    return [(tenant, symbol) for tenant in market.tenants for symbol in SYMBOLS]


@pytest.fixture
def server(store: FeatureStore, redis_url: str) -> Iterator[Any]:  # noqa: ARG001 - before it
    """The Redis of these tests, empty."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        yield client


def bring(store: FeatureStore, at: datetime) -> None:
    store.materialize(at - timedelta(days=1), at)


@pytest.mark.usefixtures("server")
def test_materialized_is_what_was_known_at_the_end(
    market: Market, store: FeatureStore, keys: list[tuple[int, str]]
) -> None:
    for minutes in (90, 60, 1, 0):
        at = market.now - minutes * MINUTE
        bring(store, at)
        assert online(store, keys) == known(market, keys, at), at
    assert known(market, keys, market.now) != known(market, keys, market.now - MINUTE)


@pytest.mark.usefixtures("server")
def test_the_same_again_changes_nothing_and_an_earlier_end_neither(
    market: Market, store: FeatureStore, keys: list[tuple[int, str]]
) -> None:
    bring(store, market.now)
    expected = known(market, keys, market.now)
    bring(store, market.now)
    assert online(store, keys) == expected
    bring(store, market.now - 30 * MINUTE)
    assert online(store, keys) == expected
    assert known(market, keys, market.now - 30 * MINUTE) != expected


@pytest.mark.usefixtures("server")
def test_a_run_that_failed_half_way_is_completed_by_the_next(
    market: Market,
    store: FeatureStore,
    keys: list[tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bring(store, market.now - 30 * MINUTE)
    writes = []
    provider = store._get_provider()
    whole = provider.online_store.online_write_batch

    def half(config: Any, table: Any, data: Any, progress: Any) -> None:
        writes.append(table.name)
        if len(writes) > 1:
            raise ConnectionError("the network went")
        whole(config, table, data[: len(data) // 2], progress)

    with monkeypatch.context() as patch:
        patch.setattr(provider.online_store, "online_write_batch", half)
        with pytest.raises(Exception, match=r"the network went|failed"):
            bring(store, market.now)
    assert writes
    assert online(store, keys) != known(market, keys, market.now)
    bring(store, market.now)
    assert online(store, keys) == known(market, keys, market.now)


@pytest.mark.usefixtures("server")
def test_a_correction_of_the_bar_that_is_online_gets_there(
    market: Market, store: FeatureStore
) -> None:
    """Its bucket is the same: an event time of the bar's would be skipped by Redis."""
    market.minutes(1, seed=5, publish_every=1)
    key = [(market.tenants[0], SYMBOLS[0])]
    newest = market.trades[-1]
    bucket = market.world.connection.execute(
        "select max(bucket) from feature.log where tenant_id = %s and symbol = %s", list(key[0])
    ).fetchone()
    assert bucket is not None
    newest = [
        e
        for e in market.trades
        if (e.tenant_id, e.symbol) == key[0] and bucket[0] <= e.ts < bucket[0] + MINUTE
    ][-1]
    bring(store, market.now)
    before = online(store, key)
    for price in (555.0, 666.0):
        change = amended(newest, "correction", market.now, price)
        market.world.apply([change])
        newest = change
        market.publish()
        bring(store, market.now)
        assert online(store, key) == known(market, key, market.now)
        assert online(store, key) != before
        assert online(store, key)[0][0] == before[0][0], "the same bar"
        before = online(store, key)


@pytest.mark.usefixtures("server")
def test_a_symbol_that_stops_trading_goes_stale_online(
    market: Market, store: FeatureStore, keys: list[tuple[int, str]]
) -> None:
    bring(store, market.now)
    assert all(row[0] is not None for row in online(store, keys))
    later = market.now + 20 * MINUTE
    market.world.publish(later)
    bring(store, later)
    assert online(store, keys) == [(None,) * len(FIELDS)] * len(keys)
    market.now = later


def fields_of(view: str) -> list[bytes]:
    """What a series' key has of a view."""
    (found,) = (views[view] for views in feature_views().values() if view in views)
    names = [field.name for field in found.features]
    return [internals.time_field(view), *(internals.redis_field(view, name) for name in names)]


def test_what_a_view_has_expires_as_its_contract_says_unless_it_is_written_again(
    market: Market, store: FeatureStore, server: Any, keys: list[tuple[int, str]]
) -> None:
    bring(store, market.now)
    found = server.keys()
    assert len(found) >= len(keys)
    for key in found:
        assert {870 <= left <= 900 for left in server.httl(key, *fields_of("bar"))} == {True}
        assert {
            90_870 <= left <= 90_900 for left in server.httl(key, *fields_of("session_bar"))
        } == {True}
        # what is not newer is not written, and renews nothing
        server.hexpire(key, 5, internals.time_field("bar"))
    bring(store, market.now)
    assert {server.httl(key, internals.time_field("bar"))[0] <= 5 for key in found} == {True}
    # a symbol that is taken out of the instruments is not written any more
    connection = market.world.connection
    connection.execute("create temp table kept as table market.instrument")
    connection.execute("delete from market.instrument where symbol = %s", [SYMBOLS[1]])
    known_from_the_beginning(connection, "instrument")
    try:
        bring(store, market.publish())
    finally:
        connection.execute(
            "insert into market.instrument select * from kept on conflict do nothing"
        )
        connection.execute("drop table kept")
        known_from_the_beginning(connection, "instrument")
    renewed = {
        key for key in server.scan_iter() if server.httl(key, internals.time_field("bar"))[0] > 5
    }
    assert renewed == {key for key in found if SYMBOLS[1].encode() not in key}
    assert renewed != set(found)


def test_a_redis_whose_fields_cannot_expire_drops_the_whole_key(
    market: Market, store: FeatureStore, server: Any, keys: list[tuple[int, str]]
) -> None:
    """As of Redis before 7.4 and of Valkey before 9.0; a login that may not is taken for one."""
    address = os.environ["REDIS_URL"].removeprefix("redis://")
    server.execute_command(
        "ACL", "SETUSER", "old", "on", ">old", "~*", "+@all", "-hexpire", "-@dangerous"
    )
    try:
        other = open_store({**os.environ, "REDIS_URL": f"redis://old:old@{address}"})
        bring(other, market.now)
        assert server.dbsize() >= len(keys)
        for key in server.scan_iter():
            assert 1 <= server.ttl(key) <= 900
            assert set(server.httl(key, *fields_of("session_bar"))) == {-1}
        # the same keys, written where fields expire
        bring(store, market.publish())
        assert {server.ttl(key) for key in server.scan_iter()} == {-1}
    finally:
        server.execute_command("ACL", "DELUSER", "old")


def test_tenants_share_no_key(
    market: Market, store: FeatureStore, server: Any, keys: list[tuple[int, str]]
) -> None:
    """The same symbol has other values, in other keys, and no key without a tenant."""
    market.minutes(2, seed=11, publish_every=1)
    bring(store, market.now)
    ours = [key for key in server.scan_iter() if any(s.encode() in key for s in SYMBOLS)]
    assert len(ours) == len(keys)
    first, second = (online(store, [(tenant, SYMBOLS[0])]) for tenant in market.tenants)
    assert first != second
    nobody = online(store, [(999_999, SYMBOLS[0])])
    assert nobody == [(None,) * len(FIELDS)]


@pytest.mark.usefixtures("server")
def test_an_end_after_the_last_publish_is_that_publish(
    market: Market, store: FeatureStore, keys: list[tuple[int, str]]
) -> None:
    """A clock of Feast's that runs ahead asks for no future; nothing was known since."""
    store.materialize(datetime.now(UTC), datetime.now(UTC) + timedelta(minutes=3))
    assert online(store, keys) == known(market, keys, market.now)
    market.minutes(1, seed=21)
    assert materialize(store) == market.now
    assert online(store, keys) == known(market, keys, market.now)


@pytest.mark.usefixtures("server")
def test_the_event_time_is_the_moment_to_ask_psql_for(
    market: Market, store: FeatureStore, keys: list[tuple[int, str]]
) -> None:
    """Also when more has become known by then."""
    market.publish(timedelta(microseconds=123_457))
    materialize(store)
    found = store.get_online_features(
        features=["bar:close"],
        entity_rows=[{"tenant_id": tenant, "symbol": symbol} for tenant, symbol in keys],
    ).proto
    place = found.metadata.feature_names.val[:].index("close")
    times = {t.ToMicroseconds() for t in found.results[place].event_timestamps}
    assert times == {int((market.now - datetime(1970, 1, 1, tzinfo=UTC)) / MICROSECOND)}
    at = market.now
    before = online(store, keys)
    market.minutes(3, seed=22)
    assert known(market, keys, at) == before != known(market, keys, market.now)


@pytest.mark.parametrize("profile", ["postgres", "sqlite"])
def test_the_other_profiles_give_the_same(
    profile: str,
    market: Market,
    store: FeatureStore,  # noqa: ARG001 - applied with Redis before
    keys: list[tuple[int, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FEAST_ONLINE", profile)
    monkeypatch.setenv("FEAST_SQLITE", str(tmp_path / "online.db"))
    other = open_store()
    apply(other)
    for at in (market.now - 40 * MINUTE, market.now):
        bring(other, at)
        assert online(other, keys) == known(market, keys, at)


def test_every_view_is_online(store: FeatureStore) -> None:
    assert {v.name for v in store.list_feature_views() if v.online} >= set(VIEWS)


def test_a_redis_with_a_user_and_a_password(store: FeatureStore, tmp_path: Path) -> None:
    """Whatever is in the password; without it, nothing is read."""
    secret = "p:@/%\"' #1"  # noqa: S105 - of nobody
    running = embedded_redis.start(tmp_path / "redis")
    try:
        with redis.Redis.from_url(running.url) as client:
            client.execute_command(
                "ACL", "SETUSER", "feast", "on", f">{secret}", "~*", "+@all", "-@dangerous"
            )
            client.execute_command("ACL", "SETUSER", "default", "off")
        address = running.url.removeprefix("redis://")
        for login, works in ((f"feast:{quote(secret, safe='')}@", True), ("", False)):
            other = open_store({**os.environ, "REDIS_URL": f"redis://{login}{address}"})
            ask = partial(
                other.get_online_features, ["bar:close"], [{"tenant_id": 1, "symbol": "X"}]
            )
            if works:
                assert ask().to_dict()["close"] == [None]
            else:
                with pytest.raises(redis.AuthenticationError):
                    ask()
    finally:
        embedded_redis.stop(tmp_path / "redis")
    assert store.project == other.project
