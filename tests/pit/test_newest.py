"""The newest bar's windows are computed alone, and are what all bars' windows give."""

from datetime import timedelta
from typing import LiteralString

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pit.conftest import Scene

FASTER = """
    select f.feature_set
    from feature.published_set() as f
    where to_regproc('feature.' || feature.name_of(f.feature_set, 'newest_value')) is not null
    order by 1
"""
# what windows of any set read of market_1m, so that the log itself is not read
INDEXED = """
    select array_agg(a.attname::text order by a.attname::text), c.reloptions
    from pg_class as c
    cross join pg_attribute as a
    where c.oid = 'feature.log'::regclass and a.attrelid = 'feature.log_inputs'::regclass
    group by c.reloptions
"""
FRAMES = st.one_of(
    st.integers(0, 12).map(lambda n: f"rows between {n} preceding and current row"),
    st.integers(0, 20).map(
        lambda n: f"range between interval '{n} minutes' preceding and current row"
    ),
)
CALLS = st.sampled_from(
    [
        "count(*) over {w}",
        "count(value) over {w}",
        "avg(value) over {w}",
        "sum(value * value) over {w} / nullif(count(value) over {w}, 0)",
        "sum(value) filter (where value > (100 + 1)) over {w}",
        "first_value(value) over {w} - value",
        "extract(epoch from bucket - first_value(bucket) over {w})",
        "max(greatest(value, least(100, abs(value)))) over {w}",
        "string_agg(value::text, ', ') over {w}",
    ]
)
# minutes to the next bar, and its value
BARS = st.lists(
    st.tuples(
        st.integers(1, 9),
        st.none() | st.floats(90, 110) | st.sampled_from([-0.0, float("nan"), float("inf")]),
    ),
    min_size=1,
    max_size=25,
)


def test_each_shipped_set_has_the_faster_way(scene: Scene) -> None:
    found = scene.world.connection.execute(FASTER.encode()).fetchall()
    assert found == [("daily",), ("market_1m",), ("momentum_1m",)]


def test_what_windows_read_is_in_an_index_that_a_vacuum_keeps_whole(scene: Scene) -> None:
    found = scene.world.connection.execute(INDEXED.encode()).fetchone()
    assert found is not None
    columns, options = found
    assert columns == ["bucket", "close", "known_at", "symbol", "tenant_id", "volume"]
    assert "autovacuum_vacuum_insert_scale_factor=0" in options


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    bars=BARS,
    windows=st.lists(st.tuples(FRAMES, CALLS), min_size=1, max_size=4),
    is_followed=st.booleans(),
)
def test_a_frame_added_up_alone_is_the_same_to_the_bit(
    scene: Scene, bars: list[tuple[int, float | None]], windows: list[tuple[str, str]],
    is_followed: bool,
) -> None:  # fmt: skip
    execute = scene.world.connection.execute
    buckets, at = [], scene.at(0)
    for step, _ in bars:
        at += timedelta(minutes=step)
        buckets.append(at)
    items = ", ".join(f"{call.format(w=f'w{no}')} as c{no}" for no, (_, call) in enumerate(windows))
    frames = ", ".join(
        f"w{no} as (partition by tenant_id, symbol order by bucket {frame})"
        for no, (frame, _) in enumerate(windows)
    )
    end = ", step as (select *, bucket is null as x from windowed) select * from step"
    with scene.world.connection.transaction(force_rollback=True):
        execute(
            "create temp table trial as select 1 as tenant_id, 'A'::text as symbol, t.*"
            " from unnest(%s::timestamptz[], %s::float8[]) as t (bucket, value)",
            [buckets, [value for _, value in bars]],
        )
        execute(
            f"create temp view framed as with bar as (select * from trial), windowed as"
            f" (select tenant_id, symbol, bucket, {items} from bar window {frames})"
            f" {end if is_followed else 'select * from windowed'}".encode()
        )
        row = execute(
            "select feature.collapse_frames(pg_get_viewdef('framed'::regclass), %s)",
            [f"'{buckets[-1].isoformat()}'::timestamptz"],
        ).fetchone()
        assert row is not None
        assert row[0] is not None
        alone = execute(f"select f::text from ({row[0].rstrip('; ')}) as f".encode()).fetchall()
        together = execute(
            "select f::text from framed as f order by f.bucket desc limit 1"
        ).fetchall()
        assert alone == together


@pytest.mark.parametrize(
    "query",
    [
        "select tenant_id, symbol, bucket, lag(value) over w as c from trial window w as"
        " (partition by tenant_id, symbol order by bucket)",
        "select tenant_id, symbol, bucket, sum(value) over (partition by tenant_id, symbol order by"
        " bucket rows between 3 preceding and current row) as c from trial",
        "select tenant_id, symbol, bucket, sum(value) over w as c from trial window w as"
        " (partition by tenant_id, symbol, value order by bucket rows between 3 preceding and"
        " current row)",
        "select tenant_id, symbol, bucket, sum(value) over w as c from trial window w as"
        " (partition by tenant_id, symbol order by bucket desc rows between 3 preceding and"
        " current row)",
        "select tenant_id, symbol, bucket, sum(value) over w as c from trial window w as"
        " (partition by tenant_id, symbol order by bucket rows between 3 preceding and 1"
        " following)",
        "select tenant_id, symbol, bucket, nth_value(value, 2) over w as c from trial window w as"
        " (partition by tenant_id, symbol order by bucket rows between 3 preceding and"
        " current row)",
        "select tenant_id, symbol, bucket, sum(value) over w as c from trial where value > 0"
        " window w as (partition by tenant_id, symbol order by bucket rows between 3 preceding"
        " and current row)",
        "select * from trial",
    ],
)
def test_other_windows_stay_as_they_are(scene: Scene, query: LiteralString) -> None:
    execute = scene.world.connection.execute
    with scene.world.connection.transaction(force_rollback=True):
        execute(
            "create temp table trial (tenant_id integer, symbol text, bucket timestamptz,"
            " value float8)"
        )
        execute(f"create temp view framed as {query}".encode())
        row = execute(
            "select feature.collapse_frames(pg_get_viewdef('framed'::regclass), 'now()')"
        ).fetchone()
        assert row == (None,)


def test_a_way_that_is_not_the_same_is_not_taken(scene: Scene) -> None:
    """Frames that begin a bar too late; publishes do without it."""
    connection = scene.world.connection
    said: list[str | None] = []
    connection.add_notice_handler(lambda notice: said.append(notice.message_primary))
    with connection.transaction(force_rollback=True):
        row = connection.execute(
            "select pg_get_functiondef('feature.collapse_frames'::regproc)"
        ).fetchone()
        assert row is not None
        wrong = row[0].replace(".bucket >= ", ".bucket > ")
        assert wrong != row[0]
        connection.execute(wrong.encode())
        connection.execute("call feature.compile()")
        assert connection.execute(FASTER.encode()).fetchall() == []
        assert [text for text in said if text and "it gives other values" in text]
        scene.bars(3)
        scene.world.publish(scene.at(3))
        assert len(scene.log()) == 3
