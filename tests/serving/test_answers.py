"""What the router answers: scores to the bit, versions, moments, and what it logs of them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from serving import layout, triton
from tests.feast.market import SYMBOLS
from tests.feast.served import FED
from tests.serving.world import (
    CATEGORIES,
    COLUMNS,
    MODEL,
    ROOT,
    Routed,
    eventually,
    given,
    outputs,
    symbols,
)
from training.bundle import Column, row_digest

BOTH, OWN = SYMBOLS
ENCODED = [Column(c["feature_set"], c["field"], tuple(c.get("categories", ()))) for c in COLUMNS]


def known(world: Routed, tenant: int, symbol: str, as_of: Any) -> list[Any]:
    """The model's features as psql gives them at a moment."""
    found: dict[tuple[Any, Any], Any] = {}
    for function, name in (("feature", "market_1m"), ("momentum_1m", "momentum_1m")):
        fields = [c["field"] for c in COLUMNS if c["feature_set"] == name]
        (row,) = world.served.execute(
            f"select {', '.join(fields)} from {function}_pit_snapshot(array[%s], %s, null, %s)",
            [symbol, as_of, tenant],
        )
        found |= {(name, field): value for field, value in zip(fields, row, strict=True)}
    return [found[c["feature_set"], c["field"]] for c in COLUMNS]


def numbers(row: Sequence[Any]) -> list[float]:
    return [column.number(value) for column, value in zip(ENCODED, row, strict=True)]


def scored(world: Routed, version: int, rows: Sequence[Sequence[float]]) -> list[float]:
    """What the bundle gives in a process of its own."""
    done = subprocess.run(
        [triton.python(), "-m", "serving.score", MODEL, str(version)],
        cwd=ROOT,
        env={"SERVING_REPOSITORY": str(world.models.repository), "PYTHONPATH": str(ROOT)},
        input="\n".join(" ".join(value.hex() for value in row) for row in rows),
        capture_output=True,
        text=True,
        check=True,
    )
    return [float.fromhex(line) for line in done.stdout.split()]


def test_a_score_is_the_bundles_of_what_psql_says_to_the_bit(world: Routed) -> None:
    first, feed = world.served.first, world.served.feed
    asked = [OWN, BOTH, FED, OWN, BOTH]
    tenants = [first, first, None, None, feed]
    answer = world.ask(symbols(*asked, tenants=tenants, id="mine"))
    found = outputs(answer)
    assert (answer.json()["model_name"], answer.json()["id"]) == (MODEL, "mine")
    of = [first, first, feed, first, feed]
    rows = [
        numbers(known(world, tenant, symbol, at))
        for tenant, symbol, at in zip(of, asked, found["as_of"], strict=True)
    ]
    assert found["score"] == scored(world, 1, rows)
    assert len({*found["score"]}) > 1
    assert found["score"][0] == found["score"][3]
    assert found["version"] == [1] * 5
    assert found["alias"] == found["route"] == ["champion"] * 5
    assert found["refused"] == [None] * 5
    assert len({*found["prediction_id"]}) == 5

    logged = world.logged(answer)
    assert [row["value"] for row in logged] == found["score"]
    assert [row["feature_hash"] for row in logged] == [row_digest(np.array(row)) for row in rows]
    assert [row["symbol"] for row in logged] == asked
    for row, tenant, at in zip(logged, of, found["as_of"], strict=True):
        assert (row["tenant_id"], row["model"], row["version"]) == (first, MODEL, 1)
        assert (row["alias"], row["route"], row["shadow_version"]) == ("champion",) * 2 + (None,)
        assert row["as_of"] == datetime.fromisoformat(at)
        assert row["latency_ms"] > 0
        of_another = {} if tenant == first else {"tenant_id": tenant}
        expected = {"as_of": at, "generation": 1, **of_another}
        assert row["inputs"] == {"market_1m": expected, "momentum_1m": expected}


def test_what_was_asked_is_in_the_access_log(world: Routed) -> None:
    body = symbols(OWN, FED, OWN, OWN)
    outputs(world.ask(body))
    text = f"infer {MODEL} {OWN},{FED},{OWN},{OWN}"
    asked = "select row_count from api.access_log where statement = %s"
    assert eventually(lambda: world.served.execute(asked, [text])) == [(4,)]


