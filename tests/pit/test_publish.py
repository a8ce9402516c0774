"""feature.publish(): which versions it appends, and when."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.conftest import Databases
from tests.pit.conftest import SYMBOL, Scene
from tests.pit.oracle import Event, Trade

MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)


def test_a_bar_is_published_once_it_has_closed_and_not_a_microsecond_before(scene: Scene) -> None:
    scene.trade(scene.at(0, 30), 100)
    scene.world.publish(scene.at(1) - MICROSECOND)
    assert scene.log() == []
    scene.world.publish(scene.at(1))
    assert scene.log() == [(scene.at(0), scene.at(1), "close")]


def test_the_scheduled_job_publishes_when_the_scheduler_runs_it(scene: Scene) -> None:
    job = scene.world.connection.execute(
        "select job_id from timescaledb_information.jobs where proc_name = 'publish_job'"
    ).fetchone()
    assert job is not None
    scene.trade(scene.at(0, 30), 100)
    # the embedded engine's clock counts milliseconds
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    scene.world.connection.execute("call run_job(%s)", job)
    ((bucket, known_at, cause),) = scene.log()
    assert (bucket, cause) == (scene.at(0), "close")
    assert before <= known_at <= datetime.now(UTC)


def test_nothing_new_appends_nothing_and_the_clock_goes_on(scene: Scene) -> None:
    scene.trade(scene.at(0, 30), 100)
    scene.world.publish(scene.at(1))
    before = scene.log()
    scene.world.publish(scene.at(2))
    assert scene.log() == before
    assert scene.world.published_at() == scene.at(2)


def test_a_tick_said_again_appends_nothing(scene: Scene) -> None:
    first = scene.trade(scene.at(0, 30), 100)
    scene.world.publish(scene.at(1))
    scene.world.apply([first])
    scene.world.publish(scene.at(2))
    assert len(scene.log()) == 1


def test_a_late_trade_restates_the_bars_it_reaches_and_no_others(scene: Scene) -> None:
    """19 later bars by sma_20, an hour by volatility_1h, 20 bars and six hours by regime_tag."""
    scene.bars(450)
    scene.world.publish(scene.at(450))
    scene.trade(scene.at(10, 59), 4.0, scene.at(450))
    scene.world.publish(scene.at(451))
    changed = scene.world.connection.execute(
        """
        select
            max(bucket) filter (where now.close <> was.close),
            max(bucket) filter (where now.sma_20 is distinct from was.sma_20),
            max(bucket) filter (where now.volatility_1h is distinct from was.volatility_1h),
            max(bucket), min(bucket), bool_and(now.cause = 'late')
        from feature.log as now
        inner join feature.log as was using (tenant_id, symbol, bucket)
        where tenant_id = %s and now.known_at = %s and was.known_at = %s
        """,
        [scene.tenant, scene.at(451), scene.at(450)],
    ).fetchone()
    assert changed is not None
    close, sma_20, volatility_1h, last, first, late = changed
    assert (first, close, sma_20) == (scene.at(10), scene.at(10), scene.at(29))
    # the return of the bar after it, at 11, is in the hour up to 70
    assert volatility_1h == scene.at(70)
    assert scene.at(70) <= last <= scene.at(11 + 359)
    assert late


def test_a_quote_restates_its_own_bar_only(scene: Scene) -> None:
    scene.bars(30)
    scene.world.publish(scene.at(30))
    scene.quote(scene.at(10, 5), 100, 101, scene.at(30))
    scene.world.publish(scene.at(31))
    assert [bucket for bucket, known, _ in scene.log() if known == scene.at(31)] == [scene.at(10)]


def test_a_correction_that_keeps_the_close_keeps_the_windows(scene: Scene) -> None:
    bars = scene.bars(30)
    scene.trade(bars[10].ts + MICROSECOND, 50.0)
    scene.world.publish(scene.at(30))
    scene.amend(bars[10], "correction", scene.at(30), price=60.0)
    scene.world.publish(scene.at(31))
    found = scene.log("bucket, known_at, cause, open, close, sma_20")
    was, now = [row for row in found if row[0] == scene.at(10)]
    assert now[:4] == (scene.at(10), scene.at(31), "correction", 60.0)
    assert now[4:] == was[4:]
    assert len(found) == 31


@contextmanager
def asked_of_windows(scene: Scene) -> Iterator[Callable[[], list[tuple[datetime]]]]:
    """Until the end, which bars publishes ask the windows of market_1m of."""
    execute = scene.world.connection.execute
    row = execute("select pg_get_function_result('feature.window_value'::regproc)").fetchone()
    assert row is not None
    execute("set role market_owner")
    execute("create table feature.asked (bucket timestamptz)")
    execute("alter function feature.window_value() rename to window_value_away")
    try:
        execute(
            f"create function feature.window_value() returns {row[0]} language plpgsql as $$ begin"
            " insert into feature.asked select w.bucket from pg_temp.window_output as w;"
            " return query select * from feature.window_value_away(); end $$".encode()
        )
        yield lambda: execute("select bucket from feature.asked order by bucket").fetchall()
    finally:
        execute("drop function if exists feature.window_value()")
        execute("alter function feature.window_value_away() rename to window_value")
        execute("drop table feature.asked")
        execute("reset role")


def test_windows_of_all_bars_are_not_asked_for_the_newest(scene: Scene) -> None:
    scene.bars(3)
    scene.world.publish(scene.at(3))
    scene.bars(1, 3)
    with asked_of_windows(scene) as asked:
        scene.world.publish(scene.at(4))
        assert asked() == []
    assert len(scene.log()) == 4


def test_windows_are_asked_again_only_where_what_they_read_has_changed(scene: Scene) -> None:
    bars = scene.bars(3)
    scene.world.publish(scene.at(3))
    for price, moved in ((None, []), (60.0, [(scene.at(1),), (scene.at(2),)])):
        # another size, then another price
        event = replace(bars[1], action="correction", known_at=scene.world.published_at())
        assert isinstance(event.values, Trade)
        values = replace(event.values, size=7.0, price=price or event.values.price)
        scene.world.apply([replace(event, values=values)])
        with asked_of_windows(scene) as asked:
            scene.world.publish(scene.world.published_at() + MINUTE)
            assert asked() == moved
    assert scene.log("volume, close") == [(1, 100), (1, 100.25), (7, 100.25), (7, 60), (1, 100.5)]


def test_a_bar_whose_trades_are_all_cancelled_goes_and_can_come_back(scene: Scene) -> None:
    bars = scene.bars(3)
    scene.world.publish(scene.at(3))
    scene.amend(bars[2], "cancel", scene.at(3))
    scene.world.publish(scene.at(4))
    assert scene.log("known_at, cause, close")[-1] == (scene.at(4), "cancel", None)
    assert scene.ask(scene.at(4))["bucket"] == scene.at(1)
    assert scene.ask(scene.at(3))["bucket"] == scene.at(2)
    scene.trade(scene.at(2, 40), 7.0, scene.at(4))
    scene.world.publish(scene.at(5))
    assert scene.log("known_at, cause, close")[-1] == (scene.at(5), "late", 7.0)


def test_a_quote_alone_makes_no_bar(scene: Scene) -> None:
    scene.quote(scene.at(0, 5), 100, 101)
    scene.world.publish(scene.at(1))
    assert scene.log() == []


def test_what_is_known_after_the_stamp_waits_for_a_later_one(scene: Scene) -> None:
    """Also where another tick of its bar is due: a clock ahead of ours does not leak."""
    scene.trade(scene.at(0, 10), 100)
    scene.trade(scene.at(0, 20), 200, scene.at(2) + MICROSECOND)
    scene.quote(scene.at(0, 20), 100, 101, scene.at(2) + MICROSECOND)
    scene.world.publish(scene.at(2))
    scene.world.publish(scene.at(2) + MICROSECOND)
    assert scene.log("known_at, close, spread_bps is null") == [
        (scene.at(2), 100.0, True),
        (scene.at(2) + MICROSECOND, 200.0, False),
    ]


def test_what_is_superseded_after_the_stamp_still_counts(scene: Scene) -> None:
    first = scene.trade(scene.at(0, 10), 100)
    scene.amend(first, "correction", scene.at(2) + MICROSECOND, price=50)
    scene.world.publish(scene.at(2))
    scene.world.publish(scene.at(2) + MICROSECOND)
    assert scene.log("known_at, close") == [
        (scene.at(2), 100.0),
        (scene.at(2) + MICROSECOND, 50.0),
    ]


def test_a_publish_that_fails_has_done_nothing(scene: Scene) -> None:
    scene.trade(scene.at(0, 30), 100)
    execute = scene.world.connection.execute
    execute(
        "alter table feature.restatement add constraint fails"
        f" check (tenant_id <> {scene.tenant})".encode()
    )
    try:
        scene.world.publish(scene.at(1))
        scene.trade(scene.at(0, 40), 50, scene.at(1))
        with pytest.raises(psycopg.errors.CheckViolation):
            scene.world.publish(scene.at(2))
    finally:
        execute("alter table feature.restatement drop constraint fails")
    assert len(scene.log()) == 1
    assert scene.world.published_at() == scene.at(1)
    scene.world.publish(scene.at(2))
    assert len(scene.log()) == 2


def test_a_stamp_that_readers_may_have_seen_past_is_refused(scene: Scene) -> None:
    scene.world.publish(scene.at(1))
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="not after the last publish"):
        scene.world.publish(scene.at(1))
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="in the future"):
        scene.world.connection.execute("call feature.publish(now() + interval '1 minute')")


@pytest.mark.parametrize("second", [10, 30, 50])
def test_a_backfill_to_the_middle_of_a_minute_builds_whole_bars(
    scene: Scene, second: float
) -> None:
    for at, price in ((5, 105), (20, 120), (40, 140), (55, 155)):
        scene.trade(scene.at(2, at), price)
    scene.world.set_clock(scene.at(60), scene.at(60))
    scene.world.backfill(scene.at(1, second), scene.at(2, second))
    assert scene.log("bucket, known_at, close, volume") == [(scene.at(2), scene.at(3), 155, 4)]
    # the bar of a minute that has begun before the range is not in it
    scene.trade(scene.at(5, 5), 1)
    scene.world.set_clock(scene.at(61), scene.at(61))
    scene.world.backfill(scene.at(5, second), scene.at(7))
    assert len(scene.log()) == 1


def test_history_is_left_to_a_backfill(scene: Scene) -> None:
    scene.trade(scene.at(0, 30), 100)
    scene.trade(scene.at(1, 30), 101)
    scene.trade(scene.at(2, 30), 102)
    scene.world.set_clock(scene.at(2), scene.at(2))
    scene.world.publish(scene.at(4))
    assert scene.log() == [(scene.at(2), scene.at(4), "close")]
    scene.world.backfill(scene.at(0), scene.at(60))
    assert scene.log()[:2] == [
        (scene.at(0), scene.at(1), "close"),
        (scene.at(1), scene.at(2), "close"),
    ]


def test_history_built_after_going_live_completes_the_windows(scene: Scene) -> None:
    scene.world.set_clock(scene.at(30), scene.at(30))
    scene.bars(34)
    scene.world.publish(scene.at(33))
    assert scene.ask(scene.at(33))["sma_20"] is None
    scene.world.backfill(scene.at(0), scene.at(60))
    scene.world.publish(scene.at(34))
    assert scene.ask(scene.at(33), scene.at(34))["sma_20"] == 100 + (13 + 32) / 2 / 4
    assert scene.ask(scene.at(33))["sma_20"] is None
    assert scene.ask(scene.at(34))["volatility_1h"] is not None


def test_two_publishers_write_no_version_twice(scene: Scene, databases: Databases) -> None:
    if databases.kind == "embedded":
        pytest.skip("the embedded engine runs one transaction at a time")
    scene.bars(200)
    scene.world.connection.execute("select 1")

    def publish() -> None:
        with psycopg.connect(scene.world.url, autocommit=True) as connection:
            connection.execute("call feature.publish()")

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(scene.log()) == 200


def test_the_latest_versions_are_the_view_of_what_is_believed_now(scene: Scene) -> None:
    bars = scene.bars(100)
    scene.quote(scene.at(5, 5), 100, 101)
    scene.world.publish(scene.at(100))
    scene.amend(bars[50], "cancel", scene.at(100))
    scene.amend(bars[60], "correction", scene.at(100), price=90)
    scene.trade(scene.at(40, 50), 80, scene.at(100))
    scene.world.publish(scene.at(101))
    fields = (
        "open, high, low, close, volume, vwap, sma_20, volatility_1h, regime_tag, spread_bps,"
        " order_imbalance"
    )
    differing = scene.world.connection.execute(
        f"""
        with latest as (
            select distinct on (symbol, bucket) symbol, bucket, {fields}
            from feature.log where tenant_id = %(tenant)s
            order by symbol, bucket, known_at desc
        ), believed as (
            select symbol, bucket, {fields} from feature.feature_1m where tenant_id = %(tenant)s
        )
        (select * from latest where close is not null except select * from believed)
        union all (select * from believed except select * from latest)
        """.encode(),
        {"tenant": scene.tenant},
    ).fetchall()
    assert differing == []
    assert len(scene.log()) > 120


def test_without_the_models_it_says_what_to_run(databases: Databases) -> None:
    url, drop = databases.create("migrated")
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("call feature.publish()")
            connection.execute(
                "insert into market.trade (tenant_id, symbol, ts, seq, price, size, known_at)"
                " select 1, %s, ts, 1, 1, 1, clock_timestamp()"
                " from (values (now() - interval '5 minutes')) as t (ts)",
                [SYMBOL],
            )
            with pytest.raises(psycopg.errors.UndefinedTable, match="dbt models") as caught:
                connection.execute("call feature.publish()")
            assert "dbt run" in str(caught.value.diag.message_hint)
            kept = connection.execute("select count(*) from feature.changed_bar").fetchone()
            assert kept == (1,)
    finally:
        drop()


def test_the_formulas_are_the_models_own(scene: Scene) -> None:
    """Another definition of vwap in the dbt view is what is published, once it is compiled."""
    for price in (100, 300):  # vwap is held to [low, high]
        scene.trade(scene.at(0, 30), price, size=4)
    with scene.world.connection.transaction(force_rollback=True):
        definition = scene.world.connection.execute(
            "select pg_get_viewdef('intermediate.int_bar__own'::regclass)"
        ).fetchone()
        assert definition is not None
        changed = definition[0].replace("joined.notional /", "1.25 * joined.notional /")
        assert changed != definition[0]
        scene.world.connection.execute(
            f"create or replace view intermediate.int_bar__own as {changed}"
        )
        scene.world.publish(scene.at(1))
        assert scene.log("vwap") == [(200.0,)]
        scene.world.connection.execute("call feature.compile()")
        for price in (100, 300):
            scene.trade(scene.at(1, 30), price, size=4)
        scene.world.publish(scene.at(2))
        assert scene.log("vwap") == [(200.0,), (250.0,)]


def test_publishing_goes_on_while_a_dbt_run_has_taken_the_views_away(scene: Scene) -> None:
    scene.trade(scene.at(0, 30), 100)
    with scene.world.connection.transaction(force_rollback=True):
        scene.world.connection.execute("drop view staging.stg_bar cascade")
        scene.world.publish(scene.at(1))
        assert scene.log() == [(scene.at(0), scene.at(1), "close")]


def test_a_tick_whose_cancel_came_first_is_believed_until_that(scene: Scene) -> None:
    """It comes after a stamp that it was known before, and before one that knows of the cancel."""
    scene.bars(1)
    ts, size = scene.at(0, 40), Trade(100.0, 4.0, None)
    tick = Event("new", scene.tenant, SYMBOL, ts, 900, size, ts)
    scene.world.apply([replace(tick, action="cancel", known_at=scene.at(5))])
    scene.world.publish(scene.at(2))
    scene.world.apply([tick])
    scene.world.publish(scene.at(3))
    scene.world.publish(scene.at(6))
    assert [volume for (volume,) in scene.log("volume")] == [1, 5, 1]
