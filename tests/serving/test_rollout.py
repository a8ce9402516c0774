"""Canary and shadow: who answers, who is asked beside, and when a canary is rolled back."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest

from serving.router.split import is_canarys
from tests.feast.market import SYMBOLS
from tests.feast.served import FED
from tests.serving.world import MODEL, THRESHOLDS, Routed, eventually, outputs, symbols

BOTH, OWN = SYMBOLS


@pytest.fixture
def rollout(world: Routed) -> Iterator[Routed]:
    """The champion is 1 before and after."""
    world.with_aliases(1)
    yield world
    world.with_aliases(1)


def series(world: Routed) -> dict[tuple[int, str], None]:
    first, feed = world.served.first, world.served.feed
    return dict.fromkeys([(first, OWN), (first, BOTH), (feed, FED), (feed, BOTH)])


def ask(world: Routed) -> dict[str, list[object]]:
    asked = [*series(world)]
    return outputs(
        world.ask(symbols(*(s for _, s in asked), tenants=[tenant for tenant, _ in asked]))
    )


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
def test_a_canary_answers_its_share_and_stays(rollout: Routed, share: float) -> None:
    rollout.with_aliases(1, canary=2, share=share)
    mine = [is_canarys(MODEL, *one, share) for one in series(rollout)]
    for _ in range(5):
        found = ask(rollout)
        assert found["version"] == [2 if is_mine else 1 for is_mine in mine]
        roles = ["canary" if is_mine else "champion" for is_mine in mine]
        assert found["alias"] == found["route"] == roles


def test_the_share_is_set_in_psql_within_two_seconds(rollout: Routed) -> None:
    rollout.with_aliases(1, canary=2, share=0.0)
    assert {*ask(rollout)["version"]} == {1}
    rollout.models.share(1.0)
    eventually(lambda: {*ask(rollout)["version"]} == {2})
    rollout.models.share(0.0)
    eventually(lambda: {*ask(rollout)["version"]} == {1})


def test_a_shadow_is_asked_and_logged_and_answers_nobody(rollout: Routed) -> None:
    rollout.with_aliases(2)
    answer = rollout.ask(symbols(OWN, FED, tenants=[rollout.served.first, None]))
    of_2 = outputs(answer)["score"]
    rollout.with_aliases(1, shadow=2)
    answer = rollout.ask(symbols(OWN, FED, tenants=[rollout.served.first, None]))
    assert outputs(answer)["version"] == [1, 1]
    logged = rollout.logged(answer)
    assert [row["shadow_version"] for row in logged] == [2, 2]
    assert [row["shadow_value"] for row in logged] == of_2
    assert [row["value"] for row in logged] == outputs(answer)["score"] != of_2


@pytest.mark.parametrize("defect", ["raises", "hangs", "gives NaN", "dies"])
def test_a_shadow_with_a_defect_neither_delays_nor_fails(rollout: Routed, defect: str) -> None:
    shadow = rollout.models.new(seed=3, defect=defect)
    rollout.with_aliases(1, shadow=shadow)
    began = time.monotonic()
    answer = rollout.ask(symbols(OWN, tenants=[rollout.served.first]))
    took_s = time.monotonic() - began
    assert outputs(answer)["version"] == [1]
    (logged,) = rollout.logged(answer)
    if defect == "hangs":
        assert logged["shadow_version"] == shadow
        assert took_s < 0.4
    else:
        assert (logged["shadow_version"], logged["shadow_value"]) == (None, None)


def test_what_is_not_mirrored_is_counted(rollout: Routed, monkeypatch: pytest.MonkeyPatch) -> None:
    rollout.with_aliases(1, shadow=2)
    dropped: list[int] = []
    monkeypatch.setattr(rollout.router.mirror, "_queue", _Full())
    monkeypatch.setattr(
        rollout.router.mirror._telemetry, "dropped", lambda _, rows: dropped.append(rows)
    )
    answer = rollout.ask(symbols(OWN, FED, tenants=[rollout.served.first, None]))
    assert [row["shadow_version"] for row in rollout.logged(answer)] == [None, None]
    assert dropped == [2]


class _Full:
    def put_nowait(self, _: object) -> None:
        import asyncio

        raise asyncio.QueueFull

    def qsize(self) -> int:
        return 0


@pytest.mark.parametrize(
    ("defect", "bound"),
    [
        ("raises", "error_rate"),
        ("gives NaN", "error_rate"),
        ("dies", "error_rate"),
        ("hangs", "latency_ms"),
        ("inverts", "disagreement"),
    ],
)
def test_a_canary_with_a_defect_is_rolled_back_and_nobody_notices(
    rollout: Routed, defect: str, bound: str
) -> None:
    thresholds = {**THRESHOLDS, "min_requests": 8}
    if defect in ("hangs", "dies"):
        thresholds |= {"max_latency_ms": 200.0}
    if defect == "inverts":
        thresholds |= {"max_disagreement": 0.05}
    canary = rollout.models.new(seed=1, defect=defect, thresholds=thresholds)
    rollout.with_aliases(1, canary=canary, share=1.0)
    fallbacks = 0

    def gone() -> bool:
        nonlocal fallbacks
        answer = rollout.ask(symbols(OWN, tenants=[rollout.served.first]))
        found = outputs(answer)
        assert found["score"][0] is not None
        fallbacks += found["route"] == ["fallback"]
        assert found["version"] == ([canary] if found["route"] == ["canary"] else [1])
        return rollout.models.alias("canary") is None

    eventually(gone)
    assert (fallbacks > 0) == (bound == "error_rate")
    ((reason, evidence, by),) = rollout.served.execute(
        "select reason, evidence, promoted_by from model.promotion"
        " where alias = 'canary' order by promotion_id desc limit 1"
    )
    assert reason.startswith(f"{bound} ")
    assert evidence["bound"] == bound
    assert evidence["of"] >= 8
    assert by != "postgres" or rollout.served.pool == rollout.served.database
    eventually(lambda: {*ask(rollout)["version"]} == {1})


def test_a_fallback_is_logged_as_one(rollout: Routed) -> None:
    canary = rollout.models.new(seed=4, defect="raises")
    rollout.with_aliases(1, canary=canary, share=1.0)
    answer = rollout.ask(symbols(OWN, tenants=[rollout.served.first]))
    (row,) = rollout.logged(answer)
    assert (row["version"], row["alias"], row["route"]) == (1, "champion", "fallback")


def test_a_canary_whose_features_are_not_fresh_falls_back_and_is_rolled_back(
    rollout: Routed,
) -> None:
    """It reads a set that is not online, and the champion's is."""
    columns = [{"feature_set": "daily", "field": "close"}]
    canary = rollout.models.new(
        seed=5, columns=columns, thresholds={**THRESHOLDS, "min_requests": 5}
    )
    rollout.with_aliases(1, canary=canary, share=1.0)

    def gone() -> bool:
        found = outputs(rollout.ask(symbols(OWN, tenants=[rollout.served.first])))
        assert found["version"] == [1]
        return rollout.models.alias("canary") is None

    eventually(gone)
    ((reason,),) = rollout.served.execute(
        "select reason from model.promotion order by promotion_id desc limit 1"
    )
    assert reason.startswith("stale_rate 1 ")


