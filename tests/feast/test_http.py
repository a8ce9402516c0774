"""The feature API over HTTP: who gets what, what is refused and how, and what is logged."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import URLError

import pandas as pd
import pytest
import redis
import requests
import schemathesis
from feast import FeatureService, FeatureStore, FeatureView
from feast.feature_server_utils import convert_response_to_dict
from feast.permissions.client.http_auth_requests_wrapper import HttpSessionManager
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from engine.errors import ConfigError
from feast_repo import definitions
from feast_repo.api import app as api
from feast_repo.api import keys as api_keys
from feast_repo.api.read import Catalog, _key
from feast_repo.store import materialize
from telemetry import start
from telemetry.settings import TelemetryConfig
from tests.feast.market import FIELDS, MINUTE, SYMBOLS, bits
from tests.feast.served import FED, PATH, Served
from tests.telemetry.scrape import get, samples

ROOT = Path(__file__).resolve().parents[2]
BOTH, OWN = SYMBOLS
MARKET = "market_v1"
RATIOS = "market_ratios_v1"
NOBODYS = "SYN_NOBODY"


def of(symbols: list[str], tenants: list[int | None] | None = None, **more: Any) -> dict[str, Any]:
    """A request for market_v1, or for what is given."""
    entities: dict[str, Any] = {"symbol": symbols}
    if tenants is not None:
        entities["tenant_id"] = tenants
    selection = {} if {"features", "feature_service"} & set(more) else {"feature_service": MARKET}
    return {"entities": entities, **selection, **more}


def columns(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The columns of an answer by name; their order is not fixed in Feast's."""
    return dict(zip(answer["metadata"]["feature_names"], answer["results"], strict=True))


def values(answer: requests.Response) -> dict[str, list[Any]]:
    assert answer.status_code == 200, answer.text
    return {name: column["values"] for name, column in columns(answer.json()).items()}


def refused(answer: requests.Response, status: int, text: str = "") -> str:
    """The text of a refusal, which has one shape whatever it is."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert list(body) == ["detail"]
    assert text in body["detail"]
    assert ("Retry-After" in answer.headers) == (status in (429, 503))
    detail = body["detail"]
    assert isinstance(detail, str)
    return detail


class Clock:
    """Time as the API sees it: the real one and so many seconds."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock(online_world: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Nothing is remembered from another time."""
    moved = Clock()
    keys = online_world.app.state.api.keys
    keys._known.clear()
    for module in (api, api_keys):
        monkeypatch.setattr(
            module, "time", SimpleNamespace(monotonic=moved.monotonic, time=time.time)
        )
    yield moved
    keys._known.clear()
    keys._unknown.clear()


