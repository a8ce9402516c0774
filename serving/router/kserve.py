"""KServe's inference protocol, version 2, in JSON: what is asked of a model, and the answer.

symbol (BYTES) and tenant_id (INT64, optional) name series, whose features the router reads; or
features (FP64, [rows, columns]) gives the rows themselves.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import numpy as np

from feast_repo.api.errors import Refused
from serving.layout import MAX_ROWS
from training.bundle import Matrix

MAX_SYMBOL: Final = 100
TYPES: Final = {"symbol": "BYTES", "tenant_id": "INT64", "features": "FP64"}
# Outputs, in their order; refused and nothing else is NULL where a row has a score.
OUTPUTS: Final = {
    "score": "FP64",
    "version": "INT64",
    "alias": "BYTES",
    "route": "BYTES",
    "as_of": "BYTES",
    "prediction_id": "BYTES",
    "refused": "BYTES",
}


@dataclass(frozen=True)
class Asked:
    """A request: series, each with a tenant or None; or, where given is not None, rows."""

    request_id: str | None
    symbols: tuple[str, ...]
    tenants: tuple[int | None, ...]
    given: Matrix | None
    outputs: tuple[str, ...]


def parsed(body: bytes) -> Asked:
    """A request's body. Errors: Refused 422 that says what to send."""
    try:
        asked = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise _wrong(f"the body is no JSON: {error}") from None
    if not isinstance(asked, dict) or not isinstance(asked.get("inputs"), list):
        raise _wrong('the body is {"inputs": [...]}, with symbol, or with features')
    request_id = asked.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise _wrong("id is a text")
    inputs: dict[str, Mapping[str, Any]] = {}
    for one in asked["inputs"]:
        name = one.get("name") if isinstance(one, dict) else None
        if not isinstance(name, str) or name not in TYPES or name in inputs:
            raise _wrong(f"an input is one of {', '.join(TYPES)}, each once, not {name!r:.80}")
        if one.get("datatype") != TYPES[name]:
            raise _wrong(f"{name} has the datatype {TYPES[name]}, not {one.get('datatype')!r:.80}")
        inputs[name] = one
    outputs = _outputs(asked.get("outputs"))
    if ("symbol" in inputs) == ("features" in inputs) or {*inputs} == {"features", "tenant_id"}:
        raise _wrong("give symbol, and tenant_id if you like, or give features")
    if "features" in inputs:
        return Asked(request_id, (), (), _matrix(inputs["features"]), outputs)
    symbols = _column(inputs["symbol"], "symbol")
    for symbol in symbols:
        if not isinstance(symbol, str) or not 0 < len(symbol) <= MAX_SYMBOL:
            raise _wrong(f"a symbol is a text of 1 to {MAX_SYMBOL} characters, not {symbol!r:.80}")
    tenants: tuple[Any, ...] = (None,) * len(symbols)
    if "tenant_id" in inputs:
        tenants = _column(inputs["tenant_id"], "tenant_id")
        for tenant in tenants:
            if tenant is not None and (type(tenant) is not int or not 0 < tenant < 2**31):
                raise _wrong(f"a tenant_id is a number from 1 on, or null, not {tenant!r:.80}")
        if len(tenants) != len(symbols):
            raise _wrong("give as many tenant_id as symbol, or none")
    return Asked(request_id, symbols, tenants, None, outputs)


def answer(
    model: str, asked: Asked, columns: Mapping[str, Sequence[Any]], parameters: Mapping[str, Any]
) -> bytes:
    """The answer; columns: by name of OUTPUTS, of equal length."""
    found: dict[str, Any] = {"model_name": model}
    if asked.request_id is not None:
        found["id"] = asked.request_id
    found["parameters"] = parameters
    found["outputs"] = [
        {"name": name, "datatype": OUTPUTS[name], "shape": [len(columns[name])],
         "data": columns[name]}
        for name in asked.outputs
    ]  # fmt: skip
    return json.dumps(found, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _outputs(wanted: Any) -> tuple[str, ...]:
    if wanted is None:
        return tuple(OUTPUTS)
    names = [one.get("name") for one in wanted] if _are_objects(wanted) else [None]
    if not names or any(not isinstance(name, str) or name not in OUTPUTS for name in names):
        raise _wrong(f'outputs is a list of {{"name": ...}}, of {", ".join(OUTPUTS)}')
    return tuple(dict.fromkeys(names))


def _are_objects(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(one, dict) for one in found)


def _shape(given: Mapping[str, Any], name: str, dimensions: int) -> list[int]:
    shape = given.get("shape")
    if (
        not isinstance(shape, list)
        or len(shape) != dimensions
        or any(type(size) is not int or size < 0 for size in shape)
    ):
        written = "[rows]" if dimensions == 1 else "[rows, columns]"
        raise _wrong(f"{name} has the shape {written}, not {shape!r:.80}")
    if not shape[0]:
        raise _wrong(f"{name} has no rows: send at least one")
    if shape[0] > MAX_ROWS:
        raise _wrong(f"{name} has {shape[0]} rows: send at most {MAX_ROWS} in a request")
    return shape


def _column(given: Mapping[str, Any], name: str) -> tuple[Any, ...]:
    (rows,) = _shape(given, name, 1)
    data = given.get("data")
    if not isinstance(data, list) or len(data) != rows:
        raise _wrong(f"the data of {name} is a list of {rows}, as its shape says")
    return tuple(data)


def _matrix(given: Mapping[str, Any]) -> Matrix:
    rows, columns = _shape(given, "features", 2)
    data = given.get("data")
    if isinstance(data, list) and data and all(isinstance(row, list) for row in data):
        if any(len(row) != columns for row in data):
            raise _wrong(f"each row of features has {columns} numbers, as its shape says")
        data = [value for row in data for value in row]
    if not isinstance(data, list) or len(data) != rows * columns:
        raise _wrong(f"the data of features is {rows * columns} numbers, as its shape says")
    wrong = [
        value
        for value in data
        if value is not None and (type(value) not in (int, float) or not _is_finite(value))
    ]
    if wrong:
        raise _wrong(f"features are finite numbers, and null for none, not {wrong[0]!r:.80}")
    found = [math.nan if value is None else float(value) for value in data]
    return np.array(found, np.float64).reshape(rows, columns)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all doubles
        return False


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON: send null for none")


def _wrong(detail: str) -> Refused:
    return Refused(422, "body", f"{detail} (docs/serving.md)")
