"""Labels come when they can be known; a label that fails stops no other."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from tests.conftest import Databases
from tests.model.conftest import Desk
from tests.pit.oracle import MINUTE

ONE = "select n, 1::float8, clock_timestamp() from generate_subscripts($1, 1) as n"


def labels(desk: Desk, columns: str = "as_of, value, known_at") -> list[tuple[Any, ...]]:
    return desk.run(
        f"select {columns} from model.label where tenant_id = %s order by version, as_of".encode(),
        [desk.tenant],
    ).fetchall()


def waits(desk: Desk) -> int:
    (row,) = desk.rows(
        "select count(*) as n from model.label_wait where tenant_id = %s", desk.tenant
    )
    return int(row["n"])


def last_run(desk: Desk) -> dict[str, Any]:
    (row,) = desk.rows("select * from model.label_run where tenant_id = %s", desk.tenant)
    return row


def make_due(desk: Desk) -> None:
    """As if what was put off had waited."""
    desk.run(
        "update model.label_wait set due_at = due_at - interval '2 hours' where tenant_id = %s",
        [desk.tenant],
    )


def test_a_label_is_noted_once_with_its_moment(desk: Desk) -> None:
    desk.register()
    for _ in range(2):
        desk.predict(desk.at(30))
    desk.predict(desk.at(31))
    desk.note_labels()
    found = labels(desk)
    assert found == [
        (desk.at(30), 1.0, desk.at(31)),
        (desk.at(31), 1.0, desk.at(32)),
    ]
    assert waits(desk) == 0
    desk.predict(desk.at(30))
    desk.note_labels()
    assert labels(desk) == found


def test_a_label_that_is_not_known_yet_comes_later(desk: Desk) -> None:
    """The last publish was before the label's moment, and then it was after it."""
    desk.register()
    at = desk.live + timedelta(minutes=1)
    desk.trade(at - timedelta(seconds=20), 100)
    desk.publish(1)
    desk.predict(at)
    desk.note_labels()
    assert (labels(desk), waits(desk)) == ([], 1)
    desk.trade(at + timedelta(seconds=20), 101)
    desk.publish(2)
    # not before it is due again
    desk.note_labels()
    assert labels(desk) == []
    make_due(desk)
    desk.note_labels()
    assert labels(desk) == [(at, 1.0, at + MINUTE)]