@contextmanager
def dead_port() -> Iterator[int]:
    """A port that refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


# --- what is answered


@pytest.mark.parametrize(
    "selection",
    [
        {"feature_service": MARKET},
        {"feature_service": RATIOS},
        {"features": ["bar:close", "liquidity:spread_bps", "bar:bucket"]},
        {"features": ["ratio:range_bps"]},
        {"features": ["signal:regime_tag", "bar:vwap"], "full_feature_names": True},
        {"features": ["bar:open"], "include_feature_view_version_metadata": True},
    ],
)
def test_the_answer_is_what_feast_answers(online_world: Served, selection: dict[str, Any]) -> None:
    world = online_world
    keys = [(world.first, BOTH), (world.feed, FED), (world.first, OWN), (world.feed, BOTH)]
    symbols, tenants = [s for _, s in keys], [t for t, _ in keys]
    answer = world.ask(of(symbols, tenants, **selection))
    assert answer.status_code == 200, answer.text
    service = selection.get("feature_service")
    expected = convert_response_to_dict(
        world.store.get_online_features(
            features=world.store.get_feature_service(service) if service else selection["features"],
            entity_rows={"symbol": symbols, "tenant_id": tenants},
            full_feature_names=selection.get("full_feature_names", False),
            include_feature_view_version_metadata=len(selection) == 2
            and "include_feature_view_version_metadata" in selection,
        ).proto
    )
    found = answer.json()
    assert json.dumps(columns(found), sort_keys=True) == json.dumps(
        columns(expected), sort_keys=True
    )
    assert set(found) == set(expected)
    assert set(found["metadata"]) == set(expected["metadata"])
    assert found["metadata"].get("feature_view_metadata") == expected["metadata"].get(
        "feature_view_metadata"
    )


def test_on_demand_features_have_full_names_too(online_world: Served) -> None:
    """Feast itself leaves them out."""
    world = online_world
    short = columns(world.ask(of([OWN, FED], feature_service=RATIOS)).json())
    body = of([OWN, FED], feature_service=RATIOS, full_feature_names=True)
    full = columns(world.ask(body).json())
    assert {name.rpartition("__")[2]: column for name, column in full.items()} == short
    assert {"ratio__range_bps", "bar__close", "symbol"} < set(full)
    assert len(full) == len(short)


def test_the_values_are_bit_by_bit_those_of_psql(online_world: Served) -> None:
    world = online_world
    found = values(world.ask(of([OWN, FED])))
    stamp = columns(world.ask(of([OWN, FED])).json())["close"]["event_timestamps"][0]
    names = [name for name in FIELDS if name != "bucket"]
    psql = world.execute(
        f"select extract(epoch from bucket)::bigint, {', '.join(names)}"
        " from unnest(array['SYN_ETHUSD', 'BTCUSDT'], %s::int[]) as k (s, t),"
        " feature_pit_snapshot(array[s], %s::timestamptz, null, t)",
        [[world.first, world.feed], stamp],
    )
    assert [[bits(v) for v in row] for row in psql] == [
        [bits(found[name][place]) for name in ("bucket", *names)] for place in range(2)
    ]
    assert all(value is not None for row in psql for value in row)


def test_the_tenant_is_found_by_the_symbol(online_world: Served) -> None:
    world = online_world
    said = world.ask(of([OWN, FED], [world.first, world.feed]))
    assert values(said)["tenant_id"] == [world.first, world.feed]
    for tenants in (None, [None, None], [world.first, None]):
        assert world.ask(of([OWN, FED], tenants)).json() == said.json()


def test_two_tenants_with_a_symbol_get_each_its_own(online_world: Served) -> None:
    world = online_world
    mine = values(world.ask(of([OWN], features=["bar:close"])))
    others = values(world.ask(of([OWN], features=["bar:close"]), world.keys[world.second]))
    assert mine["tenant_id"] == [world.first]
    assert others["tenant_id"] == [world.second]
    assert mine["close"] != others["close"]


def test_repeated_series_come_back_repeated_and_in_order(online_world: Served) -> None:
    world = online_world
    for service in (MARKET, RATIOS):
        twice = values(world.ask(of([FED, OWN, FED, OWN], feature_service=service)))
        once = values(world.ask(of([FED, OWN], feature_service=service)))
        assert twice == {name: value * 2 for name, value in once.items()}
        assert once["close"][0] != once["close"][1]


@pytest.mark.parametrize("service", [MARKET, RATIOS])
def test_what_is_not_online_is_not_found(online_world: Served, service: str) -> None:
    world = online_world
    key = _key(world.store.project, 3, world.first, OWN)
    with redis.Redis.from_url(world.redis_url) as client:
        kept = client.dump(key)
        client.delete(key)
        try:
            answer = world.ask(of([OWN, FED], feature_service=service))
        finally:
            client.restore(key, 900_000, kept)
    found = columns(answer.json())
    for name, column in found.items():
        if name in ("symbol", "tenant_id"):
            assert column["statuses"] == ["PRESENT", "PRESENT"]
        else:
            assert column["statuses"] == ["NOT_FOUND", "PRESENT"]
            assert column["values"][0] is None
            assert column["values"][1] is not None
    assert answer.status_code == 200


@pytest.mark.parametrize("service", [MARKET, RATIOS])
def test_what_is_stale_is_null(online_world: Served, clock: Clock, service: str) -> None:
    """The time of its bar too, which Feast's server gives as a number."""
    world = online_world
    key = _key(world.store.project, 3, world.first, "SYN_NQ")
    world.execute(
        "insert into feature.series (tenant_id, symbol) values (%s, 'SYN_NQ')", [world.first]
    )
    try:
        materialize(world.store)
        clock.ahead += 10
        found = columns(world.ask(of([FED, "SYN_NQ"], feature_service=service)).json())
    finally:
        world.execute("delete from feature.series where symbol = 'SYN_NQ'")
        with redis.Redis.from_url(world.redis_url) as client:
            assert client.delete(key) == 1
    for name in set(found) - {"symbol", "tenant_id"}:
        assert found[name]["values"][1] is None, name
        assert found[name]["values"][0] is not None, name
        assert found[name]["statuses"] == ["PRESENT", "PRESENT"], name


