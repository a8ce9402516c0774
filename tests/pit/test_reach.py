"""feature.compile() refuses a set whose windows read farther back than the set says."""

from dataclasses import replace

import psycopg
import pytest

from tests.pit.conftest import SYMBOL, Scene
from tests.pit.oracle import Event, Trade

SET_REACH = (
    "update market.feature_set set reach_bars = {}, reach_minutes = {} where feature_set = '{}'"
)
# a set of a bar's close and of the lowest one in a frame of minutes or bars
LOWEST = """
    create view intermediate.int_lowest__own as
    select tenant_id, symbol, bucket, close from intermediate.int_bar__own;
    create view intermediate.int_lowest__trailing as
    select tenant_id, symbol, bucket, min(close) over (
        partition by tenant_id, symbol order by bucket {frame}
    ) as lowest
    from intermediate.int_lowest__own;
    create view feature.lowest_1m as
    with bar as (select * from intermediate.int_lowest__own),

    windows as (select * from intermediate.int_lowest__trailing)

    select bar.tenant_id, bar.symbol, bar.bucket, bar.close, windows.lowest
    from bar
    left join windows
        on
            bar.tenant_id = windows.tenant_id
            and bar.symbol = windows.symbol
            and bar.bucket = windows.bucket;
    insert into market.feature_set values (
        'lowest_1m', '1 minute', 'lowest_1m', 'int_lowest__own', 'tick', {bars}, {minutes}, 'x'
    );
    insert into market.contract (
        feature_set, ordinal, field, data_type, unit, formula, available_after_s, max_staleness_s,
        inputs, feature_view
    )
    values ('lowest_1m', 1, 'close', 'double precision', 'x', 'x', 30, 900, null, 'x'),
        ('lowest_1m', 2, 'lowest', 'double precision', 'x', 'x', 30, 900, 'close', 'x');
    set local role market_owner;
    select feature.make_logs();
    reset role;
"""
MINUTES = "range between interval '{} minutes' preceding and current row"
BARS = "rows between {} preceding and current row"


def compiled(scene: Scene, *statements: str) -> str:
    """What compile() says after these statements; nothing where it accepts them."""
    connection = scene.world.connection
    with connection.transaction(force_rollback=True):
        for statement in statements:
            connection.execute(statement.encode())
        try:
            with connection.transaction():
                connection.execute("call feature.compile()")
        except psycopg.errors.FeatureNotSupported as error:
            return str(error.diag.message_primary)
    return ""


@pytest.mark.parametrize(
    ("name", "bars", "minutes", "said"),
    [
        ("momentum_1m", 49, 0, ""),
        ("momentum_1m", 48, 0, "sma_50 of momentum_1m reads bars beyond the 48 bars and 0 minutes"),
        ("daily", 20, 0, ""),
        ("daily", 19, 0, "realised_volatility_20 of daily reads bars beyond the 19 bars and 0 min"),
        ("market_1m", 20, 360, ""),
        ("market_1m", 18, 360, ""),
        ("market_1m", 17, 360, "sma_20 of market_1m reads bars beyond the 17 bars and 360 minutes"),
        ("market_1m", 20, 340, ""),
        ("market_1m", 20, 339, "regime_tag of market_1m reads bars beyond the 20 bars and 339 min"),
    ],
)
def test_of_each_set(scene: Scene, name: str, bars: int, minutes: int, said: str) -> None:
    found = compiled(scene, SET_REACH.format(bars, minutes, name))
    assert found.startswith(said)
    assert (found == "") == (said == "")
    assert said == "" or "raise reach_bars or reach_minutes there, or make its frame" in found


@pytest.mark.parametrize(
    ("frame", "bars", "minutes", "is_refused"),
    [
        # a publish reads one bar more before minutes, for a first return
        (MINUTES.format(30), 0, 30, False),
        (MINUTES.format(30), 0, 29, True),
        (MINUTES.format(30), 30, 0, False),
        (MINUTES.format(30), 29, 0, True),
        (BARS.format(7), 7, 0, False),
        (BARS.format(7), 6, 0, True),
        # minutes hold no bars where they are far apart
        (BARS.format(7), 5, 500, True),
        ("", 50, 500, True),
    ],
)
def test_by_one_bar_or_minute(
    scene: Scene, frame: str, bars: int, minutes: int, is_refused: bool
) -> None:
    statements = LOWEST.format(frame=frame, bars=bars, minutes=minutes).split(";")[:-1]
    found = compiled(scene, *statements)
    assert found.startswith("lowest of lowest_1m reads bars beyond") == is_refused
    assert (found != "") == is_refused


def test_what_it_accepts_is_what_publishes_read(scene: Scene) -> None:
    """A bar that a window just reaches, corrected, restates it; the next one is left alone."""
    connection = scene.world.connection
    frame = MINUTES.format(30)
    with connection.transaction(force_rollback=True):
        for statement in LOWEST.format(frame=frame, bars=0, minutes=30).split(";")[:-1]:
            connection.execute(statement.encode())
        connection.execute("call feature.compile()")
        events = [
            Event("new", scene.tenant, SYMBOL, at, minute, Trade(100.0 + minute, 1.0, None), at)
            for minute in range(50)
            for at in [scene.at(minute, 30)]
        ]
        low = Trade(1.0, 1.0, None)
        known = scene.at(50, 1)
        scene.world.apply(
            [*events, replace(events[5], action="correction", values=low, known_at=known)]
        )
        for minute in (50, 51):
            scene.world.publish(scene.at(minute))
        found = connection.execute(
            "select bucket from feature.lowest_1m_log where tenant_id = %s and known_at = %s"
            " and lowest = 1 order by bucket",
            [scene.tenant, scene.at(51)],
        ).fetchall()
    assert found == [(scene.at(minute),) for minute in range(5, 36)]
