"""What tenants read over HTTP is logged."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from feast_repo.api import keys as api_keys
from tests.feast.http.asking import OWN, SOON_S, Clock, of, refused
from tests.feast.http.test_outages import database_down
from tests.feast.served import FED, Served

# it is written at most a second after the answer
NEVER_S = 1.5


def logged(
    world: Served, tenant: int, known: Callable[[str], Any], within_s: float = SOON_S
) -> list[tuple[str, Any]]:
    """The tenant's own log as it sees it, the entries that are asked for; waits for the first."""
    deadline = time.monotonic() + within_s
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
    deadline = time.monotonic() + SOON_S
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
    assert logged(world, world.second, asked.__eq__, NEVER_S) == []


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
        assert logged(world, world.first, lambda text: label in text, NEVER_S) == []
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
    online_world: Served, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    world = online_world
    key = world.keys[world.second]
    clock.stop()  # what is remembered of the key stays
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
