"""Who is let in by the feature API, and for how long."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from limits import RateLimitItemPerSecond

from feast_repo.api import keys as api_keys
from tests.feast.http.asking import OWN, SOON_S, Clock, of, refused
from tests.feast.served import FED, PATH, Served


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
            world.url + PATH, json=of([OWN]), headers={"Authorization": header}, timeout=SOON_S
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
    deadline = time.monotonic() + SOON_S
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
        monkeypatch.setattr(other.app.state.api.keys, "_new_keys", RateLimitItemPerSecond(1))
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