def test_what_is_put_off_is_asked_less_often(desk: Desk) -> None:
    desk.register(label="select 1, null::float8, null::timestamptz where false")
    desk.predict(desk.at(30))
    later = []
    for _ in range(9):
        before = desk.rows("select clock_timestamp() as t")[0]["t"]
        desk.note_labels()
        (row,) = desk.rows(
            "select due_at - %s as later from model.label_wait where tenant_id = %s",
            before,
            desk.tenant,
        )
        later.append(row["later"].total_seconds() / 60)
        make_due(desk)
    wanted = [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert later == pytest.approx(wanted, abs=0.1)


def test_it_is_given_up_after_thirty_days_and_asked_for_once_more(desk: Desk) -> None:
    desk.register(label="select 1, null::float8, null::timestamptz where false")
    desk.predict(desk.at(30))
    desk.note_labels()
    desk.run(
        "update model.label_wait set queued_at = queued_at - interval '29 days 23 hours'"
        " where tenant_id = %s",
        [desk.tenant],
    )
    desk.note_labels()
    assert waits(desk) == 1
    desk.run("update model.label_wait set queued_at = queued_at - interval '1 hour'")
    # it is not among the newest any more
    desk.run("update api.prediction set predicted_at = predicted_at - interval '30 days'")
    desk.note_labels()
    assert waits(desk) == 0
    desk.run("select model.queue_labels(now() - interval '31 days', now())")
    assert waits(desk) == 1


@pytest.mark.parametrize(
    ("label", "state", "said"),
    [
        ("select 1, 1 / 0, now()", "22012", "division by zero, of SYN_BTCUSD as of 2024"),
        ("select no_such", "42703", 'column "no_such" does not exist'),
        ("delete from model.label", "42601", "syntax error"),
        ("select model.queue_labels(), 1, now()", "25006", "cannot execute .* in a read-only"),
        (
            "select nextval(pg_get_serial_sequence('model.promotion', 'promotion_id')), 1, now()",
            "25006",
            "cannot execute nextval",
        ),
        ("select 2, 1, now()", "22000", "its answer is wrong: place is 2 of 1"),
        ("select 0, 1, now()", "22000", "its answer is wrong: place is 0 of 1"),
        ("select null, 1, now()", "22000", "its answer is wrong: place is"),
        ("select 1, 1, now() union all select 1, 0, now()", "22000", "place 1 comes twice"),
        ("select 1, 'NaN'::float8, now()", "22000", "value NaN is known at"),
        ("select 1, 1, null", "22000", "value 1 is known at"),
    ],
)
def test_a_label_that_fails_is_named_and_stops_no_other(
    desk: Desk, label: str, state: str, said: str
) -> None:
    desk.register(1, label=label)
    desk.register(2)
    desk.predict(desk.at(30))
    desk.predict(desk.at(30), version=2)
    desk.note_labels()
    assert labels(desk, "version") == [(2,)]
    (row,) = desk.rows(
        "select * from model.label_run where tenant_id = %s and version = 1", desk.tenant
    )
    assert (row["sqlstate"], row["failures"]) == (state, 1)
    assert row["ended_at"] >= row["began_at"]
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(row["message"])
    (alert,) = desk.rows("select * from model.alert where model = %s", desk.model)
    assert (alert["kind"], alert["version"]) == ("labels", 1)
    assert alert["message"].startswith(f"{desk.model}, version 1: labels of tenant {desk.tenant}")
    # what comes after it may write again
    make_due(desk)
    desk.note_labels()
    (row,) = desk.rows(
        "select * from model.label_run where tenant_id = %s and version = 1", desk.tenant
    )
    assert row["failures"] == 2


def test_one_question_that_fails_keeps_no_other_waiting(desk: Desk) -> None:
    """They are asked for in halves, down to the one that it fails on."""
    bad = desk.at(7).isoformat()
    desk.register(
        label=f"select p.place, 1 / (p.as_of <> '{bad}')::integer, p.as_of"
        " from unnest($1, $2) with ordinality as p (symbol, as_of, place)"
    )
    for minute in range(20):
        desk.predict(desk.at(minute), feature_hash=None)
    desk.note_labels()
    assert len(labels(desk)) == 19
    assert waits(desk) == 1
    assert last_run(desk)["message"].startswith("division by zero, of SYN_BTCUSD as of")
    # what comes meanwhile is not kept waiting by it
    desk.predict(desk.at(20), feature_hash=None)
    desk.note_labels()
    assert len(labels(desk)) == 20
    assert last_run(desk)["message"] is None


def test_a_label_that_is_known_later_is_not_noted_before(desk: Desk) -> None:
    desk.register(label="select 1, 1, now() + interval '1 day'")
    desk.predict(desk.at(30))
    desk.note_labels()
    assert (labels(desk), waits(desk)) == ([], 1)
    assert last_run(desk)["sqlstate"] is None


def test_the_shadow_has_labels_too(desk: Desk) -> None:
    desk.register(1)
    desk.register(2, label=ONE)
    desk.predict(desk.at(30), shadow_version=2, shadow_value=0.25)
    desk.note_labels()
    assert labels(desk, "version, value") == [(1, 1.0), (2, 1.0)]


def test_a_version_that_is_not_registered_has_none(desk: Desk) -> None:
    desk.register()
    desk.predict(desk.at(30), version=9)
    desk.predict(desk.at(30), model="no_such_model")
    desk.predict(desk.at(30), version=None)
    desk.note_labels()
    assert (labels(desk), waits(desk)) == ([], 0)


def test_features_of_a_dataset_are_asked_for_by_their_owner(desk: Desk, desk_world: Any) -> None:
    other = Desk(desk_world)
    desk.run(
        "insert into access.dataset values (%s, %s, 'a feed')", [f"d{desk.tenant}", desk.tenant]
    )
    desk.run(
        "call access.set_tenant(%s, p_datasets => array[%s])", [other.tenant, f"d{desk.tenant}"]
    )
    other.register(label="select 1, $3, now()")
    other.predict(desk.at(30), feature_hash=None)
    other.note_labels()
    assert labels(other, "value") == [(desk.tenant,)]


def test_a_run_that_was_ended_is_known_and_comes_last(databases: Databases, desk: Desk) -> None:
    """The scheduler ends the job after its longest time; so does a restart of the server."""
    if databases.kind == "embedded":
        pytest.skip("one backend: nothing ends a statement from outside")
    desk.register(1, label="select 1, 1, now() from pg_sleep(60)")
    desk.register(2)
    desk.predict(desk.at(30))
    desk.predict(desk.at(31), version=2)
    desk.world.kill("call model.note_labels()", [], after_ms=1500)
    assert last_run(desk)["ended_at"] is None
    with psycopg.connect(desk.world.url, autocommit=True) as other:
        other.execute("set statement_timeout = '1500ms'")
        make_due(desk)
        with pytest.raises(psycopg.errors.QueryCanceled):
            other.execute("call model.note_labels()")
    assert labels(desk, "version") == [(2,)]
    (row,) = desk.rows(
        "select * from model.label_run where tenant_id = %s and version = 1", desk.tenant
    )
    assert (row["sqlstate"], row["failures"]) == ("57014", 1)
    assert row["message"].startswith("it was begun at")


def test_the_scheduler_notes_labels_by_itself(desk: Desk) -> None:
    desk.register()
    desk.predict(desk.at(30))
    (job,) = desk.rows(
        "select job_id, schedule_interval, max_runtime from timescaledb_information.jobs"
        " where proc_name = 'note_labels_job'"
    )
    assert (job["schedule_interval"], job["max_runtime"]) == (MINUTE, 10 * MINUTE)
    desk.run("select alter_job(%s, scheduled => true, next_start => now())", [job["job_id"]])
    try:
        deadline = time.monotonic() + 90
        while not labels(desk):
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        desk.run("select alter_job(%s, scheduled => false)", [job["job_id"]])
    assert labels(desk) == [(desk.at(30), 1.0, desk.at(31))]