def test_feasts_own_client_works(online_world: Served, tmp_path: Path) -> None:
    """With the key as the token of its OIDC settings, and no OIDC server."""
    world = online_world
    (tmp_path / "feature_store.yaml").write_text(
        f"""
project: market
provider: local
registry: {{registry_type: sql, path: "{world.store.config.registry.path}"}}
online_store: {{type: remote, path: "{world.url}"}}
auth: {{type: oidc, token: "{world.keys[world.first]}"}}
entity_key_serialization_version: 3
"""
    )
    # the client keeps one session per process
    HttpSessionManager.close_session()
    client = FeatureStore(repo_path=str(tmp_path))
    found = client.get_online_features(
        features=client.get_feature_service(MARKET),
        entity_rows=[
            {"symbol": OWN, "tenant_id": world.first},
            {"symbol": FED, "tenant_id": world.feed},
        ],
    ).to_dict()
    HttpSessionManager.close_session()
    assert found == values(world.ask(of([OWN, FED])))


# --- who is let in


def test_no_key_that_counts_is_one_answer(online_world: Served) -> None:
    world = online_world
    revoked, expired = world.new_key(world.first), world.new_key(world.first, "2999-01-01")
    world.execute("select api.revoke_api_key(%s::uuid)", [revoked[:36]], world.logins[world.first])
    world.execute(
        "update api.api_key set created_at = now() - interval '2 s',"
        " expires_at = now() - interval '1 s' where key_id = %s",
        [expired[:36]],
    )
    known = world.keys[world.first]
    bad = [
        *(None, " ", "x", known[:-1], known + "0", known.upper(), known + "\u00e9", "a" * 100_00),
        *(known[:37] + "0" * 64, f"{uuid.uuid4()}.{'0' * 64}", revoked, expired),
    ]
    answers = [world.ask(of([OWN]), key) for key in bad]
    answers += [
        requests.post(
            world.url + PATH, json=of([OWN]), headers={"Authorization": header}, timeout=5
        )
        for header in (f"Basic {known}", known, "Bearer", f"Token {known}")
    ]
    bodies = {refused(answer, 401) for answer in answers}
    assert len(bodies) == 1
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {"Bearer"}
    # before anything of the request is looked at
    refused(world.ask("not a request", None), 401)


def test_the_scheme_is_in_any_case(online_world: Served) -> None:
    world = online_world
    header = {"Authorization": f"bearer {world.keys[world.first]}"}
    assert world.ask(of([OWN]), None, headers=header).status_code == 200


def test_a_revoked_key_stops_within_ten_seconds(online_world: Served, clock: Clock) -> None:
    world = online_world
    key = world.new_key(world.first)
    assert world.ask(of([OWN]), key).status_code == 200
    world.execute("select api.revoke_api_key(%s::uuid)", [key[:36]], world.logins[world.first])
    clock.ahead += 4.5
    assert world.ask(of([OWN]), key).status_code == 200, "remembered"
    clock.ahead += 5.6
    refused(world.ask(of([OWN]), key), 401)


