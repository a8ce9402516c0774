"""What the feature API refuses, and how."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from feast import FeatureService, FeatureView, Field
from feast.infra.registry.sql import SqlRegistry
from feast.types import Float64, String
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from feast_repo import definitions
from feast_repo.api import app as api
from feast_repo.api.read import Catalog
from feast_repo.store import apply
from tests.feast.http.asking import (
    BOTH,
    MARKET,
    NOBODYS,
    OWN,
    RATIOS,
    Clock,
    columns,
    of,
    refused,
    values,
)
from tests.feast.served import FED, Served


def test_another_tenants_rows_are_not_given(online_world: Served) -> None:
    world = online_world
    key = world.keys[world.second]
    text = refused(world.ask(of([FED]), key), 404)
    assert text == refused(world.ask(of([NOBODYS]), key), 404).replace(NOBODYS, FED)
    refused(world.ask(of([OWN], [world.first]), key), 403, str(world.first))
    nobody = refused(world.ask(of([OWN], [999_999]), key), 403)
    other = refused(world.ask(of([OWN], [world.first]), key), 403)
    assert nobody.replace("999999", str(world.first)) == other
    # one of many is enough
    refused(world.ask(of([OWN, OWN], [world.second, world.feed]), key), 403)
    refused(world.ask(of([FED], [world.second]), key), 404)
    # the last of two keys counts, for what is allowed as for what is read
    body = (
        f'{{"entities": {{"symbol": ["{OWN}"], "tenant_id": [{world.second}],'
        f' "tenant_id": [{world.first}]}}, "feature_service": "{MARKET}"}}'
    )
    refused(world.ask(None, key, data=body), 403)
    turned = body.replace(str(world.second), "T").replace(str(world.first), str(world.second))
    turned = turned.replace("[T]", f"[{world.first}]")
    assert values(world.ask(None, key, data=turned))["tenant_id"] == [world.second]


hostile = st.one_of(
    st.sampled_from([OWN, BOTH, FED, NOBODYS, OWN + "\x00", OWN.lower(), f"{OWN} ", f" {FED}"]),
    st.text(min_size=1, max_size=100),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_is_asked_the_answer_is_of_visible_tenants(
    online_world: Served, data: st.DataObject
) -> None:
    world = online_world
    asking = data.draw(st.sampled_from([world.first, world.second, world.feed]))
    visible = {world.first: {world.first, world.feed}}.get(asking, {asking})
    numbers = st.one_of(
        st.sampled_from([world.first, world.second, world.feed]),
        st.none(),
        st.integers(),
        st.sampled_from([2**63, -(2**63), 10**4000, 1.0, 1e300, True, "1001", [], {}]),
    )
    symbols = data.draw(st.lists(hostile, min_size=1, max_size=5))
    tenants = data.draw(
        st.one_of(st.none(), st.lists(numbers, min_size=len(symbols), max_size=len(symbols)))
    )
    sys.set_int_max_str_digits(0)
    answer = world.ask(of(symbols, tenants), world.keys[asking])
    assert answer.status_code in (200, 403, 404, 422), answer.text
    if answer.status_code == 200:
        assert set(values(answer)["tenant_id"]) <= visible
    else:
        assert len(refused(answer, answer.status_code)) < 3000


def test_two_tenants_at_once_get_only_their_own(online_world: Served) -> None:
    world = online_world

    def ask(tenant: int) -> tuple[int, Any]:
        return tenant, values(world.ask(of([OWN], features=["bar:close"]), world.keys[tenant]))

    expected = dict(ask(tenant) for tenant in (world.first, world.second))
    with ThreadPoolExecutor(8) as pool:
        for tenant, found in pool.map(ask, [world.first, world.second] * 60):
            assert found == expected[tenant]


def test_a_symbol_of_several_tenants_needs_one(online_world: Served) -> None:
    world = online_world
    text = refused(world.ask(of([BOTH])), 422, "tenant_id")
    assert f"{BOTH} of {world.first} and {world.feed}" in text
    assert world.ask(of([BOTH]), world.keys[world.second]).status_code == 200
    assert str(world.second) not in text


def test_a_symbol_that_is_new_is_found_within_a_second(online_world: Served, clock: Clock) -> None:
    world = online_world
    key = world.new_key(world.second)
    refused(world.ask(of([OWN, "SYN_CL", "\x00\n"]), key), 404, "SYN_CL, \\x00\\n")
    world.execute(
        "insert into feature.series (tenant_id, symbol) values (%s, 'SYN_CL')", [world.second]
    )
    try:
        refused(world.ask(of(["SYN_CL"]), key), 404)
        clock.ahead += 1.1
        answer = world.ask(of(["SYN_CL"]), key)
        assert set(columns(answer.json())["close"]["statuses"]) == {"NOT_FOUND"}
    finally:
        world.execute("delete from feature.series where symbol = 'SYN_CL'")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"feature_service": "market_v0"}, "market_v0"),
        ({"features": ["bar:nothing", "bar:close"]}, "bar:nothing"),
        ({"features": ["nothing:close"]}, "nothing:close"),
        ({"features": ["bar@v2:close"]}, "bar@v2:close"),
        ({"features": ["bar:close\x00"]}, "bar:close"),
    ],
)
def test_features_that_are_not_there_are_named(
    online_world: Served, change: dict[str, Any], named: str
) -> None:
    refused(online_world.ask(of([OWN], **change)), 404, named)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        {},
        {"entities": {"symbol": [OWN]}},
        {"entities": {"symbol": [OWN]}, "feature_service": MARKET, "features": ["bar:close"]},
        {"entities": {"symbol": [OWN]}, "feature_service": MARKET, "features": []},
        of([OWN], features=[]),
        of([OWN], features=["close"]),
        of([OWN], features=["bar:close", "bar:close"]),
        of([OWN], features="bar:close"),
        of([OWN], features=[f"bar:close{n}" for n in range(101)]),
        of([OWN], feature_service=7),
        of([OWN], feature_service=""),
        of([]),
        of([OWN, FED], [1001]),
        of([OWN], []),
        of([OWN], ["1001"]),
        of([OWN], [1001.5]),
        of([OWN], [True]),
        of([OWN], [10**30]),
        of([OWN], [0]),
        of([7]),
        of([None]),
        of(["x" * 101]),
        of([""]),
        of([OWN] * 1001),
        of([OWN], full_feature_names="yes"),
        of([OWN], ttl=3),
        {"entities": {"symbol": [OWN], "venue": ["x"]}, "feature_service": MARKET},
        {"entities": {"symbol": OWN}, "feature_service": MARKET},
        {"entities": [{"symbol": OWN}], "feature_service": MARKET},
        {"entities": {}, "feature_service": MARKET},
        {f"k{n}": n for n in range(1000)},
    ],
)
def test_what_is_no_request_is_refused(online_world: Served, body: Any) -> None:
    assert len(refused(online_world.ask(body), 422)) < 2000


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"\xff\xfe", b'{"entities": {"symbol": ["\\ud800"]}}', b"[" * 100_000, b"NaN"],
)
def test_what_is_no_json_is_refused(online_world: Served, text: bytes) -> None:
    refused(online_world.ask(None, data=text), 422)


def test_a_thousand_entities_are_answered(online_world: Served) -> None:
    found = values(online_world.ask(of([OWN, FED] * 500)))
    assert {len(column) for column in found.values()} == {1000}


def test_a_body_that_is_too_large_is_refused(online_world: Served) -> None:
    world = online_world
    large = b" " * (1024 * 1024 + 1)
    refused(world.ask(None, data=large), 413)
    refused(world.ask(None, data=(large[:1000] for _ in range(1100))), 413)
    most = json.dumps(of([OWN])).encode()
    most += b" " * (1024 * 1024 - len(most))
    assert world.ask(None, data=most).status_code == 200
    assert world.ask(None, data=(most[n : n + 1024] for n in range(0, len(most), 1024))).ok


def test_more_requests_than_a_key_may_make_are_refused(online_world: Served) -> None:
    with online_world.another(rate=3) as world:
        fast = world.new_key(world.second)
        for _ in range(3):  # where a machine is so slow that four take a second
            with ThreadPoolExecutor(6) as pool:
                found = list(pool.map(lambda _: world.ask(of([OWN]), fast), range(12)))
            limited = [answer for answer in found if answer.status_code == 429]
            if limited:
                break
        refused(limited[0], 429, "3 requests")
        assert any(answer.status_code == 200 for answer in found)
        assert world.ask(of([OWN])).status_code == 200, "another key"
        time.sleep(1.1)
        assert world.ask(of([OWN]), fast).status_code == 200


def test_settings() -> None:
    assert api.Settings.from_env({"FEAST_API_RATE": "20"}) == api.Settings(20)
    assert api.Settings.from_env({}) == api.Settings(1000)
    for wrong in ("0", "-1", "1.5", "many", "\u0661", "9" * 9):
        with pytest.raises(ConfigError, match=f"FEAST_API_RATE={wrong!r}: set it to requests"):
            api.Settings.from_env({"FEAST_API_RATE": wrong})


def test_only_what_is_keyed_by_tenant_is_served(online_world: Served) -> None:
    """A view without the tenant in its key would give everybody the same row."""
    store = online_world.store
    shared = FeatureView(
        name="shared",
        entities=[definitions.instrument],
        schema=[
            Field(name="symbol", dtype=String),
            Field(name="price", dtype=Float64),
        ],
        source=definitions.feature_log,
        ttl=timedelta(0),
        online=True,
    )
    service = FeatureService(name="all_v1", features=[definitions.bar, shared])
    store.apply([shared, service])
    try:
        catalog = Catalog.read(store)
        assert {view.name for view in store.list_feature_views()} > set(catalog.views)
        assert set(catalog.views) == set(definitions.VIEWS)
        assert set(catalog.services) == {MARKET, RATIOS, *definitions.LOGS}
    finally:
        store.apply([], objects_to_delete=[service, shared], partial=False)
        store.apply(definitions.OBJECTS)


def test_an_empty_registry_takes_nothing_away(online_world: Served) -> None:
    """Somebody makes it anew, between `teardown` and `apply`."""
    served = online_world.app.state.api
    registry = online_world.store.registry
    assert isinstance(registry, SqlRegistry)
    try:
        registry.teardown()  # type: ignore[no-untyped-call] # Feast gives it no types
        asyncio.run(served.reread())
        assert set(served.catalog.services) >= {MARKET, RATIOS}
    finally:
        apply(online_world.store)
    asyncio.run(served.reread())
    assert set(served.catalog.services) >= {MARKET, RATIOS}
