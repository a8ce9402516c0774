"""Live metrics and drift are what scikit-learn and numpy say they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb
from sklearn import metrics

from tests.model.conftest import COLUMNS, MARKET, Desk
from tests.pit.conftest import SYMBOL
from tests.pit.oracle import MINUTE
from training.bundle import Column

# scores that tie, and any other
SCORES = st.one_of(
    st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0, -0.0]), st.floats(0, 1, width=64)
)
PAIRS = st.lists(st.tuples(SCORES, st.booleans()), min_size=1, max_size=40)


def answer(desk: Desk, scored: Sequence[tuple[datetime, float, float | None]], **row: Any) -> None:
    """Predictions of the model's version 1 with a label, or None."""
    for as_of, score, label in scored:
        desk.predict(as_of, score, feature_hash=None, **row)
        if label is not None:
            desk.run(
                "insert into model.label"
                " (model, version, tenant_id, symbol, as_of, value, known_at)"
                " values (%s, %s, %s, %s, %s, %s, now())"
                " on conflict (model, version, tenant_id, symbol, as_of) do nothing",
                [
                    *(desk.model, row.get("version", 1), desk.tenant),
                    *(row.get("symbol", SYMBOL), as_of, label),
                ],
            )


def live(desk: Desk) -> list[dict[str, Any]]:
    return desk.rows(
        "select * from model.live_metric where model = %s order by session_day, version, alias",
        desk.model,
    )


def calibration_error(scores: Sequence[float], labels: Sequence[float]) -> float:
    tenths = np.minimum(np.floor(np.array(scores) * 10), 9)
    found = 0.0
    for tenth in set(tenths):
        of = tenths == tenth
        found += abs(np.mean(np.array(scores)[of]) - np.mean(np.array(labels)[of])) * np.mean(of)
    return found


@settings(max_examples=30)
@given(pairs=PAIRS)
def test_metrics_are_those_of_scikit_learn(
    shared_desk: Desk, pairs: list[tuple[float, bool]]
) -> None:
    desk = shared_desk
    desk.anew()
    desk.register()
    with desk.world.connection.transaction():
        answer(
            desk,
            [(desk.at(n), score, float(label)) for n, (score, label) in enumerate(pairs)],
        )
    (row,) = live(desk)
    scores = [score for score, _ in pairs]
    labels = [float(label) for _, label in pairs]
    clipped = np.clip(scores, 1e-12, 1 - 1e-12)
    assert (row["predictions"], row["questions"], row["labelled"]) == (len(pairs),) * 3
    wanted = {
        "log_loss": metrics.log_loss(labels, clipped, labels=[0, 1]),
        "brier": metrics.brier_score_loss(labels, scores, pos_label=1),
        "hit_rate": np.mean((np.array(scores) > 0.5) == (np.array(labels) > 0.5)),
        "calibration_error": calibration_error(scores, labels),
        "mean_score": np.mean(scores),
        "mean_label": np.mean(labels),
    }
    assert {name: row[name] for name in wanted} == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    if len(set(labels)) == 1:
        assert row["auc"] is None
    else:
        assert row["auc"] == pytest.approx(metrics.roc_auc_score(labels, scores), rel=1e-12)


def test_a_question_counts_once_however_often_it_is_asked(desk: Desk) -> None:
    desk.register()
    answer(desk, [(desk.at(1), 0.9, 1.0)] * 5 + [(desk.at(2), 0.4, 0.0), (desk.at(3), 0.4, None)])
    (row,) = live(desk)
    assert (row["predictions"], row["questions"], row["labelled"]) == (7, 3, 2)
    assert row["brier"] == pytest.approx((0.01 + 0.16) / 2)


def test_a_late_label_changes_the_metric_of_its_day(desk: Desk) -> None:
    desk.register()
    answer(desk, [(desk.at(1), 0.9, 1.0), (desk.at(2), 0.6, None)])
    assert live(desk)[0]["hit_rate"] == 1
    answer(desk, [(desk.at(2), 0.6, 0.0)])
    (row,) = live(desk)
    assert (row["labelled"], row["hit_rate"], row["auc"]) == (2, 0.5, 1)