def test_a_key_in_use_is_read_again_before_it_is_due(online_world: Served, clock: Clock) -> None:
    world = online_world
    key = world.new_key(world.first)
    assert world.ask(of([OWN]), key).status_code == 200
    world.execute("select api.revoke_api_key(%s::uuid)", [key[:36]], world.logins[world.first])
    clock.ahead += 5.1
    answers = []
    deadline = time.monotonic() + 4
    while 401 not in answers and time.monotonic() < deadline:
        answers.append(world.ask(of([OWN]), key).status_code)
    assert answers[0] == 200, "nobody waits for it"
    assert answers[-1] == 401


def test_a_suspended_tenant_is_not_let_in(online_world: Served, clock: Clock) -> None:
    world = online_world
    key = world.keys[world.second]
    assert world.ask(of([OWN]), key).status_code == 200
    world.execute("call access.set_tenant(%s, p_status => 'suspended')", [world.second])
    try:
        clock.ahead += 10
        refused(world.ask(of([OWN]), key), 401)
    finally:
        world.execute("call access.set_tenant(%s, p_status => 'active')", [world.second])
    clock.ahead += 10
    assert world.ask(of([OWN]), key).status_code == 200


def test_an_entitlement_that_ended_counts_no_more(online_world: Served, clock: Clock) -> None:
    world = online_world
    assert world.ask(of([FED])).status_code == 200
    world.execute("update api.entitlement set valid_to = clock_timestamp()")
    try:
        clock.ahead += 10
        refused(world.ask(of([FED])), 404, FED)
        refused(world.ask(of([FED], [world.feed])), 403)
    finally:
        world.execute("update api.entitlement set valid_to = null")
    clock.ahead += 10
    assert world.ask(of([FED])).status_code == 200


def test_strangers_neither_fill_memory_nor_hammer_the_database(
    online_world: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = online_world
    monkeypatch.setattr(api_keys, "MAX_UNKNOWN", 3)
    keys = world.app.state.api.keys
    assert world.ask(of([OWN])).status_code == 200
    found = [
        world.ask(of([OWN]), f"{uuid.uuid4()}.{'0' * 64}").status_code
        for _ in range(api_keys.NEW_KEYS_PER_S + 30)
    ]
    # slow machines make fewer in a second; then none is refused
    assert set(found) <= {401, 503}
    assert len(keys._unknown) <= 3
    assert world.ask(of([OWN])).status_code == 200, "a known key"
    assert not keys._reading


def test_more_new_keys_than_a_second_takes_are_put_off(
    online_world: Served, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = online_world
    with world.another() as other:
        monkeypatch.setattr(
            other.app.state.api.keys, "_new_keys", api_keys.RateLimitItemPerSecond(1)
        )
        assert other.ask(of([OWN])).status_code == 200
        time.sleep(1.1)
        unknown = f"{uuid.uuid4()}.{'0' * 64}"
        with ThreadPoolExecutor(4) as pool:
            tried = [uuid.uuid4() for _ in range(8)]
            found = list(pool.map(lambda u: other.ask(of([OWN]), f"{u}.{'0' * 64}"), tried))
        assert sorted({answer.status_code for answer in found}) == [401, 503]
        clock.ahead += 10
        assert other.ask(of([OWN])).status_code == 200, "a key that was known is read at once"
        time.sleep(1.1)
        refused(other.ask(of([OWN]), unknown), 401)
        # remembered, so that it costs no read
        assert {other.ask(of([OWN]), unknown).status_code for _ in range(5)} == {401}


# --- what is refused


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
        of([7]),  # type: ignore[list-item]
        of([None]),  # type: ignore[list-item]
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
            definitions.Field(name="symbol", dtype=definitions.String),
            definitions.Field(name="price", dtype=definitions.Float64),
        ],
        source=definitions.feature_log,
        ttl=definitions.timedelta(0),
        online=True,
    )
    service = FeatureService(name="all_v1", features=[definitions.bar, shared])
    store.apply([shared, service])
    try:
        catalog = Catalog.read(store)
        assert {view.name for view in store.list_feature_views()} > set(catalog.views)
        assert set(catalog.views) == set(definitions.VIEWS)
        assert set(catalog.services) == {MARKET, RATIOS}
    finally:
        store.apply([], objects_to_delete=[service, shared], partial=False)
        store.apply(definitions.OBJECTS)


