"""What the feature API answers is what Feast and psql answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import redis
from feast import FeatureStore
from feast.feature_server_utils import convert_response_to_dict
from feast.permissions.client.http_auth_requests_wrapper import HttpSessionManager

from feast_repo.api.read import _key
from feast_repo.store import materialize
from tests.feast.http.asking import BOTH, MARKET, OWN, RATIOS, Clock, columns, of, values
from tests.feast.market import FIELDS, bits
from tests.feast.served import FED, Served


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
