"""Push: what closes is published and online, and stays so through failures."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from unittest.mock import Mock

import pandas as pd
import psycopg
import pytest
import redis
from feast import FeatureStore
from feast.protos.feast.types.Value_pb2 import Value

from engine.errors import EngineError
from feast_repo import definitions, internals, push
from feast_repo.api.read import _key
from feast_repo.receipts import online_with_receipts, verify
from feast_repo.store import apply
from telemetry import start
from telemetry.settings import TelemetryConfig
from tests.conftest import Databases
from tests.feast.market import FIELDS, SYMBOLS, rows
from tests.pit.world import World
from tests.telemetry.scrape import get, scrape

TENANTS = count(5_000_000, 10)
INSERT = """
    insert into market.trade (tenant_id, symbol, ts, seq, price, size, side, known_at)
    select %s, %s, date_trunc('minute', now()) - n * interval '1 minute' + interval '30 s',
        %s + n, 100 + random(), 1, 'buy', now()
    from generate_series(1, 3) as n
"""


@pytest.fixture
def pushed(
    databases: Databases, database: str, store: FeatureStore, redis_url: str
) -> Iterator[tuple[push.Push, World, Any, int]]:
    """A push, its database at the real time, an empty Redis, and a tenant of the test's own."""
    world = World(database, databases.kind)
    world.tenants = next(TENANTS)
    world.connection.execute(
        "update feature.clock set live_from = now() - interval '1 day',"
        " published_at = now() - interval '1 s'"
    )
    pushing = push.Push(store, database)
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        yield pushing, world, client, world.tenant()
    pushing.close()
    world.close()


def online(store: FeatureStore, tenant: int) -> list[tuple[Any, ...]]:
    found = store.get_online_features(
        features=store.get_feature_service("market_v1"),
        entity_rows=[{"tenant_id": tenant, "symbol": symbol} for symbol in SYMBOLS],
    ).to_dict()
    return rows(
        [dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True)]
    )


def psql(world: World, tenant: int) -> list[tuple[Any, ...]]:
    with world.connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return rows(
            cursor.execute(
                "select * from feature_pit_snapshot(%s, now(), null::timestamptz, %s)",
                [list(SYMBOLS), tenant],
            ).fetchall()
        )


def trade(world: World, tenant: int, seq: int = 0) -> None:
    for symbol in SYMBOLS:
        world.connection.execute(INSERT, [tenant, symbol, seq])


def test_closed_bars_are_published_and_online(
    pushed: tuple[push.Push, World, Any, int], store: FeatureStore
) -> None:
    pushing, world, _, tenant = pushed
    trade(world, tenant)
    assert pushing.once() >= len(SYMBOLS)
    assert online(store, tenant) == psql(world, tenant)
    assert all(row[0] is not None for row in online(store, tenant))