# --- what is down


@contextmanager
def with_redis(world: Served, port: int) -> Iterator[None]:
    """The online store at another port."""
    reader = world.app.state.api.reader
    before = reader._redis
    reader._redis = AsyncRedis(port=port, retry=Retry(NoBackoff(), 1))
    try:
        yield
    finally:
        reader._redis = before


@pytest.mark.parametrize("service", [MARKET, RATIOS])
def test_an_online_store_that_is_down(online_world: Served, service: str) -> None:
    world = online_world
    body = of([OWN], feature_service=service)
    with dead_port() as port, with_redis(world, port):
        began = time.monotonic()
        refused(world.ask(body), 503, "online store")
        assert time.monotonic() - began < 1
        assert requests.get(world.url + "/health", timeout=5).json() == {"status": "ok"}
    assert world.ask(body).status_code == 200


def test_a_connection_that_the_online_store_closed(online_world: Served) -> None:
    world = online_world
    body = of([OWN], features=["bar:close"])
    expected = world.ask(body).json()
    for _ in range(3):
        with redis.Redis.from_url(world.redis_url) as client:
            client.client_kill_filter(_type="normal", skipme=True)
        assert world.ask(body).json() == expected


def test_an_answer_that_came_too_late_is_nobody_elses(online_world: Served) -> None:
    """What is read after a timeout is not what was asked for before it."""
    world = online_world
    asked = [of([symbol], features=["bar:close"]) for symbol in (OWN, FED)]
    expected = [world.ask(body).json() for body in asked]
    with redis.Redis.from_url(world.redis_url) as client:
        client.execute_command("CLIENT", "PAUSE", 1500, "ALL")
        refused(world.ask(asked[0]), 503, "online store")
        # before the first answer comes, at 1.5 s
        assert world.ask(asked[1]).json() == expected[1]
    for _ in range(20):
        assert [world.ask(body).json() for body in asked] == expected


def test_an_online_store_that_hangs(online_world: Served) -> None:
    world = online_world
    with socket.create_server(("127.0.0.1", 0)) as deaf, with_redis(world, deaf.getsockname()[1]):
        began = time.monotonic()
        refused(world.ask(of([OWN])), 503, "online store")
        assert time.monotonic() - began < 3


def test_readiness(online_world: Served) -> None:
    world = online_world
    with world.another() as other:
        with dead_port() as port, with_redis(other, port):
            refused(requests.get(other.url + "/ready", timeout=5), 503, "online store")
        time.sleep(1.1)
        assert requests.get(other.url + "/ready", timeout=5).json() == {"status": "ready"}


def test_a_database_that_is_not_there(online_world: Served) -> None:
    world = online_world
    with (
        dead_port() as port,
        world.another(make_conninfo(world.pool, host="127.0.0.1", port=port)) as other,
    ):
        refused(other.ask(of([OWN])), 503, "database")
        refused(requests.get(other.url + "/ready", timeout=10), 503, "database")
        assert requests.get(other.url + "/health", timeout=5).status_code == 200
        refused(other.ask(of([OWN]), None), 401)


@contextmanager
def database_down(world: Served) -> Iterator[None]:
    """As if no connection could be had."""
    shared = world.app.state.api

    def no_connection(*_: Any, **__: Any) -> Any:
        raise api_keys.psycopg.OperationalError("down")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared.pool, "connection", no_connection)
        yield


