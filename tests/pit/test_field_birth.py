"""A field that a set gets later: a backfill brings it what could have been computed before."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.pit.conftest import DAY, SYMBOL, Past, Scene
from tests.pit.world import World

SPAN = DAY - timedelta(days=5), DAY + timedelta(days=5)


@pytest.fixture(autouse=True)
def alone(scene: Scene) -> Iterator[None]:
    """No tick of another test, and no birth of one."""
    clean = (
        "truncate market.trade, market.trade_superseded, market.quote, market.quote_superseded,"
        " feature.changed_bar, feature.waiting_bar, feature.history_change,"
        " feature.waiting_history, feature.waiting_range, feature.waiting_field"
    )
    scene.world.connection.execute(clean.encode())
    yield
    scene.world.connection.execute("delete from feature.birth where ended_at is not null")


@contextmanager
def before(world: World, *fields: str, gone: bool = False) -> Iterator[None]:
    """Until the end there are no such fields, SET.FIELD; as if there had never been, or gone.

    Without one of market_1m there is no daily: its minutes, as dbt has made them, have them all.
    """
    connection = world.connection
    names = [name.split(".") for name in fields]
    taken = [("contract", "feature_set = %s and field = %s", name) for name in names]
    if any(name.startswith("market_1m.") for name in fields):
        taken += [(table, "feature_set = %s", ["daily"]) for table in ("contract", "feature_set")]
    kept = []
    with connection.transaction():
        for table, condition, of in taken:
            rows = connection.execute(
                f"delete from market.{table} as t where {condition}"
                " returning to_jsonb(t)::text".encode(),
                of,
            ).fetchall()
            kept += [(table, row) for (row,) in rows]
        connection.execute("call feature.compile()")
    if not gone:
        for name in names:
            connection.execute(
                "delete from feature.birth where feature_set = %s and field = %s", name
            )
    try:
        yield
    finally:
        with connection.transaction():
            for table, row in kept:
                connection.execute(
                    f"insert into market.{table} select t.*"
                    f" from jsonb_populate_record(null::market.{table}, %s::jsonb) as t".encode(),
                    [row],
                )
            connection.execute("call feature.compile()")


def waits(world: World) -> list[tuple[Any, ...]]:
    return world.connection.execute(
        "select feature_set, field, series from feature.field_waits()"
    ).fetchall()


def backfill(scene: Scene, name: str | None = None) -> None:
    scene.world.connection.execute("call feature.backfill(%s, %s, %s)", [*SPAN, name])


