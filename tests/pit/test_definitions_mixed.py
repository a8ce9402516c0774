"""Backfills say which definition they were made by, and answers where definitions mix.

Apart from test_definitions.py: the embedded engine can end where formulas are replaced too often.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from psycopg.errors import Diagnostic

from tests.conftest import Databases
from tests.pit.conftest import SYMBOL, Past, Scene
from tests.pit.test_definitions import OTHER, causes, current, other_formula
from tests.pit.test_field_birth import alone, backfill, before
from tests.pit.world import World

__all__ = ["alone"]


@pytest.fixture(scope="module", autouse=True)
def _of_a_server(databases: Databases) -> None:
    if databases.kind == "embedded":
        pytest.skip("the embedded engine can end where formulas are replaced again and again")


@contextmanager
def told(world: World) -> Iterator[list[str]]:
    """What is warned of meanwhile."""
    found: list[str] = []

    def hear(said: Diagnostic) -> None:
        assert said.message_hint
        found.append(said.message_primary or "")

    world.connection.add_notice_handler(hear)
    yield found
    world.connection.remove_notice_handler(hear)


def test_a_backfill_says_what_it_was_made_by(past: Past) -> None:
    past.bars(2)
    past.backfill()
    was = current(past.world)["market_1m"]
    with other_formula(past.world):
        past.bars(2, 2)
        past.backfill()
        now = current(past.world)["market_1m"]
    assert now != was
    assert causes(past) == [(past.at(m), "close", was if m < 2 else now) for m in range(4)]


def test_a_field_that_came_later_leaves_what_made_the_version(scene: Scene) -> None:
    with before(scene.world, "market_1m.spread_bps"):
        was = current(scene.world)["market_1m"]
        scene.bars(1)
        scene.quote(scene.at(0, 10), 99, 101)
        scene.world.publish(scene.at(1))
        scene.quote(scene.at(0, 20), 98, 102, scene.at(3))
        scene.world.publish(scene.at(4))
    backfill(scene)
    now = current(scene.world)["market_1m"]
    # one was completed, one added
    assert scene.log("definition, cause, spread_bps") == [(was, "close", 200), (now, "late", 300)]


def test_an_answer_that_mixes_definitions_says_so_once(scene: Scene) -> None:
    world = scene.world
    for minute, symbol in product((0, 1), (SYMBOL, OTHER)):
        scene.trade(scene.at(minute, 30), 1, symbol=symbol)
    was = current(world)["market_1m"]
    world.publish(scene.at(2))
    with other_formula(world):
        now = current(world)["market_1m"]
        scene.trade(scene.at(1, 40), 2, scene.at(2, 30))
        world.publish(scene.at(3))

    both, at = [SYMBOL, OTHER], scene.at(3)

    def mixed(old: int, new: int) -> list[str]:
        made = {was: f"{was} made {old}", now: f"{now} made {new}, {new} of them over another's"}
        counted = {was: old, now: new}
        said = ", ".join(made[number] for number in sorted(made) if counted[number])
        return [f"rows of market_1m are of several definitions: {said}"]

    cases: list[tuple[list[str], list[Any], list[str]]] = [
        # moments apart, one of them twice, and one without a bar
        ([SYMBOL] * 4, [scene.at(2), at, scene.at(2), scene.at(-60)], mixed(2, 1)),
        ([SYMBOL] * 2, [scene.at(1), scene.at(2)], []),
        # the version itself may keep values of the first
        ([SYMBOL], [at], mixed(0, 1)),
        (both, [at, at], mixed(1, 1)),
    ]
    for symbols, moments, said in cases:
        with told(world) as found:
            rows = world.ask_each(symbols, moments, None, scene.tenant)
        assert found == said
        assert [row["symbol"] for row in rows] == symbols
    # one moment: all fresh, one of them stale, and more than a few
    many = both * 5
    for symbols, moment, said in [
        (both, at, mixed(1, 1)),
        (both, scene.at(2), []),
        ([SYMBOL], at, mixed(0, 1)),
        ([*both, "SYN_EURUSD"], at, mixed(1, 1)),
        (many, at, mixed(5, 5)),
        (many, at + timedelta(minutes=10), mixed(5, 5)),
    ]:
        world.set_clock(scene.at(0), moment)
        with told(world) as found:
            rows = world.ask(symbols, moment, None, scene.tenant)
        assert (found, [row["symbol"] for row in rows]) == (said, symbols)
    with told(world) as found:
        world.connection.execute(
            "select feature_pit_hash(%s, %s::timestamptz, null, %s)", [both, at, scene.tenant]
        )
    assert found == mixed(1, 1)
