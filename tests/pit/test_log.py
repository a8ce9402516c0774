"""feature.log only ever grows, and every change of a tick queues its bar."""

from datetime import timedelta

import psycopg
import pytest

from tests.pit.conftest import SYMBOL, Scene
from tests.pit.oracle import MINUTE

INSERT = (
    "insert into feature.log (tenant_id, symbol, bucket, known_at, close, cause)"
    " values (%s, 'X', %s, %s, %s, %s)"
)


@pytest.mark.parametrize(
    "statement",
    [
        "update feature.log set close = 1 where tenant_id = %s",
        "delete from feature.log where tenant_id = %s",
    ],
)
@pytest.mark.parametrize("role", ["postgres", "market_owner"])
@pytest.mark.parametrize("columnar", [False, True])
def test_versions_cannot_be_changed(
    scene: Scene, statement: str, role: str, columnar: bool
) -> None:
    scene.trade(scene.at(0, 30), 100)
    scene.world.publish(scene.at(1))
    execute = scene.world.connection.execute
    if columnar:
        execute(
            "select compress_chunk(c, if_not_compressed => true)"
            " from show_chunks('feature.log') as c"
        )
    with scene.world.connection.transaction(force_rollback=True):
        if role == "market_owner":
            execute("set local role market_owner")
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="append-only"):
            execute(statement.encode(), [scene.tenant])
    assert scene.log("close") == [(100.0,)]


def test_the_log_cannot_be_emptied(scene: Scene) -> None:
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="TRUNCATE refused"):
        scene.world.connection.execute("truncate feature.log")


def test_retention_can_drop_old_chunks(scene: Scene) -> None:
    long_ago = scene.at(0) - timedelta(days=2000)
    execute = scene.world.connection.execute
    execute(INSERT.encode(), [scene.tenant, long_ago, long_ago + timedelta(minutes=1), 1, "close"])
    execute("select drop_chunks('feature.log', %s)", [long_ago + timedelta(days=100)])
    assert scene.log() == []


@pytest.mark.parametrize(
    ("seconds", "close", "cause"),
    [(59.999999, 1.0, "close"), (60, None, "close"), (60, 1.0, "whim")],
)
def test_what_cannot_be_a_version_is_refused(
    scene: Scene, seconds: float, close: float | None, cause: str
) -> None:
    known_at = scene.at(0) + timedelta(seconds=seconds)
    with pytest.raises(psycopg.errors.CheckViolation):
        scene.world.connection.execute(
            INSERT.encode(), [scene.tenant, scene.at(0), known_at, close, cause]
        )


def queue(scene: Scene) -> list[tuple[object, ...]]:
    return scene.world.connection.execute(
        "select bucket, cause, known_from, known_to from feature.changed_bar"
        " where tenant_id = %s order by 1, 2",
        [scene.tenant],
    ).fetchall()


def test_a_statement_queues_each_bar_it_changes_once(scene: Scene) -> None:
    scene.bars(2)
    scene.world.connection.execute("delete from feature.changed_bar")
    with (
        scene.world.connection.cursor() as cursor,
        cursor.copy(
            "copy market.trade (tenant_id, symbol, ts, seq, price, size, known_at) from stdin"
        ) as to,
    ):
        for second in (1, 2, 61):
            ts = scene.at(0, second)
            to.write_row((scene.tenant, SYMBOL, ts, second, 1.0, 1.0, ts + timedelta(seconds=5)))
    assert queue(scene) == [
        (scene.at(0), "late", scene.at(0, 6), scene.at(0, 7)),
        (scene.at(1), "late", scene.at(1, 6), scene.at(1, 6)),
    ]


def test_a_duplicate_queues_nothing_and_an_amendment_its_cause(scene: Scene) -> None:
    first, second = scene.bars(2)
    scene.world.connection.execute("delete from feature.changed_bar")
    scene.world.apply([first])
    assert queue(scene) == []
    scene.amend(second, "cancel", scene.at(9))
    assert queue(scene) == [(scene.at(1), "cancel", scene.at(1, 30), scene.at(9))]
    scene.amend(first, "correction", scene.at(9), price=50)
    assert {cause for _, cause, *_ in queue(scene)} == {"cancel", "correction", "late"}


def test_what_is_rolled_back_queues_nothing(scene: Scene) -> None:
    with scene.world.connection.transaction(force_rollback=True):
        scene.bars(3)
        assert len(queue(scene)) == 3
    assert queue(scene) == []


def test_a_tick_into_a_columnar_chunk_queues_its_bar(scene: Scene) -> None:
    scene.bars(3)
    scene.world.connection.execute("delete from feature.changed_bar")
    scene.world.connection.execute(
        "select compress_chunk(c, if_not_compressed => true) from show_chunks('market.trade') as c"
    )
    scene.trade(scene.at(1, 59), 1)
    assert [bucket for bucket, *_ in queue(scene)] == [scene.at(1)]


def test_every_queued_bar_is_gone_after_its_publish(scene: Scene) -> None:
    scene.bars(5)
    scene.world.publish(scene.at(4))
    assert [bucket for bucket, *_ in queue(scene)] == [scene.at(4)]
    scene.world.publish(scene.at(5))
    assert queue(scene) == []


def test_a_chunk_compressed_again_keeps_its_order(scene: Scene) -> None:
    """TimescaleDB before 2.27 reads such a chunk in a wrong order (its issue 9731)."""
    execute = scene.world.connection.execute

    def compress() -> None:
        execute(
            "select compress_chunk(c, if_not_compressed => true)"
            " from show_chunks('feature.log') as c"
        )

    scene.bars(30)
    scene.world.publish(scene.at(30))
    compress()
    for minute in (5, 29):
        scene.trade(scene.at(minute, 59), 200, scene.at(100))
    scene.world.publish(scene.at(100))
    compress()
    execute("vacuum analyze feature.log")
    # bar 5 moves bars whose last versions are in either batch
    scene.trade(scene.at(5, 58), 100, scene.at(101), size=3)
    scene.trade(scene.at(3, 59), 300, scene.at(101))
    scene.world.publish(scene.at(101))
    log = scene.log("bucket, known_at, close")
    assert len(log) > 40
    for minute in range(30):
        at = scene.at(minute)
        last = max((known, close) for bucket, known, close in log if bucket == at)
        row = scene.ask(at + MINUTE, scene.at(101))
        assert (row["bucket"], row["known_at"], row["close"]) == (at, *last)
