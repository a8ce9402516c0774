"""Versions, and which of them serve: append-only, an event each, one answer at a time."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from engine.migrate import MIGRATIONS, migrate, rollback
from tests.conftest import Databases
from tests.model.conftest import Desk

PROMOTE = "select model.promote(%s, %s, %s, %s)"


def aliases(desk: Desk) -> dict[str, int]:
    found = desk.rows("select alias, version from model.alias where model = %s", desk.model)
    return {row["alias"]: row["version"] for row in found}


def share(desk: Desk) -> Any:
    (row,) = desk.rows("select canary_share from model.canary_share where model = %s", desk.model)
    return row["canary_share"]


def test_registered_again_as_it_is_nothing_happens(desk: Desk) -> None:
    desk.register()
    desk.register()
    desk.register(version=2)
    found = desk.rows(
        "select version, registered_by = session_user as by_it from model.version"
        " where model = %s order by 1",
        desk.model,
    )
    assert found == [{"version": 1, "by_it": True}, {"version": 2, "by_it": True}]
    assert aliases(desk) == {}


def test_another_card_is_refused(desk: Desk) -> None:
    card = desk.register()
    with pytest.raises(psycopg.errors.UniqueViolation, match=r"registered already.*another card"):
        desk.register(metrics={"auc": 0.5})
    with pytest.raises(psycopg.errors.UniqueViolation, match="another run or tenant"):
        desk.run(
            "select model.register(%s, 1, %s, 'another run', %s)",
            [desk.model, desk.tenant, Jsonb(card)],
        )


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ({"tenant_id": 0}, "tenant_id is not"),
        ({"tenant_id": None}, "tenant_id is not"),
        ({"columns": []}, "columns is not a list"),
        ({"columns": {}}, "columns is not a list"),
        ({"columns": [{"field": "close"}]}, "columns is not a list"),
        ({"columns": [{"feature_set": "market_1m", "field": 1}]}, "columns is not a list"),
        ({"label": {"horizon_s": 60}}, r"label\.sql is missing"),
        ({"label": {"sql": "", "horizon_s": 60}}, r"label\.sql is missing"),
        ({"label": {"sql": "select 1", "horizon_s": -1}}, r"label\.horizon_s is not"),
        ({"label": {"sql": "select 1", "horizon_s": "60"}}, r"label\.horizon_s is not"),
        ({"thresholds": {"psi": "much"}}, "thresholds are not all numbers"),
        ({"reference": {"score": []}}, "reference is not a list"),
        ({"reference": [{"column": "score", "bins": 3, "shares": []}]}, "reference is not a list"),
        (
            {"reference": [{"column": "score", "bins": [0.5], "shares": [0.5, 0.5]}]},
            "reference of score has 2 bins of edges that grow and 2 shares",
        ),
    ],
)
def test_a_card_that_cannot_be_read_is_refused(desk: Desk, card: dict[str, Any], said: str) -> None:
    sound = desk.register(2)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=said):
        desk.register_card(1, {**sound, **card})
    found = desk.rows("select version from model.version where model = %s", desk.model)
    assert found == [{"version": 2}]


def test_the_last_promotion_of_an_alias_holds(desk: Desk) -> None:
    desk.register(1)
    desk.register(2)
    desk.run(PROMOTE, [desk.model, "champion", 1, "the first"])
    desk.run(PROMOTE, [desk.model, "canary", 2, "better"])
    assert aliases(desk) == {"champion": 1, "canary": 2}
    desk.run(PROMOTE, [desk.model, "champion", 2, "it was better"])
    desk.run(PROMOTE, [desk.model, "canary", None, "it is the champion"])
    assert aliases(desk) == {"champion": 2}
    kept = desk.rows("select alias from model.promotion where model = %s", desk.model)
    assert len(kept) == 4


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("champion", 3, "why"), psycopg.errors.UndefinedObject),
        (("best", 1, "why"), psycopg.errors.CheckViolation),
        (("champion", 1, ""), psycopg.errors.CheckViolation),
        (("champion", 1, None), psycopg.errors.NotNullViolation),
    ],
)
def test_a_promotion_that_says_too_little_is_refused(
    desk: Desk, arguments: tuple[Any, ...], error: type[Exception]
) -> None:
    desk.register()
    with pytest.raises(error):
        desk.run(PROMOTE, [desk.model, *arguments])
    with pytest.raises(psycopg.errors.UndefinedObject, match="there is no model no_such"):
        desk.run(PROMOTE, ["no_such", *arguments])
    assert aliases(desk) == {}


def test_the_share_of_a_canary_is_what_was_set_last(desk: Desk) -> None:
    desk.register()
    assert share(desk) == 0
    for one in (0.25, 1, 0):
        desk.run("select model.set_canary_share(%s, %s)", [desk.model, one])
        assert share(desk) == one
    for wrong in (-0.1, 1.1, float("nan"), None):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="the share of a canary is"):
            desk.run("select model.set_canary_share(%s, %s)", [desk.model, wrong])
    with pytest.raises(psycopg.errors.UndefinedObject):
        desk.run("select model.set_canary_share('no_such', 1)")


def test_who_serves_is_an_event_of_the_audit(desk: Desk) -> None:
    (last,) = desk.rows("select max(seq) as seq from audit.event")
    desk.register()
    desk.run(PROMOTE, [desk.model, "champion", 1, "the first"])
    desk.run("select model.set_canary_share(%s, 0.5)", [desk.model])
    found = desk.rows(
        "select object, detail -> 'new' as new from audit.event"
        " where kind = 'model' and seq > %s order by seq",
        last["seq"],
    )
    assert [one["object"] for one in found] == ["model.version", "model.promotion", "model.rollout"]
    assert found[1]["new"]["reason"] == "the first"
    assert desk.rows("select * from audit.verify()") == []


@pytest.mark.parametrize("table", ["version", "promotion", "rollout"])
@pytest.mark.parametrize(
    "change", ["update {} set model = 'x'", "delete from {}", "truncate {} cascade"]
)
def test_nobody_changes_what_served(desk: Desk, table: str, change: str) -> None:
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="is append-only"):
        desk.run(change.format(f"model.{table}").encode())


def test_the_router_withdraws_the_canary_and_nothing_else(desk: Desk) -> None:
    desk.register(1)
    desk.register(2)
    desk.run(PROMOTE, [desk.model, "champion", 1, "the first"])
    desk.run(PROMOTE, [desk.model, "canary", 2, "better"])
    withdraw = "select model.withdraw_canary(%s, %s, 'errors', '{}') as done"
    with desk.world.connection.transaction():
        desk.run("set local role market_pool")
        assert desk.rows(
            "select card ->> 'name' as name from model.version where model = %s and version = 1",
            desk.model,
        ) == [{"name": desk.model}]
        assert aliases(desk) == {"champion": 1, "canary": 2}
        assert share(desk) == 0
        # of two routers one is the first; a later canary is not meant
        done = [desk.rows(withdraw, desk.model, version)[0]["done"] for version in (1, 2, 2)]
    assert done == [False, True, False]
    assert aliases(desk) == {"champion": 1}


def test_of_two_at_once_one_is_the_last(databases: Databases, desk: Desk) -> None:
    """The number of a promotion is drawn before it commits: the last one has to be the greatest."""
    if databases.kind == "embedded":
        pytest.skip("one backend: nothing runs at once")
    desk.register(1)
    desk.register(2)

    def promote() -> None:
        with psycopg.connect(desk.world.url, autocommit=True) as connection:
            connection.execute(PROMOTE, [desk.model, "champion", 2, "the second"])

    with psycopg.connect(desk.world.url) as first:
        first.execute(PROMOTE, [desk.model, "champion", 1, "the first"])
        second = threading.Thread(target=promote)
        second.start()
        second.join(0.5)
        assert second.is_alive()
        first.commit()
        second.join()
    assert aliases(desk) == {"champion": 2}


def test_a_tenant_that_goes_takes_its_predictions_along(desk: Desk) -> None:
    desk.register()
    desk.predict(desk.at(30))
    desk.note_labels()
    desk.run("call access.remove_tenant(%s)", [desk.tenant])
    for table in ("api.prediction", "model.label", "model.label_wait", "model.label_run"):
        assert desk.rows(f"select 1 from {table} where tenant_id = %s", desk.tenant) == [], table


def test_what_was_predicted_before_stays(empty_database: str) -> None:
    """A database of before has predictions without an id, and none is lost by the way back."""
    steps = sum(one.name >= "0060" for one in MIGRATIONS.glob("*.rollback.sql"))
    migrate(empty_database)
    rollback(empty_database, steps=steps)
    rows = (
        "insert into api.prediction (tenant_id, model, symbol, as_of, predicted_at, value,"
        " feature_hash) values (7, 'm v1', 'X', '2024-01-01Z', '2024-01-02Z', 1, 'h'),"
        " (7, 'm v1', 'X', '2024-01-01Z', '2024-01-03Z', 2, null)"
    )
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("insert into api.tenant (tenant_id, name) values (7, 'seven')")
        connection.execute(rows)
        before = connection.execute("select * from api.prediction order by value").fetchall()
    migrate(empty_database)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        found = connection.execute(
            "select tenant_id, model, symbol, as_of, predicted_at, value, feature_hash"
            " from api.prediction where version is null and logged_by is null order by value"
        ).fetchall()
        assert found == before
        ids = connection.execute("select distinct prediction_id from api.prediction").fetchall()
        assert len(ids) == 2
        # the same question at the same instant: one of them fits the key of before
        connection.execute(
            "insert into api.prediction (tenant_id, model, symbol, as_of, predicted_at, value)"
            " values (7, 'm v1', 'X', '2024-01-01Z', '2024-01-03Z', 3)"
        )
    rollback(empty_database, steps=steps)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        left = connection.execute("select value from api.prediction order by value").fetchall()
    assert left in ([(1.0,), (2.0,)], [(1.0,), (3.0,)])