def test_only_what_changed_is_written_between_renewals(
    pushed: tuple[push.Push, World, Any, int], store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushing, world, client, tenant = pushed
    trade(world, tenant)
    everything = pushing.once()
    assert pushing.once() == 0
    # a late trade changes both symbols of this tenant alone
    trade(world, tenant, seq=100)
    assert pushing.once() == len(SYMBOLS) < everything
    assert online(store, tenant) == psql(world, tenant)
    client.flushdb()
    assert pushing.once() == 0
    monkeypatch.setattr(push, "RENEW_S", 0.0)
    assert pushing.once() == everything
    assert online(store, tenant) == psql(world, tenant)


def test_a_running_push_follows_feast_apply(
    pushed: tuple[push.Push, World, Any, int],
    store: FeatureStore,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A field that comes while it runs is online; without the registry it goes on as it was."""
    _, world, _, tenant = pushed
    without = definitions.feature_views()["market_1m"]["bar"]
    without.features = [field for field in without.features if field.name != "vwap"]
    store.apply([without])
    began = push.Push(store, database)
    try:
        trade(world, tenant)
        began.once()
        apply(store)
        assert began.once() == 0
        assert online(store, tenant) != psql(world, tenant)
        monkeypatch.setattr(push, "REREAD_S", 0.0)
        with monkeypatch.context() as patch:
            patch.setattr(store, "refresh_registry", Mock(side_effect=OSError("away")))
            assert began.once() == 0
        assert began.once() >= len(SYMBOLS)
        assert online(store, tenant) == psql(world, tenant)
    finally:
        apply(store)
        began.close()


def receipt_of(
    store: FeatureStore, tenant: int, features: Any = None
) -> tuple[pd.DataFrame, dict[str, str]]:
    return online_with_receipts(
        store,
        features or store.get_feature_service("market_v1"),
        [{"tenant_id": tenant, "symbol": symbol} for symbol in SYMBOLS],
    )


def test_who_read_it_online_has_a_receipt_that_psql_verifies(
    pushed: tuple[push.Push, World, Any, int], store: FeatureStore
) -> None:
    """Also when other values are online, of another moment."""
    pushing, world, _, tenant = pushed
    stop = threading.Event()
    thread = threading.Thread(target=push.run, args=(pushing, stop))
    thread.start()
    try:
        trade(world, tenant)
        deadline = time.monotonic() + 120
        while online(store, tenant)[0][0] is None and time.monotonic() < deadline:
            time.sleep(0.1)
        frame, receipts = receipt_of(store, tenant)
    finally:
        stop.set()
        thread.join(30)
    question = [list(frame["symbol"]), list(frame["event_timestamp"]), tenant]
    with world.connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        known = cursor.execute(
            "select * from feature_pit_snapshot(%s, %s::timestamptz[], null, %s)", question
        ).fetchall()
    read = rows(frame.to_dict("records"))
    assert read == rows(known)
    assert all(row[0] is not None for row in read)
    trade(world, tenant, seq=100)
    pushing.once()
    assert online(store, tenant) == psql(world, tenant) != read
    assert [*receipts] == [f"market_1m.{tenant}"]
    said = world.connection.execute(
        "select is_equal, said from feature.verify(%s, %s, %s::timestamptz[], null, %s)",
        [*receipts.values(), *question],
    ).fetchall()
    assert [is_equal for is_equal, _ in said] == [True], said
    assert verify(store, frame, receipts)[f"market_1m.{tenant}"]["is_equal"]


def test_no_receipt_stands_for_what_the_log_does_not_say(
    pushed: tuple[push.Push, World, Any, int], store: FeatureStore
) -> None:
    pushing, world, client, tenant = pushed
    trade(world, tenant)
    pushing.once()
    frame, _ = receipt_of(store, tenant, ["ratio:range_bps", "bar:high", "session_bar:volume"])
    assert frame["range_bps"].notna().all()
    with pytest.raises(ValueError, match="ratio is computed of bar, signal: ask for one of theirs"):
        receipt_of(store, tenant, ["ratio:range_bps", "session_bar:volume"])
    key = _key(store.project, 3, tenant, SYMBOLS[1])
    client.hset(
        key, internals.redis_field("bar", "high"), Value(double_val=1.0).SerializeToString()
    )
    with pytest.raises(ValueError, match=f"high of {SYMBOLS[1]} is online as 1.0, and feature_pit"):
        receipt_of(store, tenant)
    client.hdel(key, internals.time_field("signal"))
    with pytest.raises(ValueError, match=f"{SYMBOLS[1]}.* is not of one moment: run `make mater"):
        receipt_of(store, tenant)
    client.delete(key)
    frame, receipts = receipt_of(store, tenant)
    assert list(frame["symbol"]) == [SYMBOLS[0]]
    assert verify(store, frame, receipts)[f"market_1m.{tenant}"]["is_equal"]


def test_a_registry_without_the_contract_is_refused(
    store: FeatureStore, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "list_feature_views", Mock(return_value=[]))
    with pytest.raises(EngineError, match="run `make feast` first"):
        push.Push(store, database)


def test_what_goes_stale_is_online_as_null(
    pushed: tuple[push.Push, World, Any, int], store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when nothing else is written with it."""
    pushing, world, _, tenant = pushed
    trade(world, tenant)
    pushing.once()
    monkeypatch.setattr(push, "RENEW_S", 1e9)
    before = world.connection.execute(
        "select field, max_staleness_s from market.contract"
    ).fetchall()
    world.set_staleness(1, field="close", less=1)
    time.sleep(1.1)
    try:
        assert pushing.once() >= len(SYMBOLS)
        assert online(store, tenant) == [(None,) * len(FIELDS)] * len(SYMBOLS)
    finally:
        for field, seconds in before:
            world.connection.execute(
                "update market.contract set max_staleness_s = %s where field = %s", [seconds, field]
            )


def test_what_the_database_warns_of_is_in_the_log_once(
    pushed: tuple[push.Push, World, Any, int],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pushing, world, _, tenant = pushed
    trade(world, tenant)
    execute = world.connection.execute
    ended = f"shut on {(datetime.now(UTC) - timedelta(days=400)).date()}"
    of_it = (
        "update market.instrument as i set calendar_id = %s from (select unnest(%s::text[]) as "
        "symbol) as s where i.symbol = s.symbol"
    )
    before = execute(
        "select symbol, calendar_id from market.instrument where symbol = any(%s)", [list(SYMBOLS)]
    ).fetchall()
    execute(
        "insert into market.calendar (calendar_id, time_zone, ends_on, source, description)"
        " values ('shut', 'UTC', %s::date, 'a test', 'one that has ended')",
        [ended.removeprefix("shut on ")],
    )
    execute(of_it, ["shut", list(SYMBOLS)])
    try:
        for _ in range(3):
            pushing.once()
        told = [record.getMessage() for record in caplog.records if "ended" in record.getMessage()]
        assert len(told) == 1, told
        assert told[0].startswith("the calendar has ended: ")
        assert ended in told[0]
        assert "Renew it with" in told[0]
        monkeypatch.setattr(push, "WARN_AGAIN_S", 0.0)
        pushing.once()
        assert sum(ended in record.getMessage() for record in caplog.records) > 1
    finally:
        for symbol, calendar_id in before:
            execute(of_it, [calendar_id, [symbol]])
        execute("delete from market.calendar where calendar_id = 'shut'")


def test_a_database_that_went_away_is_found_again(
    pushed: tuple[push.Push, World, Any, int], store: FeatureStore, databases: Databases
) -> None:
    pushing, world, _, tenant = pushed
    trade(world, tenant)
    pushing.once()
    assert pushing._connection is not None
    if databases.kind == "embedded":
        pushing._connection.close()
    else:
        pid = pushing._connection.info.backend_pid
        world.connection.execute("select pg_terminate_backend(%s, 10000)", [pid])
    trade(world, tenant, seq=100)
    with pytest.raises(psycopg.OperationalError):
        pushing.once()
    assert pushing.once() >= len(SYMBOLS)
    assert online(store, tenant) == psql(world, tenant)


def test_a_write_that_failed_is_made_good(
    pushed: tuple[push.Push, World, Any, int],
    store: FeatureStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Published and not online: nothing else would tell the next round to write it."""
    pushing, world, _, tenant = pushed
    pushing.once()
    trade(world, tenant)
    with monkeypatch.context() as patch:

        def refuse(*_: Any, **__: Any) -> None:
            raise redis.ConnectionError("down")

        patch.setattr(store._get_provider(), "online_write_batch", refuse)
        with pytest.raises(redis.ConnectionError):
            pushing.once()
    assert online(store, tenant) != psql(world, tenant)
    pushing.once()
    assert online(store, tenant) == psql(world, tenant)


def test_it_runs_until_it_is_told_to_stop(
    pushed: tuple[push.Push, World, Any, int],
    store: FeatureStore,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pushing, world, _, tenant = pushed
    failures = iter([True])
    once = pushing.once

    def sometimes() -> int:
        if next(failures, False):
            raise redis.ConnectionError("down")
        return once()

    monkeypatch.setattr(pushing, "once", sometimes)
    stop = threading.Event()
    thread = threading.Thread(target=push.run, args=(pushing, stop))
    caplog.set_level("INFO")
    thread.start()
    try:
        trade(world, tenant)
        deadline = time.monotonic() + 120
        while "online again" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.1)
        assert "not online: down" in caplog.text
        assert "online again" in caplog.text
        assert online(store, tenant)[0][0] is not None
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


@pytest.mark.usefixtures("pushed")
def test_who_waits_for_the_database_is_alive_and_not_ready(
    store: FeatureStore, database: str
) -> None:
    """For longer than a loop may stand still: another holds what the publish wants."""
    telemetry = start.push(TelemetryConfig(metrics_port=0, stall_s=2))
    stop = threading.Event()
    running = threading.Thread(
        target=push.run, args=(push.Push(store, database, telemetry), stop), daemon=True
    )
    try:
        with psycopg.connect(database) as holding:
            holding.execute("lock table feature.clock in access exclusive mode")
            running.start()
            deadline = time.monotonic() + 120
            while "it has waited for the database for" not in get(telemetry, "/readyz")[1]:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert get(telemetry, "/healthz") == (200, "ok\n")
            holding.rollback()
        while get(telemetry, "/readyz") != (200, "ok\n"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        stop.set()
        running.join(30)
        telemetry.close()


def test_what_was_pushed_is_on_the_metrics_endpoint(
    pushed: tuple[push.Push, World, Any, int],
    store: FeatureStore,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, world, _, tenant = pushed
    telemetry = start.push(TelemetryConfig(metrics_port=0))
    stop = threading.Event()
    pushing = push.Push(store, database, telemetry)
    once = pushing.once
    written: list[int] = []

    def rounds() -> int:
        """One that is well, and one that fails, after which nothing more is done."""
        if not written:
            written.append(once())
            return written[0]
        stop.set()
        raise redis.ConnectionError("down")

    monkeypatch.setattr(pushing, "once", rounds)
    try:
        assert get(telemetry, "/readyz") == (503, "starting\n")
        trade(world, tenant)
        push.run(pushing, stop)
        found = scrape(telemetry)
        assert found["feature_push_series_total",] == written[0] >= len(SYMBOLS)
        assert found["feature_push_rows_total",] == written[0] * len(definitions.VIEWS)
        assert found["feature_push_failures_total",] == 1
        assert found["feature_push_round_duration_seconds_count",] == 1
        age_s = time.time() - world.published_at().timestamp()
        assert 0 <= found["feature_push_lag_seconds",] <= age_s
        assert 0 <= found["feature_push_publish_age_seconds",] <= age_s
        assert found["feature_push_set_aside",] == 0
        assert get(telemetry, "/healthz") == (200, "ok\n")
        assert get(telemetry, "/readyz")[0] == 503
    finally:
        telemetry.close()


def test_ticks_come_after_the_whole_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push, "PHASE_S", 0.25)
    stop = threading.Event()
    found = []
    for _ in push.ticks(stop):
        found.append(time.time() % 1.0)
        if len(found) == 3:
            stop.set()
    assert len(found) == 3
    assert all(0.25 <= at < 0.9 for at in found)
