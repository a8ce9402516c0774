"""Receipts beside an answer, and POST /verify."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from feast.protos.feast.types.Value_pb2 import Value

from feast_repo import internals
from feast_repo.api.read import _key
from tests.feast.http.asking import MARKET, OWN, RATIOS, columns, of, refused
from tests.feast.http.test_access_log import logged
from tests.feast.served import FED, Served

WITH = {"receipt": "true"}


def receipts(world: Served, body: Any) -> list[dict[str, Any]]:
    answer = world.ask(body, params=WITH)
    assert answer.status_code == 200, answer.text
    found = answer.json()["receipts"]
    assert isinstance(found, list)
    return found


def verified(world: Served, body: Any, key: str | None = "") -> dict[str, Any]:
    answer = world.ask(body, key, path="/verify")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert isinstance(found, dict)
    return found


@contextmanager
def online(world: Served, symbol: str, field: bytes, stored: bytes | None) -> Iterator[None]:
    """A field of first's in Redis that is another, or has gone."""
    key = _key(world.store.project, 3, world.first, symbol)
    with redis.Redis.from_url(world.redis_url) as client:
        kept = client.dump(key)
        if stored is None:
            client.hdel(key, field)
        else:
            client.hset(key, field, stored)
        try:
            yield
        finally:
            client.restore(key, 900_000, kept, replace=True)


def test_an_answer_carries_receipts_where_they_are_asked_for(online_world: Served) -> None:
    """One for each set and tenant, and each is what POST /verify takes."""
    world = online_world
    body = of([OWN, FED, OWN], features=["bar:vwap", "signal:sma_20", "session_signal:gap"])
    plain = world.ask(body).json()
    carried = world.ask(body, params=WITH).json()
    found = carried.pop("receipts")
    assert carried == plain == world.ask(body, params={"receipt": "false"}).json()
    at = columns(plain)["vwap"]["event_timestamps"]
    sets = [one["receipt"].split(".")[1].partition(":")[0] for one in found]
    assert [(of, one["tenant_id"]) for of, one in zip(sets, found, strict=True)] == [
        ("market_1m", world.first),
        ("market_1m", world.feed),
        ("daily", world.first),
        ("daily", world.feed),
    ]
    for one in found:
        place = [world.first, world.feed].index(one["tenant_id"])
        assert (one["symbols"], one["as_of"]) == ([[OWN], [FED]][place], [at[place]])
        assert verified(world, one)["is_equal"]
        said = world.execute(
            "select is_equal from feature.verify(%s, %s, %s::timestamptz[], null, %s)",
            [one["receipt"], one["symbols"], one["as_of"], one["tenant_id"]],
        )
        assert said == [(True,)]


def test_a_tenant_verifies_what_is_its_own(online_world: Served) -> None:
    """Of others it learns nothing: not that there is such a symbol, nor whether it is equal."""
    world = online_world
    own, fed = receipts(world, of([OWN, FED]))
    key = world.keys[world.second]
    refused(world.ask(own, key, path="/verify"), 403, f"tenant {world.first} is not yours to read")
    refused(world.ask(fed, key, path="/verify"), 403)
    refused(world.ask(fed | {"tenant_id": None}, key, path="/verify"), 404, FED)
    # its own rows of the same symbol at the same moment are others
    found = verified(world, own | {"tenant_id": None}, key)
    assert (found["is_equal"], found["place"], found["symbol"]) == (False, 1, OWN)
    assert "close" in found["field"].split(", ")
    assert found["moved"] == "versions of the log"
    refused(world.ask(own, None, path="/verify"), 401)


def test_what_verifies_nothing_is_refused_as_in_psql(online_world: Served) -> None:
    world = online_world
    (own,) = receipts(world, of([OWN]))
    later = own["as_of"][0].replace("2024", "2025")
    for change, said in (
        ({"receipt": "none"}, "this is no receipt: 'none'. One begins with pit1"),
        ({"receipt": own["receipt"] + "x"}, "the receipt is damaged: "),
        ({"receipt": "\x00"}, "NUL"),
        ({"symbols": [FED]}, "this is not the question of the receipt. Give the same symbols"),
        ({"as_of": [later]}, "this is not the question of the receipt"),
        ({"as_of": [later[:4] + "9" + later[5:]]}, "as_of"),
        ({"as_of": ["2999-01-01T00:00:00Z"]}, "a time in the future"),
        ({"known_as_of": own["as_of"]}, "Leave p_known_as_of out"),
        ({"as_of": own["as_of"] * 2}, "for each symbol"),
        ({"set": "market_1m"}, "set"),
    ):
        refused(world.ask(own | change, path="/verify"), 422, said)
    refused(world.ask(of([OWN]), params={"receipt": "yes"}), 422, "?receipt=true")


def test_what_is_computed_on_demand_has_the_receipt_of_its_fields(online_world: Served) -> None:
    world = online_world
    (found,) = receipts(world, of([OWN], feature_service=RATIOS))
    assert verified(world, found)["is_equal"]
    body = of([OWN], features=["ratio:range_bps"])
    refused(world.ask(body, params=WITH), 422, "needs a feature of market_1m in the answer")
    assert len(receipts(world, of([OWN], features=["ratio:range_bps", "bar:low"]))) == 1


@pytest.mark.parametrize("service", [MARKET, RATIOS])
def test_no_receipt_stands_beside_values_that_it_is_not_of(
    online_world: Served, service: str
) -> None:
    """Somebody wrote others online, or the log was built anew and push has not come to it yet."""
    world = online_world
    body = of([OWN], feature_service=service)
    close = internals.redis_field("bar", "close")
    with online(world, OWN, close, Value(double_val=1.0).SerializeToString()):
        assert world.ask(body).status_code == 200
        refused(world.ask(body, params=WITH), 503, f"what is online of {OWN} is not what the log")
    (found,) = receipts(world, body)
    assert verified(world, found)["is_equal"]


def test_rows_that_are_not_online_are_in_no_receipt(online_world: Served) -> None:
    world = online_world
    body = of([OWN, FED], features=["bar:vwap"])
    with online(world, OWN, internals.time_field("bar"), None):
        (found,) = receipts(world, body)
    assert (found["tenant_id"], found["symbols"]) == (world.feed, [FED])


def test_a_verification_is_logged(online_world: Served) -> None:
    world = online_world
    (own,) = receipts(world, of([OWN]))
    verified(world, own)
    refused(world.ask(own | {"symbols": [FED]}, path="/verify"), 422)
    asked = f"verify {own['receipt']} "
    found = logged(world, world.first, lambda text: text == f"{asked}{FED}")
    assert found == [(f"{asked}{FED}", None)]
    assert (asked + OWN, 1) in logged(world, world.first, lambda text: text == f"{asked}{OWN}")