def test_known_keys_work_for_ten_seconds_without_the_database(
    online_world: Served, clock: Clock
) -> None:
    world = online_world
    assert world.ask(of([OWN])).status_code == 200
    with database_down(world):
        clock.ahead += 4
        assert world.ask(of([OWN])).status_code == 200
        clock.ahead += 4
        assert world.ask(of([OWN])).status_code == 200, "in spite of the read that failed"
        refused(world.ask(of([OWN]), world.new_key(world.first)), 503, "database")
        clock.ahead += 4
        refused(world.ask(of([OWN])), 503, "database")
    assert world.ask(of([OWN])).status_code == 200


# --- what is logged


def logged(world: Served, tenant: int, known: Callable[[str], Any]) -> list[tuple[str, Any]]:
    """The tenant's own log as it sees it, the entries that are asked for; waits for the first."""
    deadline = time.monotonic() + 1.5
    while True:
        found = world.execute(
            "select statement, row_count, login from api.access_log order by accessed_at",
            role=world.logins[tenant],
        )
        assert {row[2] for row in found} <= {world.logins[tenant]}
        mine = [row[:2] for row in found if known(row[0])]
        if mine or time.monotonic() > deadline:
            return mine
        time.sleep(0.05)


def drained(world: Served) -> None:
    """Wait until all that was read is in the log."""
    deadline = time.monotonic() + 1.5
    while len(world.app.state.api.access_log):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_tenant_sees_what_it_read(online_world: Served) -> None:
    world = online_world
    names = ["bar:low", "bar:high"]
    world.ask(of([OWN, FED, OWN], [None, world.feed, world.first], features=names))
    expected = [(f"get-online-features bar:low,bar:high {OWN},{FED}@{world.feed},{OWN}", 3)]
    asked = expected[0][0]
    assert logged(world, world.first, asked.__eq__) == expected
    assert logged(world, world.second, asked.__eq__) == []


def test_a_read_that_was_refused_is_logged_too(online_world: Served) -> None:
    world = online_world
    key = world.keys[world.second]
    world.ask(of([OWN], [world.first], features=["bar:open"]), key)
    world.ask(of(["NUL\x00\n'--"], features=["bar:vwap"]), key)
    world.ask(of(["y" * 100] * 1000, features=["bar:low"]), key)
    drained(world)
    found = logged(world, world.second, re.compile("bar:(open|vwap|low)").search)
    assert found[:2] == [
        (f"get-online-features bar:open {OWN}@{world.first}", None),
        ("get-online-features bar:vwap NUL\\x00\\n'--", None),
    ]
    assert len(found[2][0]) == 500