@pytest.mark.parametrize(
    ("pairs", "missing", "there"),
    [
        ([], {"log_loss", "brier", "auc", "hit_rate", "calibration_error"}, {}),
        ([(0.5, 1.0)], {"auc"}, {"hit_rate": 0, "log_loss": math.log(2)}),
        ([(math.nan, 1.0), (0.8, 0.0)], {"auc"}, {"labelled": 1, "hit_rate": 0}),
        # of no probability
        ([(2.5, 3.5), (-1.0, 0.0)], {"auc", "log_loss", "hit_rate"}, {"brier": 1}),
        # of a score that is none: ranks are still ranks
        ([(7.0, 1.0), (-3.0, 0.0)], {"log_loss", "hit_rate"}, {"auc": 1}),
        ([(0.0, 1.0)], {"auc"}, {"log_loss": -math.log(1e-12)}),
    ],
)
def test_what_cannot_be_said_is_null(
    desk: Desk,
    pairs: list[tuple[float, float]],
    missing: set[str],
    there: dict[str, float],
) -> None:
    desk.register()
    answer(desk, [(desk.at(n), *pair) for n, pair in enumerate(pairs)] or [(desk.at(1), 0.5, None)])
    (row,) = live(desk)
    assert {name for name in missing if row[name] is not None} == set()
    assert {name: row[name] for name in there} == pytest.approx(there)


def test_versions_aliases_and_tenants_own_rows_are_told_apart(desk: Desk) -> None:
    desk.register(1)
    desk.register(2)
    answer(desk, [(desk.at(1), 0.9, 1.0)])
    answer(desk, [(desk.at(1), 0.2, 1.0)], version=2, alias="canary")
    answer(desk, [(desk.at(2), 0.9, 1.0)], shadow_version=2, shadow_value=0.4)
    # what a tenant's own login wrote, what is of no version
    login = f"own_{desk.tenant}"
    desk.run("insert into access.login values (%s, %s)", [login, desk.tenant])
    answer(desk, [(desk.at(3), 0.1, 1.0)], logged_by=login)
    answer(desk, [(desk.at(4), 0.1, None)], version=None)
    found = {(row["version"], row["alias"]): row["mean_score"] for row in live(desk)}
    assert found == {(1, "champion"): 0.9, (2, "canary"): 0.2, (2, "shadow"): None}
    desk.run("delete from access.login where login = %s", [login])


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


@pytest.mark.parametrize(
    ("symbol", "as_of", "day"),
    [
        # CME: the session of Monday opens on Sunday at 17:00 in Chicago, and is dated by that day
        ("SYN_ES", "2024-03-03 22:59:59", date(2024, 2, 29)),
        ("SYN_ES", "2024-03-03 23:00:00", date(2024, 3, 3)),
        ("SYN_ES", "2024-03-04 21:59:59", date(2024, 3, 3)),
        # between close and next opening: of the one that has ended
        ("SYN_ES", "2024-03-04 22:30:00", date(2024, 3, 3)),
        ("SYN_ES", "2024-03-04 23:00:00", date(2024, 3, 4)),
        # New York, on either side of the change of clocks
        ("SYN_AAPL", "2024-03-08 14:30:00", date(2024, 3, 8)),
        ("SYN_AAPL", "2024-03-11 13:29:59", date(2024, 3, 8)),
        ("SYN_AAPL", "2024-03-11 13:30:00", date(2024, 3, 11)),
        ("SYN_BTCUSD", "2024-03-09 23:59:59", date(2024, 3, 9)),
        ("SYN_BTCUSD", "2024-03-10 00:00:00", date(2024, 3, 10)),
        ("NO_SUCH", "2024-03-10 00:00:00", None),
    ],
)
def test_a_day_is_the_session_of_the_instruments_calendar(
    desk: Desk, symbol: str, as_of: str, day: date | None
) -> None:
    desk.register()
    # another of long before and after, so that the extent is wide
    answer(desk, [(at("2023-06-01"), 0.5, None), (at("2024-09-01"), 0.5, None)])
    answer(desk, [(at(as_of), 0.75, None)], symbol=symbol)
    (row,) = desk.rows(
        "select session_day from model.questions('-infinity', 'infinity', %s) where value = 0.75",
        desk.model,
    )
    assert row["session_day"] == day


def psi(now: Sequence[float], then: Sequence[float], edges: Sequence[float]) -> float:
    """Of values now against shares then, the last being of NaN."""
    values = np.array(now)
    there = values[~np.isnan(values)]
    counts = np.bincount(np.searchsorted(edges, there, side="right"), minlength=len(edges) + 1)
    shares = np.append(counts, np.count_nonzero(np.isnan(values))) / len(values)
    is_now, was = np.maximum(shares, 1e-4), np.maximum(then, 1e-4)
    return float(np.sum((is_now - was) * np.log(is_now / was)))


