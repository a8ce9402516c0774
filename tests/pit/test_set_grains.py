"""Sets of five and fifteen minutes and of an hour, made by lines and two views alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from tests.pit.conftest import Scene

NAME = "thick"
VIEWS = """
    create view intermediate.int_thick__own as
    select
        tenant_id, symbol, bar as bucket, sum(volume order by bucket) as volume,
        (array_agg(close order by bucket desc))[1] as close
    from staging.stg_market_1m__{word}
    group by tenant_id, symbol, bar;
    create view intermediate.int_thick__prior as
    select
        tenant_id, symbol, bucket,
        lag(close) over (partition by tenant_id, symbol order by bucket) as prior_close
    from intermediate.int_thick__own;
    create view feature.thick as
    select b.tenant_id, b.symbol, b.bucket, b.volume, b.close, w.prior_close
    from intermediate.int_thick__own as b
    left join intermediate.int_thick__prior as w
        on b.tenant_id = w.tenant_id and b.symbol = w.symbol and b.bucket = w.bucket;
    grant select on intermediate.int_thick__own, intermediate.int_thick__prior, feature.thick
    to market_reader
"""
LINES = """
    insert into market.feature_set
    values ('thick', '{grain}', 'thick', 'int_thick__own', 'market_1m', 1, 0, 'a test''s');
    insert into market.contract (
        feature_set, ordinal, field, data_type, unit, formula, available_after_s,
        max_staleness_s, inputs, feature_view
    )
    select 'thick', v.ordinal, v.field, 'double precision', 'price', 'x', 60, 90000, v.inputs, 'x'
    from (values (1, 'volume', null), (2, 'close', null), (3, 'prior_close', 'close'))
        as v (ordinal, field, inputs);
    set local role market_owner;
    select feature.make_logs();
    reset role;
    call feature.compile()
"""
GONE = """
    delete from market.contract where feature_set = 'thick';
    delete from market.feature_set where feature_set = 'thick';
    call feature.compile();
    set local role market_owner;
    select feature.make_logs();
    reset role;
    drop view feature.thick, intermediate.int_thick__prior, intermediate.int_thick__own;
    drop table feature.thick_log;
    delete from feature.birth where feature_set = 'thick';
    delete from feature.waiting_bar where feature_set = 'thick'
"""
GRAINS = [("5 minutes", "5m", 5), ("15 minutes", "15m", 15), ("1 hour", "1h", 60)]


@contextmanager
def made(scene: Scene, grain: str, word: str) -> Iterator[None]:
    """Until the end there is such a set."""
    connection = scene.world.connection
    with connection.transaction():
        for statements in (VIEWS.format(word=word), LINES.format(grain=grain)):
            connection.execute(statements.encode())
    try:
        yield
    finally:
        with connection.transaction():
            connection.execute(GONE.encode())


def versions(scene: Scene) -> list[tuple[object, ...]]:
    return scene.world.connection.execute(
        "select bucket, known_at, closes_at, cause, volume, close, prior_close"
        " from feature.thick_log where tenant_id = %s order by bucket, known_at",
        [scene.tenant],
    ).fetchall()


@pytest.mark.parametrize(("grain", "word", "minutes"), GRAINS)
def test_a_bar_is_of_its_minutes_and_comes_with_the_publish_after_its_close(
    scene: Scene, grain: str, word: str, minutes: int
) -> None:
    with made(scene, grain, word):
        bars = scene.bars(2 * minutes)
        last = 100 + (minutes - 1) / 4
        scene.world.publish(scene.at(minutes) - timedelta(microseconds=1))
        assert versions(scene) == []
        # with no tick since
        scene.world.publish(scene.at(minutes))
        first = (scene.at(0), scene.at(minutes), scene.at(minutes), "close", minutes, last)
        assert versions(scene) == [(*first, None)]
        scene.world.publish(scene.at(2 * minutes, 7))
        later = 100 + (2 * minutes - 1) / 4
        second = (scene.at(minutes), scene.at(2 * minutes, 7), scene.at(2 * minutes))
        assert versions(scene)[1:] == [(*second, "close", minutes, later, last)]
        # a correction of the first bar's last minute reaches the window of the second
        scene.amend(bars[minutes - 1], "correction", scene.at(2 * minutes, 8), price=7.0)
        scene.world.publish(scene.at(2 * minutes, 9))
        found = versions(scene)
        assert [row[3] for row in found] == ["close", "correction", "close", "correction"]
        assert found[1][5] == 7.0
        assert found[3][4:] == (minutes, later, 7.0)
