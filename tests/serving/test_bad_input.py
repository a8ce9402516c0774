"""What is refused, each with a text that says what to send; and the champion answers after it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.feast.market import SYMBOLS
from tests.serving.world import Routed, given, outputs, symbols

OWN = SYMBOLS[1]
HUGE = 10**400


def named(name: str, datatype: str, shape: Any, data: Any) -> dict[str, Any]:
    return {"inputs": [{"name": name, "datatype": datatype, "shape": shape, "data": data}]}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("\ud800".encode("utf-8", "surrogatepass"), "no JSON"),
        ([], '{"inputs": [...]}'),
        ({}, '{"inputs": [...]}'),
        ({"inputs": {}}, '{"inputs": [...]}'),
        ({"inputs": []}, "give symbol"),
        ({"inputs": [7]}, "an input is one of"),
        (named("price", "FP64", [1], [1.0]), "an input is one of symbol, tenant_id, features"),
        ({"inputs": symbols(OWN)["inputs"] * 2}, "each once"),
        ({"inputs": symbols(OWN)["inputs"] + given([[1, 2, 0, 3]])["inputs"]}, "give symbol"),
        (named("tenant_id", "INT64", [1], [1]), "give symbol"),
        (named("symbol", "FP64", [1], [1.0]), "symbol has the datatype BYTES, not 'FP64'"),
        (named("features", "FP32", [1, 4], [1, 2, 0, 3]), "features has the datatype FP64"),
        (named("symbol", "BYTES", [1, 1], [OWN]), "symbol has the shape [rows]"),
        (named("symbol", "BYTES", [True], [OWN]), "symbol has the shape [rows]"),
        (named("symbol", "BYTES", [2], [OWN]), "a list of 2, as its shape says"),
        (named("symbol", "BYTES", [0], []), "no rows"),
        (named("symbol", "BYTES", [1], [7]), "a symbol is a text"),
        (named("symbol", "BYTES", [1], [""]), "a symbol is a text"),
        (named("symbol", "BYTES", [1], ["x" * 101]), "a symbol is a text"),
        (symbols(OWN, tenants=["1"]), "a tenant_id is a number"),  # type: ignore[list-item]
        (symbols(OWN, tenants=[True]), "a tenant_id is a number"),
        (symbols(OWN, tenants=[2**31]), "a tenant_id is a number"),
        (symbols(OWN, tenants=[1, 1]), "as many tenant_id as symbol"),
        (symbols(*[OWN] * 10_000), "10000 rows: send at most 1000"),
        (given([[1, 2, 0, 3]] * 10_000), "10000 rows: send at most 1000"),
        (given([[1, 2, 0]]), "features have 3 columns, and the model takes 4: market_1m.close"),
        (given([[1, 2, 0, 3, 4]]), "features have 5 columns"),
        (given([[1, 2, 4, 3]]), "market_1m.regime_tag is 4: send the place of its value"),
        (given([[1, 2, 0.5, 3]]), "market_1m.regime_tag is 0.5"),
        (given([[1, 2, "range", 3]]), "finite numbers, and null for none, not 'range'"),
        (given([[1, 2, 0, True]]), "finite numbers"),
        (given([[1, 2, 0, HUGE]]), "finite numbers"),
        (named("features", "FP64", [2, 4], [[1, 2, 0, 3], [1, 2, 0]]), "each row of features"),
        (named("features", "FP64", [2, 4], [1, 2, 0, 3]), "8 numbers, as its shape says"),
        ('{"inputs": [{"name": "features", "datatype": "FP64", "shape": [1, 1], "data": [NaN]}]}',
         "NaN is no number of JSON"),
        ('{"inputs": [{"name": "features", "datatype": "FP64", "shape": [1, 1], "data": [1e999]}]}',
         "finite numbers"),
        (symbols(OWN, outputs=[{"name": "price"}]), "outputs is a list of"),
        (symbols(OWN, outputs=[]), "outputs is a list of"),
        (symbols(OWN, outputs="score"), "outputs is a list of"),
        (symbols(OWN, id=7), "id is a text"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(world: Routed, body: Any, said: str) -> None:
    answer = world.ask(body)
    assert answer.status_code == 422, answer.text
    assert list(answer.json()) == ["error"]
    assert said in answer.json()["error"]
    assert outputs(world.ask(symbols(OWN, tenants=[world.served.first])))["score"][0] is not None


def test_an_unknown_model(world: Routed) -> None:
    answer = world.ask(symbols(OWN), model="direction_6m")
    assert answer.status_code == 404
    assert answer.json()["error"] == "there is no model direction_6m: there are direction_5m"
    assert world.get("/v2/models/direction_6m").status_code == 404


def test_another_path(world: Routed) -> None:
    answer = world.get("/v1/models")
    assert answer.status_code == 404
    assert "POST /v2/models/{model}/infer" in answer.json()["error"]


def test_a_body_that_is_too_large(world: Routed) -> None:
    answer = world.ask(json.dumps(symbols(OWN)) + " " * 2**20)
    assert answer.status_code == 413
    assert "1048576 bytes" in answer.json()["error"]


def test_too_many_requests_of_a_key(world: Routed) -> None:
    from limits import RateLimitItemPerSecond

    rate, world.router.rate = world.router.rate, RateLimitItemPerSecond(3)
    try:
        key = world.served.new_key(world.served.first)
        asked = [world.ask(symbols(OWN, tenants=[world.served.first]), key) for _ in range(12)]
        assert {answer.status_code for answer in asked} == {200, 429}
        assert asked[-1].headers["Retry-After"] == "1" or asked[-1].status_code == 200
    finally:
        world.router.rate = rate
