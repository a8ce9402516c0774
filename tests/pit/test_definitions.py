"""Formulas are an input: each version says which definition made it, and no tick is blamed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tests.pit.conftest import SYMBOL, Scene
from tests.pit.test_field_birth import alone
from tests.pit.world import World

__all__ = ["alone"]
REGIME = "intermediate.int_bar__regime"
OTHER = "SYN_ETHUSD"


@contextmanager
def other_formula(world: World) -> Iterator[None]:
    """Until the end a bar is volatile at three times its baseline."""
    ((query,),) = world.connection.execute(
        "select pg_get_viewdef(%s::regclass)", [REGIME]
    ).fetchall()
    changed = query.replace("1.5", "3.0")
    assert changed != query
    for definition in (changed, query):
        with world.connection.transaction():
            world.connection.execute(f"create or replace view {REGIME} as {definition}".encode())
            world.connection.execute("call feature.compile()")
        if definition == changed:
            yield


def current(world: World) -> dict[str, int]:
    return dict(
        world.connection.execute(
            "select feature_set, definition from feature.current_definition"
        ).fetchall()
    )


def noted(world: World) -> list[tuple[Any, ...]]:
    return world.connection.execute("select * from feature.definition order by 1").fetchall()


def causes(scene: Scene, log: str = "log") -> list[tuple[Any, ...]]:
    return scene.world.connection.execute(
        f"select bucket, cause, definition from feature.{log} where tenant_id = %s"
        " order by known_at, bucket".encode(),
        [scene.tenant],
    ).fetchall()


def test_a_variable_of_dbt_makes_another_definition_and_its_former_value_the_former_one(
    scene: Scene, run_dbt: Callable[..., str]
) -> None:
    world = scene.world
    first, before_it = current(world), noted(world)
    world.set_clock(scene.at(0), scene.at(5))
    run = ("run", "--quiet", "--select", "int_bar__regime")
    run_dbt(world.url, *run, "--vars", "{regime_volatile_ratio: 2.5}")
    second, then = current(world), noted(world)
    # what reads it or is made of it, too
    assert {name for name in first if first[name] != second[name]} == set(first)
    assert then[: len(before_it)] == before_it
    assert [definition for definition, *_ in then] == list(range(1, len(then) + 1))
    (row,) = (row for row in then if row[0] == second["market_1m"])
    _, name, digest, content, fields, known_at = row
    assert (name, known_at) == ("market_1m", scene.at(5))
    assert ("2.5" in content, fields[:2], len(digest)) == (True, ["open", "high"], 64)
    world.connection.execute("call feature.compile()")
    assert (noted(world), current(world)) == (then, second)
    run_dbt(world.url, *run)
    assert (noted(world), current(world)) == (then, first)


def test_what_a_definition_was_stays(scene: Scene) -> None:
    for statement in (
        "delete from feature.definition",
        "truncate feature.definition cascade",
        "update feature.definition set hash = hash",
    ):
        with pytest.raises(psycopg.Error, match="definition is append-only"):
            scene.world.connection.execute(statement.encode())


def test_no_tick_is_blamed_for_what_another_formula_may_have_changed(scene: Scene) -> None:
    """A late trade, a later bar whose windows it reaches, and a bar that goes."""
    bars = scene.bars(25)
    scene.world.publish(scene.at(25))
    scene.trade(scene.at(24, 40), 200, scene.at(26))
    scene.world.publish(scene.at(27))
    was = current(scene.world)["market_1m"]
    assert causes(scene)[25:] == [(scene.at(24), "late", was)]
    with other_formula(scene.world):
        now = current(scene.world)["market_1m"]
        scene.bars(1, 25)
        scene.trade(scene.at(3, 40), 200, scene.at(27, 30))
        scene.amend(bars[23], "cancel", scene.at(27, 30))
        scene.world.publish(scene.at(28))
        made = causes(scene)[26:]
        # the means of the minutes up to 22, and those that have a bar less behind them
        assert [bucket for bucket, *_ in made] == [
            scene.at(minute) for minute in (3, 19, 20, 21, 22, 23, 24, 25)
        ]
        assert {tuple(of) for _, *of in made[:-1]} == {("definition", now)}
        assert made[-1] == (scene.at(25), "close", now)
        own = causes(scene, "momentum_1m_log")[-8:]
        assert {cause for _, cause, _ in own} == {"close", "definition"}
        assert {of for *_, of in own} == {current(scene.world)["momentum_1m"]}
        # what this one has made is changed by ticks again
        scene.trade(scene.at(3, 50), 300, scene.at(28, 30))
        scene.world.publish(scene.at(29))
        assert causes(scene)[34] == (scene.at(3), "late", now)
    explained = scene.world.connection.execute(
        "select cause, definition, jsonb_array_length(events)"
        " from feature.explain_restatement(%s, %s, %s)",
        [SYMBOL, scene.at(3), scene.tenant],
    ).fetchall()
    assert explained == [("close", was, None), ("definition", now, 1), ("late", now, 1)]


def test_a_version_of_before_they_were_noted_is_of_the_first(scene: Scene) -> None:
    connection = scene.world.connection
    connection.execute("set session_replication_role = replica")
    connection.execute(
        "insert into feature.log (tenant_id, symbol, bucket, known_at, open, high, low, close,"
        " volume, cause) select %s, s, %s, %s, 1, 1, 1, 1, 1, 'close' from unnest(%s::text[]) as s",
        [scene.tenant, scene.at(0), scene.at(1), [SYMBOL, OTHER]],
    )
    connection.execute("set session_replication_role = origin")
    scene.trade(scene.at(0, 10), 2)
    scene.world.publish(scene.at(2))
    with other_formula(scene.world):
        scene.trade(scene.at(0, 10), 2, symbol=OTHER)
        scene.world.publish(scene.at(3))
    assert [cause for _, cause, _ in causes(scene)] == ["close", "close", "late", "definition"]