def test_some_outputs_only(world: Routed) -> None:
    body = symbols(OWN, outputs=[{"name": "version"}, {"name": "score"}])
    answer = world.ask(body).json()
    assert [one["name"] for one in answer["outputs"]] == ["version", "score"]
    assert [one["datatype"] for one in answer["outputs"]] == ["INT64", "FP64"]
    assert [one["shape"] for one in answer["outputs"]] == [[1], [1]]


def test_rows_of_the_callers_score_as_the_same_rows_of_a_series(world: Routed) -> None:
    first = world.served.first
    found = outputs(world.ask(symbols(OWN, BOTH, tenants=[first, first])))
    rows = [
        [None if value != value else value for value in numbers(known(world, first, symbol, at))]
        for symbol, at in zip((OWN, BOTH), found["as_of"], strict=True)
    ]
    eventually(lambda: len(world.router.predictions) == 0)
    before = world.served.execute("select count(*) from api.prediction")
    brought = outputs(world.ask(given([*rows, [None] * 4])))
    assert brought["score"][:2] == found["score"]
    assert brought["score"][2] is not None
    assert brought["prediction_id"] == brought["as_of"] == [None] * 3
    assert brought["version"] == [1] * 3
    flat = given(rows)
    flat["inputs"][0]["data"] = [value for row in rows for value in row]
    assert outputs(world.ask(flat))["score"] == found["score"]
    # nobody's series: there is nothing to replay
    assert len(world.router.predictions) == 0
    after = world.served.execute("select count(*) from api.prediction")
    assert after == before


def test_who_may_ask_what(world: Routed) -> None:
    served = world.served
    # the model is first's; second sees nothing of first's
    answer = world.ask(symbols(OWN), served.keys[served.second])
    assert answer.status_code == 404
    assert answer.json()["error"] == (f"there is no model {MODEL}: there is none that you may ask")
    assert world.ask(symbols(OWN), None).status_code == 401
    assert world.ask(symbols(OWN, tenants=[served.second])).status_code == 403
    assert world.ask(symbols("SYN_NOBODY")).status_code == 404
    assert world.ask(symbols(BOTH)).status_code == 422  # of two tenants that first sees
    assert world.get(f"/v2/models/{MODEL}", None).status_code == 401


def test_health_and_metadata(world: Routed) -> None:
    assert world.get("/v2/health/live", None).json() == {"live": True}
    assert world.get("/v2/health/ready", None).json() == {"ready": True}
    assert world.get("/v2", None).json()["models"] == [MODEL]
    assert world.get(f"/v2/models/{MODEL}/ready").json() == {"ready": True}
    found = world.get(f"/v2/models/{MODEL}").json()
    assert found["versions"] == ["1"]
    assert found["parameters"]["aliases"] == {"champion": {"version": 1, "answers": 1}}
    assert found["parameters"]["columns"] == [
        f"{one['feature_set']}.{one['field']}" for one in COLUMNS
    ]
    assert [one["name"] for one in found["inputs"]] == ["symbol", "tenant_id", "features"]


def test_a_graph_of_onnx_answers_as_well(world: Routed) -> None:
    version = world.models.onnx()
    world.with_aliases(version)
    try:
        found = outputs(world.ask(symbols(OWN, BOTH, tenants=[world.served.first] * 2)))
        rows = [
            numbers(known(world, world.served.first, symbol, at))
            for symbol, at in zip((OWN, BOTH), found["as_of"], strict=True)
        ]
        assert found["version"] == [version] * 2
        assert found["score"] == scored(world, version, rows)
        assert CATEGORIES
    finally:
        world.with_aliases(1)


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_a_row_scores_the_same_alone_and_among_others(world: Routed, rows: int) -> None:
    draw = np.random.default_rng(rows)
    asked = draw.normal(0, 100, (rows, 4))
    asked[:, 2] = draw.integers(0, 4, rows)
    together = outputs(world.ask(given(asked.tolist())))["score"]
    alone = [outputs(world.ask(given([row])))["score"][0] for row in asked[:5].tolist()]
    assert together[:5] == alone
    assert together == scored(world, 1, asked.tolist())
    assert layout.MAX_ROWS == 1000