def test_what_is_not_logged_is_not_answered(
    online_world: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = online_world
    monkeypatch.setattr(api_keys, "MAX_LOGGED", 0)
    refused(world.ask(of([OWN])), 503, "logged")
    monkeypatch.undo()
    assert world.ask(of([OWN])).status_code == 200


def test_the_log_waits_for_the_database(online_world: Served) -> None:
    world = online_world
    names = ["bar:close", "signal:sma_20", "bar:open"]
    label = ",".join(names)
    assert world.ask(of([OWN])).status_code == 200
    drained(world)
    with database_down(world):
        assert world.ask(of([OWN], features=names)).status_code == 200
        time.sleep(1)
        assert len(world.app.state.api.access_log) == 1
        assert logged(world, world.first, lambda text: label in text) == []
    assert logged(world, world.first, lambda text: label in text) != []


def test_the_log_is_written_at_the_end(online_world: Served) -> None:
    names = ["signal:sma_20", "bar:high"]
    with online_world.another() as world:
        for _ in range(5):
            assert world.ask(of([OWN], features=names)).status_code == 200
    statement = f"get-online-features {','.join(names)} {OWN}"
    found = world.execute(
        "select count(*) from api.access_log where statement = %s",
        [statement],
        world.logins[world.first],
    )
    assert found == [(5,)]


def test_what_the_database_never_takes_is_told_to_the_operator(
    online_world: Served, caplog: pytest.LogCaptureFixture
) -> None:
    world = online_world
    key = world.keys[world.second]
    assert world.ask(of([OWN]), key).status_code == 200
    drained(world)
    names = ["liquidity:spread_bps", "bar:low"]
    world.execute("call access.set_tenant(%s, p_status => 'suspended')", [world.second])
    try:
        assert world.ask(of([OWN], features=names), key).status_code == 200
        assert world.ask(of([OWN], features=names)).status_code == 200
        assert logged(world, world.first, lambda text: ",".join(names) in text)
        drained(world)
    finally:
        world.execute("call access.set_tenant(%s, p_status => 'active')", [world.second])
    told = [r.getMessage() for r in caplog.records if "not in api.access_log" in r.getMessage()]
    assert len(told) == 1
    assert f"{world.logins[world.second]}: get-online-features {','.join(names)} {OWN}" in told[0]


# --- what operators see


def test_metrics_count_and_name_nobody(online_world: Served) -> None:
    telemetry = start.api(TelemetryConfig(metrics_port=0))
    with online_world.another(telemetry=telemetry) as world:
        world.ask(of([OWN, FED]))
        world.ask(of([OWN]))
        world.ask(of([NOBODYS]))
        world.ask(of([OWN]), None)
        requests.get(f"{world.url}/{NOBODYS}", timeout=5)
        assert requests.get(f"{world.url}/ready", timeout=5).ok
        text = get(telemetry, "/metrics")[1]
        assert get(telemetry, "/healthz") == get(telemetry, "/readyz") == (200, "ok\n")
    found = samples(text)
    assert found["feature_api_requests_total", PATH, "200"] == 2
    assert found["feature_api_requests_total", PATH, "404"] == 1
    assert found["feature_api_requests_total", PATH, "401"] == 1
    assert found["feature_api_requests_total", "other", "404"] == 1
    assert found["feature_api_request_seconds_count", PATH] == 4
    assert found["feature_api_entities_total",] == 3
    assert found["feature_api_rejected_total", "unknown"] == 1
    assert found["feature_api_rejected_total", "unauthorized"] == 1
    assert found["feature_api_access_log_waiting",] >= 0
    labels = {label for at in found for label in at if at[0] != "target_info"}
    names = [*world.logins.values(), *world.keys.values(), OWN, FED, NOBODYS]
    assert not [name for name in names if name in text]
    assert str(world.first) not in labels
    with pytest.raises(URLError):  # it has ended with the API
        get(telemetry, "/metrics")


def test_nothing_else_is_there(online_world: Served) -> None:
    world = online_world
    schema = requests.get(world.url + "/openapi.json", timeout=5).json()
    assert {(path, verb) for path, verbs in schema["paths"].items() for verb in verbs} == {
        (PATH, "post"),
        ("/health", "get"),
        ("/ready", "get"),
    }
    assert schema["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    assert schema["paths"][PATH]["post"]["security"] == [{"HTTPBearer": []}]
    header = {"Authorization": f"Bearer {world.keys[world.first]}"}
    for path in ("push", "write-to-online-store", "materialize", "materialize-incremental"):
        answer = requests.post(f"{world.url}/{path}", json={}, headers=header, timeout=5)
        refused(answer, 404, "openapi.json")
    for path in ("", "docs", "redoc", "chat", "ui", "metrics", "get-online-features/"):
        refused(requests.get(f"{world.url}/{path}", headers=header, timeout=5), 404)
    refused(requests.get(world.url + PATH, headers=header, timeout=5), 405)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def test_it_serves_until_it_is_told_to_stop(online_world: Served) -> None:
    """By its command, and on a server as a login that can do nothing else."""
    world = online_world
    port, metrics_port = free_port(), free_port()
    command = [*(sys.executable, "-m", "feast_repo", "serve"), "--host", "0.0.0.0"]  # noqa: S104
    process = subprocess.Popen(
        [*command, "--port", str(port), "--metrics-port", str(metrics_port)],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": world.pool, "PYTHONPATH": ""},
        stderr=subprocess.PIPE,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if requests.get(url + "/ready", timeout=5).ok:
                    break
            except requests.ConnectionError:
                time.sleep(0.2)
        other = Served(**{**world.__dict__, "url": url})
        names = ["bar:vwap", "bar:close"]
        assert values(other.ask(of([OWN], features=names)))
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://{_address()}:{metrics_port}/metrics", timeout=5)
        metrics = requests.get(f"http://127.0.0.1:{metrics_port}/metrics", timeout=5).text
        assert "feature_api_entities_total 1.0" in metrics
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
        assert process.returncode in (0, -signal.SIGTERM), errors
        assert logged(world, world.first, lambda text: ",".join(names) in text)
    finally:
        process.kill()
        process.wait()


def _address() -> str:
    """An address of this machine that is not the loopback's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        address: str = probe.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("this machine has the loopback only")
    return address


# --- what anybody sends


@pytest.mark.parametrize("with_key", [True, False])
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_the_schema_says_what_is_answered(
    online_world: Served, with_key: bool, mode: schemathesis.GenerationMode
) -> None:
    world = online_world
    schema = schemathesis.openapi.from_url(world.url + "/openapi.json")
    schema.config.generation.update(modes=[mode])
    headers = {"Authorization": f"Bearer {world.keys[world.first]}"} if with_key else {}
    seen: set[int] = set()

    for found in schema.get_all_operations():
        operation = found.ok()
        if mode == schemathesis.GenerationMode.NEGATIVE and not operation.body:
            continue  # nothing of it can be wrong
        case_of = operation.as_strategy(generation_mode=mode)

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=case_of)
        def answered(case: schemathesis.Case) -> None:
            answer = case.call(base_url=world.url, headers=headers)
            seen.add(answer.status_code)
            case.validate_response(
                answer,
                checks=[
                    not_a_server_error,
                    status_code_conformance,
                    content_type_conformance,
                    response_headers_conformance,
                    response_schema_conformance,
                    *([negative_data_rejection] if with_key else []),
                ],
            )

        answered()
    assert seen & ({404, 422} if with_key else {401})


def test_a_row_is_never_of_two_moments(online_world: Served) -> None:
    """A writer sets its views one after another, again and again; each answer is of one moment."""
    world = online_world
    views = [world.store.get_feature_view(name) for name in definitions.VIEWS]
    provider = world.store._get_provider()
    symbol = SYMBOLS[1]
    start = datetime.now(UTC)
    stop = threading.Event()

    def write(number: int) -> None:
        row: dict[str, list[Any]] = {"tenant_id": [world.first], "symbol": [symbol]}
        row["known_at"] = [start + number * MINUTE]
        for view in views:
            values = {f.name: [float(number)] for f in view.features}
            values |= {"bucket": [start]} if view.name == "bar" else {}
            values |= {"regime_tag": ["range"]} if view.name == "signal" else {}
            provider.ingest_df(view, pd.DataFrame(row | values))

    def write_on() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            write(number)
            time.sleep(0.005)

    write(0)
    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        seen = set()
        for service in ("market_v1", "market_ratios_v1") * 100:
            found = world.ask({"feature_service": service, "entities": {"symbol": [symbol]}}).json()
            columns = dict(zip(found["metadata"]["feature_names"], found["results"], strict=True))
            moment = {columns[name]["values"][0] for name in ("close", "sma_20", "spread_bps")}
            assert len(moment) == 1, moment
            seen |= moment
    finally:
        stop.set()
        writer.join()
        with redis.Redis.from_url(world.redis_url) as client:
            client.flushdb()
        materialize(world.store)
    assert len(seen) > 10
