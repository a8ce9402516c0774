"""What make feature-check asks for the cost of a set is a publish of which nothing stays."""

from typing import Any

from tests.pit.conftest import Scene

TABLES = (
    *("feature.log", "feature.momentum_1m_log", "feature.daily_log", "feature.clock"),
    *("feature.changed_bar", "feature.waiting_bar", "feature.restatement", "feature.set_aside"),
)


def state(scene: Scene) -> list[list[tuple[Any, ...]]]:
    return [
        scene.world.connection.execute(
            f"select to_jsonb(t)::text from {table} as t order by 1".encode()
        ).fetchall()
        for table in TABLES
    ]


def test_nothing_of_it_stays(scene: Scene) -> None:
    scene.bars(3)
    scene.world.publish(scene.at(3))
    before = state(scene)
    rows = scene.world.connection.execute("select * from feature.try_publish()").fetchall()
    assert sorted(name for name, *_ in rows) == ["daily", "market_1m", "momentum_1m"]
    assert all(series > 0 and seconds > 0 for _, series, seconds in rows)
    assert state(scene) == before
    scene.bars(1, 3)
    scene.world.publish(scene.at(4))
    assert len(scene.log()) == 4
