"""The feature API says what it answers, whatever anybody sends."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
import redis
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from feast_repo.store import materialize
from tests.feast.market import MINUTE, SYMBOLS
from tests.feast.served import Served


@pytest.mark.parametrize("with_key", [True, False])
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_the_schema_says_what_is_answered(
    online_world: Served, with_key: bool, mode: schemathesis.GenerationMode
) -> None:
    world = online_world
    schema = schemathesis.openapi.from_url(world.url + "/openapi.json")
    schema.config.generation.update(modes=[mode])
    headers = {"Authorization": f"Bearer {world.keys[world.first]}"} if with_key else {}
    seen: set[int] = set()

    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if mode == schemathesis.GenerationMode.NEGATIVE and not operation.body:
            continue  # nothing of it can be wrong
        case_of = operation.as_strategy(generation_mode=mode)

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=case_of)
        def answered(case: schemathesis.Case[Any]) -> None:
            answer = case.call(base_url=world.url, headers=headers)
            seen.add(answer.status_code)
            case.validate_response(
                answer,
                checks=[
                    not_a_server_error,
                    status_code_conformance,
                    content_type_conformance,
                    response_headers_conformance,
                    response_schema_conformance,
                    *([negative_data_rejection] if with_key else []),
                ],
            )

        answered()
    assert seen & ({404, 422} if with_key else {401})


def test_a_row_is_never_of_two_moments(online_world: Served) -> None:
    """A writer sets its views one after another, again and again; each answer is of one moment."""
    world = online_world
    written = ("bar", "signal", "liquidity", "session_signal")
    views = [world.store.get_feature_view(name) for name in written]
    provider = world.store._get_provider()
    symbol = SYMBOLS[1]
    start = datetime.now(UTC)
    stop = threading.Event()

    def write(number: int) -> None:
        row: dict[str, list[Any]] = {"tenant_id": [world.first], "symbol": [symbol]}
        row["known_at"] = [start + number * MINUTE]
        for view in views:
            values: dict[str, list[Any]] = {f.name: [float(number)] for f in view.features}
            values |= {"bucket": [start]} if view.name == "bar" else {}
            values |= {"regime_tag": ["range"]} if view.name == "signal" else {}
            provider.ingest_df(view, pd.DataFrame(row | values))

    def write_on() -> None:
        number = 1
        while not stop.is_set():
            number += 1
            write(number)
            time.sleep(0.005)

    write(1)  # ratios divide by the values
    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        seen = set()
        selections: list[tuple[dict[str, Any], tuple[str, ...]]] = [
            ({"feature_service": "market_v1"}, ("close", "sma_20", "spread_bps")),
            ({"feature_service": "market_ratios_v1"}, ("close", "sma_20", "spread_bps")),
            # of two sets
            ({"features": ["bar:close", "session_signal:gap"]}, ("close", "gap")),
        ]
        for selection, names in selections * 70:
            found = world.ask({**selection, "entities": {"symbol": [symbol]}}).json()
            columns = dict(zip(found["metadata"]["feature_names"], found["results"], strict=True))
            moment = {columns[name]["values"][0] for name in names}
            assert len(moment) == 1, moment
            seen |= moment
    finally:
        stop.set()
        writer.join()
        with redis.Redis.from_url(world.redis_url) as client:
            client.flushdb()
        materialize(world.store)
    assert len(seen) > 10
