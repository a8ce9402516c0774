"""A field that a set gets later: a backfill brings it what could have been computed before."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.pit.conftest import DAY, SYMBOL, Past, Scene
from tests.pit.oracle import Event, Quote
from tests.pit.world import Row, World

QUOTE = Quote(99, 1.0, 101, 1.0)
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


def waits(scene: Scene) -> list[str]:
    rows = scene.world.connection.execute(
        "select feature_set || '.' || field from feature.waiting_field where tenant_id = %s"
        " order by 1",
        [scene.tenant],
    ).fetchall()
    return [name for (name,) in rows]


def asked(scene: Scene, function: str, minutes: int) -> list[Row]:
    """Answers at the close of each minute, with what was known when the last had closed."""
    closes = [scene.at(minute + 1) for minute in range(minutes)]
    with scene.world.connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            f"select * from {function}(%s, %s::timestamptz[], %s::timestamptz[], %s)".encode(),
            [[SYMBOL] * minutes, closes, [closes[-1]] * minutes, scene.tenant],
        ).fetchall()


def mean_of(last: int, corrected: dict[int, float] | None = None) -> Any:
    """Of the closes that Scene.bars() gives the 20 minutes up to the last one."""
    closes = {m: 100 + m / 4 for m in range(last - 19, last + 1)} | (corrected or {})
    return pytest.approx(sum(closes.values()) / len(closes))


def backfill(scene: Scene, name: str | None = None) -> None:
    scene.world.connection.execute("call feature.backfill(%s, %s, %s)", [*SPAN, name])


def test_it_has_what_could_have_been_computed_and_was_not_served(scene: Scene) -> None:
    with before(scene.world, "market_1m.sma_20"):
        bars = scene.bars(30)
        scene.world.publish(scene.at(28))
        scene.amend(bars[26], "correction", scene.at(29), price=200)
        scene.world.publish(scene.at(30))
    assert waits(scene) == ["market_1m.sma_20"]
    was = asked(scene, "feature_pit_snapshot", 30)
    backfill(scene)
    assert waits(scene) == []
    now = asked(scene, "feature_pit_snapshot", 30)
    assert [row["sma_20"] for row in now] == [
        None if minute < 19 else mean_of(minute, {26: 200} if minute >= 26 else {})
        for minute in range(30)
    ]
    assert scene.ask(scene.at(28), scene.at(28))["sma_20"] == mean_of(27)
    assert scene.ask(scene.at(28), scene.at(29))["sma_20"] == mean_of(27, {26: 200})
    # known_at is that of a version in which it alone is another
    own = {"sma_20": None, "known_at": None}
    assert [{**row, **own} for row in now] == [{**row, "known_at": None} for row in was]
    # before it was there
    could = asked(scene, "feature_pit_snapshot", 29)
    assert could[-1]["sma_20"] is not None
    assert asked(scene, "feature_pit_served", 29) == [{**row, "sma_20": None} for row in could]


def test_where_it_alone_changed_there_is_a_version_more(scene: Scene) -> None:
    """A late quote moves nothing but the spread."""
    with before(scene.world, "market_1m.spread_bps"):
        scene.bars(1)
        scene.quote(scene.at(0, 10), 99, 101)
        scene.world.publish(scene.at(1))
        scene.quote(scene.at(0, 20), 98, 102, scene.at(3))
        scene.world.publish(scene.at(4))
    assert scene.log() == [(scene.at(0), scene.at(1), "close")]
    backfill(scene)
    versions = [
        (scene.at(0), scene.at(1), "close", 100, 200),
        (scene.at(0), scene.at(3), "late", 100, 300),
    ]
    columns = "bucket, known_at, cause, close, spread_bps"
    assert scene.log(columns) == versions
    leaked = scene.world.connection.execute(
        "select leaked_rows, max_abs_change from feature.leakage(array[%s], array[%s], %s)"
        " where field = 'spread_bps'",
        [SYMBOL, scene.at(2), scene.tenant],
    ).fetchall()
    assert leaked == [(1, 100)]
    backfill(scene)
    assert scene.log(columns) == versions


def test_what_became_null_before_the_backfill_is_null_after_it(scene: Scene) -> None:
    with before(scene.world, "market_1m.spread_bps"):
        scene.bars(1)
        scene.quote(scene.at(0, 10), 99, 101)
        scene.world.publish(scene.at(1))
    scene.world.apply(
        [Event("cancel", scene.tenant, SYMBOL, scene.at(0, 10), scene.seq, QUOTE, scene.at(2))]
    )
    scene.world.publish(scene.at(3))
    assert len(scene.log()) == 1
    backfill(scene)
    scene.world.publish(scene.at(4))
    assert scene.log("known_at, cause, spread_bps") == [
        (scene.at(1), "close", 200),
        # by the formulas of all fields, and not by those of before
        (scene.at(4), "definition", None),
    ]


def test_it_is_built_once(scene: Scene) -> None:
    """History that comes later changes nothing that it has said: neither NULL nor a value."""
    with before(scene.world, "market_1m.spread_bps"):
        scene.bars(2)
        scene.quote(scene.at(0, 10), 99, 101)
        scene.world.publish(scene.at(2))
    backfill(scene)
    said = scene.log("bucket, known_at, spread_bps")
    scene.quote(scene.at(0, 20), 98, 102)
    scene.quote(scene.at(1, 20), 98, 102)
    backfill(scene)
    assert scene.log("bucket, known_at, spread_bps") == said


def test_no_other_update_passes(scene: Scene) -> None:
    """Not even while it waits, and by who says that he fills."""
    with before(scene.world, "market_1m.spread_bps"):
        scene.bars(2)
        scene.world.publish(scene.at(2))
    with before(scene.world, "market_1m.order_imbalance"):
        scene.bars(2, 2)
        scene.world.publish(scene.at(4))
    connection = scene.world.connection
    own = f"where tenant_id = {scene.tenant} and bucket < '{scene.at(2)}'"

    def update(change: str, where: str, filling: str = "market_1m") -> None:
        with connection.transaction(force_rollback=True):
            connection.execute("select set_config('feature.filling', %s, true)", [filling])
            connection.execute(f"update feature.log set {change} {where}".encode())

    update("spread_bps = 1", own)
    later = own.replace("<", ">=")
    for change, where, filling in [
        ("spread_bps = 1", own, ""),
        ("spread_bps = 1", own, "momentum_1m"),
        ("spread_bps = 1", later, "market_1m"),
        ("close = 1", own, "market_1m"),
        ("sma_20 = 1", own, "market_1m"),
        ("known_at = known_at + interval '1 s'", own, "market_1m"),
        ("spread_bps = 1, close = 1", own, "market_1m"),
    ]:
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="is append-only"):
            update(change, where, filling)
    backfill(scene)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="is append-only"):
        update("spread_bps = 1", own)


def test_gone_and_back_it_has_what_was_known_meanwhile(scene: Scene) -> None:
    scene.bars(2)
    scene.quote(scene.at(0, 10), 99, 101)
    scene.world.publish(scene.at(1))
    with before(scene.world, "market_1m.spread_bps", gone=True):
        scene.quote(scene.at(0, 20), 98, 102, scene.at(1, 30))
        scene.quote(scene.at(1, 20), 98, 102)
        scene.world.publish(scene.at(2))
    columns = "bucket, known_at, spread_bps"
    said = (scene.at(0), scene.at(1), 200)
    assert scene.log(columns) == [said, (scene.at(1), scene.at(2), None)]
    backfill(scene)
    assert scene.log(columns) == [
        said,
        (scene.at(0), scene.at(1, 30), 300),
        (scene.at(1), scene.at(2), 400),
    ]


def test_a_backfill_that_was_interrupted_before_it_came_begins_anew(past: Past) -> None:
    with before(past.world, "market_1m.sma_20"):
        past.bars(25)
        past.backfill()
        past.world.connection.execute(
            "update feature.backfill_run set finished_at = null, done_to = range_to"
            " where range_from = %s",
            [past.day],
        )
    past.backfill()
    assert waits(past) == []
    assert past.log("sma_20")[-1] == (pytest.approx(sum(100 + m / 4 for m in range(5, 25)) / 20),)


def test_what_has_no_ticks_any_more_waits_no_more(scene: Scene) -> None:
    with before(scene.world, "market_1m.spread_bps"):
        scene.bars(2)
        scene.quote(scene.at(0, 10), 99, 101)
        scene.world.publish(scene.at(2))
        scene.world.connection.execute("truncate market.trade, market.quote")
    backfill(scene)
    assert waits(scene) == []
    assert scene.log("spread_bps") == [(None,), (None,)]


def test_a_field_of_another_set_comes_first(scene: Scene) -> None:
    """In market_1m volume is new, and what momentum_1m makes of it: one call brings both."""
    with before_volume(scene.world):
        scene.bars(25)
        scene.world.publish(scene.at(25))
    assert waits(scene) == ["market_1m.volume", "market_1m.vwap", "momentum_1m.volume_sma_20"]
    scene.bars(2, 25)
    scene.world.publish(scene.at(27))
    assert averages(scene)[-2:] == [(scene.at(27), None)] * 2
    # a part of what it reads: it waits
    scene.world.connection.execute(
        "call feature.backfill(%s, %s, 'momentum_1m')", [scene.at(10), scene.at(40)]
    )
    assert [average for _, average in averages(scene)] == [None] * 27
    backfill(scene, "momentum_1m")
    assert waits(scene) == []
    assert averages(scene)[:25] == [(scene.at(25), None)] * 19 + [(scene.at(25), 1)] * 6
    # and what was published before is completed
    scene.world.publish(scene.at(28))
    assert averages(scene)[25:] == [(scene.at(27), None), (scene.at(28), 1)] * 2


@contextmanager
def before_volume(world: World) -> Iterator[None]:
    """As before(), with the model of momentum_1m that dbt would have made."""
    create = "create or replace view intermediate.int_momentum__trailing as "
    (query,) = world.connection.execute(
        "select pg_get_viewdef('intermediate.int_momentum__trailing'::regclass)"
    ).fetchall()[0]
    former = query.replace("feature_1m.volume", "null::double precision as volume")
    assert former != query
    world.connection.execute((create + former).encode())
    with before(world, "market_1m.volume", "market_1m.vwap", "momentum_1m.volume_sma_20"):
        try:
            yield
        finally:
            world.connection.execute((create + query).encode())


def averages(scene: Scene) -> list[tuple[Any, ...]]:
    return scene.world.connection.execute(
        "select known_at, volume_sma_20 from feature.momentum_1m_log where tenant_id = %s"
        " order by bucket, known_at",
        [scene.tenant],
    ).fetchall()


def test_a_session_that_closed_before_its_minutes_were_filled_is_completed(scene: Scene) -> None:
    """It closed when the volumes of its minutes were not there yet, and none came behind them."""
    volumes = "select volume from feature.daily_log where tenant_id = %s order by known_at"

    def daily() -> list[Any]:
        found = scene.world.connection.execute(volumes.encode(), [scene.tenant]).fetchall()
        return [volume for (volume,) in found]

    with before_volume(scene.world):
        scene.bars(25)
        scene.world.publish(scene.at(25))
    scene.world.publish(scene.at(24 * 60))
    assert daily() == [None]
    backfill(scene)
    assert daily() == [None]
    scene.world.publish(scene.at(24 * 60 + 1))
    assert daily() == [None, 25]