@settings(max_examples=25)
@given(
    values=st.lists(
        st.one_of(st.floats(-2, 2), st.sampled_from([-1.0, 0.0, -0.0, 1.0, math.nan, math.inf])),
        min_size=1,
        max_size=30,
    ),
    edges=st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), unique=True, max_size=5),
    weights=st.lists(st.integers(0, 5), min_size=7, max_size=7),
)
def test_drift_is_the_population_stability_index(
    shared_desk: Desk, values: list[float], edges: list[float], weights: list[int]
) -> None:
    desk = shared_desk
    desk.anew()
    edges = sorted(edges)
    counts = np.array(weights[: len(edges) + 2]) + np.array([1] + [0] * (len(edges) + 1))
    then = list(counts / counts.sum())
    desk.register(reference=[{"column": "score", "bins": edges, "shares": then}])
    with desk.world.connection.transaction():
        answer(desk, [(desk.at(n), value, None) for n, value in enumerate(values)])
    found = desk.rows("select * from model.drifted('-infinity', 'infinity', %s)", desk.model)
    assert [(row["column_name"], row["questions"]) for row in found] == [("score", len(values))]
    assert found[0]["psi"] == pytest.approx(psi(values, then, edges), rel=1e-9, abs=1e-12)


def test_columns_drift_by_what_was_given_to_the_model(desk: Desk) -> None:
    """Also of a tenant whose features were rebuilt since, and of NULL."""
    desk.register(
        reference=[
            {"column": f"{MARKET}.close", "bins": [101, 105], "shares": [0.25, 0.25, 0.5, 0]},
            {"column": f"{MARKET}.regime_tag", "bins": [0.5], "shares": [0.5, 0.5, 0]},
            {"column": "momentum_1m.rsi_14", "bins": [], "shares": [0.5, 0.5]},
        ]
    )
    minutes = range(2, 40)
    known = desk.rows(
        "select m.close, m.regime_tag, o.rsi_14"
        " from unnest(%s::timestamptz[]) as t (as_of)"
        " cross join lateral feature_pit_snapshot(array[%s], array[t.as_of], null, %s) as m"
        " cross join lateral momentum_1m_pit_snapshot(array[%s], array[t.as_of], null, %s) as o",
        [desk.at(minute) for minute in minutes],
        *(SYMBOL, desk.tenant) * 2,
    )
    closes = [row["close"] for row in known]
    answer(desk, [(desk.at(minute), 0.5, None) for minute in minutes])
    found = {
        row["column_name"]: row
        for row in desk.rows("select * from model.drifted('-infinity', 'infinity', %s)", desk.model)
    }
    assert {row["questions"] for row in found.values()} == {len(minutes)}
    assert found[f"{MARKET}.close"]["psi"] == pytest.approx(
        psi(closes, [0.25, 0.25, 0.5, 0], [101, 105])
    )
    rsi = [Column("o", "rsi_14").number(row["rsi_14"]) for row in known]
    tags = [COLUMNS[1].number(row["regime_tag"]) for row in known]
    for values in (rsi, tags):
        assert {math.isnan(value) for value in values} == {True, False}
    assert found[f"{MARKET}.regime_tag"]["psi"] == pytest.approx(psi(tags, [0.5, 0.5, 0], [0.5]))
    assert found["momentum_1m.rsi_14"]["psi"] == pytest.approx(psi(rsi, [0.5, 0.5], []))


def test_a_column_that_is_gone_keeps_no_other_from_being_measured(desk: Desk) -> None:
    reference = [
        {"column": "score", "bins": [0.5], "shares": [1, 0, 0]},
        {"column": f"{MARKET}.gone", "bins": [0.5], "shares": [1, 0, 0]},
    ]
    desk.register(columns=[Column(MARKET, "gone")], reference=reference)
    answer(desk, [(desk.at(30), 0.75, None)], columns=COLUMNS)
    found = desk.rows(
        "select column_name from model.drifted('-infinity', 'infinity', %s)", desk.model
    )
    assert found == [{"column_name": "score"}]


def served(desk: Desk, number: int = 10, **row: Any) -> None:
    """Answers of today, as alerts look at them."""
    now = desk.rows("select date_trunc('minute', now()) as t")[0]["t"]
    inputs = Jsonb({MARKET: {"as_of": now.isoformat(), "generation": 1}})
    answer(
        desk,
        [(now - n * MINUTE, 0.25 + 0.5 * (n % 2), float(n % 2 == 0)) for n in range(number)],
        **{"inputs": inputs, **row},
    )