def test_a_rollback_holds_while_the_database_is_away(
    rollout: Routed, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = rollout.models.new(
        seed=6, defect="raises", thresholds={**THRESHOLDS, "min_requests": 5}
    )
    rollout.with_aliases(1, canary=canary, share=1.0)
    ask(rollout)

    def no_connection(*_: object, **__: object) -> object:
        raise psycopg.OperationalError("down")

    with monkeypatch.context() as away:
        away.setattr(rollout.router.pool, "connection", no_connection)
        for _ in range(6):
            outputs(rollout.ask(symbols(OWN, tenants=[rollout.served.first])))
        eventually(lambda: rollout.answering("canary") is None)
        assert outputs(rollout.ask(symbols(OWN, tenants=[rollout.served.first])))["route"] == [
            "champion"
        ]
        assert rollout.models.alias("canary") == canary
    eventually(lambda: rollout.models.alias("canary") is None)


def test_the_same_version_may_be_the_canary_again(rollout: Routed) -> None:
    canary = rollout.models.new(
        seed=7, defect="raises", thresholds={**THRESHOLDS, "min_requests": 4}
    )
    for _ in range(2):
        rollout.models.promote("canary", canary)
        rollout.models.share(1.0)
        eventually(lambda: rollout.answering("canary") == canary)

        def gone() -> bool:
            ask(rollout)
            return rollout.models.alias("canary") is None

        eventually(gone)