THRESHOLDS = {
    "psi": 0.25,
    "auc_drop": 0.1,
    "max_error_rate": 0.01,
    "max_latency_ms": 50.0,
    "max_disagreement": 0.25,
    "min_requests": 5,
}


def alerts(desk: Desk) -> dict[str, str]:
    found = desk.rows("select distinct kind, message from model.alert where model = %s", desk.model)
    return {row["kind"]: row["message"] for row in found}


@pytest.mark.parametrize(
    ("kind", "card", "row", "said"),
    [
        (
            "performance",
            {"metrics": {"auc": 0.6}},
            {},
            "worse than in training: AUC 0.000, 0.600",
        ),
        ("latency", {}, {"latency_ms": 51.0}, "one of a hundred answers takes 51.0 ms"),
        ("errors", {}, {"route": "fallback"}, "100.00 % of its answers stand in for a canary"),
        (
            "drift",
            {"reference": [{"column": "score", "bins": [0.1], "shares": [1, 0, 0]}]},
            {},
            "score has drifted: PSI 18.419",
        ),
        (
            "disagreement",
            {},
            {"shadow_version": 1, "shadow_value": 1.0},
            "as shadow it is 0.500 from what is answered",
        ),
    ],
)
def test_what_exceeds_its_threshold_alerts(
    desk: Desk, kind: str, card: dict[str, Any], row: dict[str, Any], said: str
) -> None:
    desk.register(thresholds=THRESHOLDS, **card)
    # too few of them
    served(desk, 4, **row)
    desk.run("select model.promote(%s, 'champion', 1, 'the first')", [desk.model])
    assert alerts(desk) == {}
    served(desk, 10, **row)
    assert list(alerts(desk)) == [kind]
    assert said in alerts(desk)[kind]
    # it serves no more
    desk.run("select model.promote(%s, 'champion', null, 'it is bad')", [desk.model])
    assert alerts(desk) == {}


def test_without_thresholds_nothing_alerts(desk: Desk) -> None:
    desk.register(metrics={"auc": 0.9})
    served(desk, 10, latency_ms=1000.0, route="fallback")
    desk.run("select model.promote(%s, 'champion', 1, 'the first')", [desk.model])
    assert alerts(desk) == {}


@pytest.mark.parametrize(
    ("other", "age", "cause", "detail"),
    [
        ({}, timedelta(0), "model", "both were given the same"),
        (
            {"columns": COLUMNS[:2]},
            timedelta(0),
            "features",
            "only one of them reads market_1m.vwap, momentum_1m.rsi_14",
        ),
        (
            {"columns": [*COLUMNS[:1], Column(MARKET, "regime_tag", ("x",)), *COLUMNS[2:]]},
            timedelta(0),
            "features",
            "only one of them reads market_1m.regime_tag",
        ),
        (
            {"definitions": {MARKET: "b"}},
            timedelta(0),
            "features",
            "they learned from other definitions of market_1m",
        ),
        ({}, timedelta(seconds=121), "freshness", "market_1m, momentum_1m was older"),
        ({}, timedelta(seconds=20), "model", "both were given the same"),
        ({"columns": COLUMNS[:2]}, timedelta(hours=1), "freshness", "market_1m, momentum_1m was"),
    ],
)
def test_a_disagreement_is_put_down_to_model_features_or_freshness(
    desk: Desk, other: dict[str, Any], age: timedelta, cause: str, detail: str
) -> None:
    definitions = {MARKET: "a", "momentum_1m": "a"}
    desk.register(1, definitions=definitions)
    desk.register(2, **{"definitions": definitions, **other})
    as_of = desk.rows("select now() - %s as t", age)[0]["t"]
    desk.predict(as_of, 0.75, shadow_version=2, shadow_value=0.25, feature_hash=None)
    # of one mind, and without a shadow
    desk.predict(as_of, 0.75, shadow_version=2, shadow_value=0.75, feature_hash=None)
    desk.predict(as_of, 0.75, feature_hash=None)
    (row,) = desk.rows("select * from model.disagreement where model = %s", desk.model)
    assert (row["difference"], row["is_other_side"], row["cause"]) == (0.5, True, cause)
    assert row["detail"].startswith(detail)
