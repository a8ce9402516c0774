"""The log of predictions loses nothing: not while the database is away, not at the end."""

from __future__ import annotations

import hashlib
import json
import struct
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from serving import triton
from serving.router import predictions
from tests.feast.market import SYMBOLS
from tests.serving.conftest import Clock
from tests.serving.world import Models, Routed, eventually, outputs, routed, symbols
from training.bundle import row_digest, row_digests

OWN = SYMBOLS[1]


@given(arrays.arrays(np.float64, st.tuples(st.integers(0, 5), st.integers(1, 5))))
def test_digests_are_the_bundles(matrix: Any) -> None:
    found = row_digests(matrix)
    assert found == [row_digest(row) for row in matrix]
    nan = bytes.fromhex("7ff8000000000000")
    written = [b"".join(nan if n != n else struct.pack(">d", n) for n in row) for row in matrix]
    assert found == [hashlib.sha256(row).hexdigest() for row in written]


@contextmanager
def without_database(world: Routed) -> Iterator[None]:
    """As if no connection could be had; keys are remembered for ten seconds."""

    def no_connection(*_: Any, **__: Any) -> Any:
        raise psycopg.OperationalError("down")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.router.pool, "connection", no_connection)
        yield


def ids(world: Routed, times: int) -> list[str]:
    """So many predictions."""
    body = symbols(OWN, tenants=[world.served.first])
    return [outputs(world.ask(body))["prediction_id"][0] for _ in range(times)]


def logged(world: Routed, made: list[str]) -> list[int]:
    """How often each is in the log."""
    found = world.served.execute(
        "select (select count(*) from api.prediction as p where p.prediction_id = w.id)"
        " from unnest(%s::uuid[]) with ordinality as w (id, place) order by w.place",
        [made],
    )
    return [number for (number,) in found]


@pytest.fixture
def own(
    world: Routed, models: Models, running: triton.EmbeddedTriton, clock: Clock, tmp_path: Path
) -> Any:
    """router(): a router of one's own, on one spool."""
    return lambda: routed(world.served, models, running.url, clock, tmp_path / "spool")


def test_while_the_database_is_away(world: Routed) -> None:
    ids(world, 1)
    eventually(lambda: len(world.router.predictions) == 0)
    with without_database(world):
        made = ids(world, 5)
        eventually(lambda: len(world.router.predictions) == 5)
        assert logged(world, made) == [0] * 5
    eventually(lambda: logged(world, made) == [1] * 5)
    assert len(world.router.predictions) == 0


def test_when_it_is_full_nothing_is_scored(world: Routed, monkeypatch: pytest.MonkeyPatch) -> None:
    ids(world, 1)
    eventually(lambda: len(world.router.predictions) == 0)
    with without_database(world):
        monkeypatch.setattr(predictions, "MAX_WAITING", 3)
        made = ids(world, 3)
        refused = world.ask(symbols(OWN, tenants=[world.served.first]))
        assert refused.status_code == 503
        assert "predictions cannot be logged, so none is made" in refused.json()["error"]
    eventually(lambda: logged(world, made) == [1] * 3)
    made = ids(world, 1)
    eventually(lambda: logged(world, made) == [1])


def test_at_the_end_all_is_written(own: Any) -> None:
    with own() as router:
        eventually(lambda: router.answering() == 1)
        made = ids(router, 10)
    assert logged(router, made) == [1] * 10


def test_what_the_database_does_not_take_until_the_end_is_written_by_the_next(
    own: Any, tmp_path: Path
) -> None:
    with own() as router:
        eventually(lambda: router.answering() == 1)
        ids(router, 1)
        eventually(lambda: len(router.router.predictions) == 0)
        away = without_database(router)
        away.__enter__()
        made = ids(router, 4)
    away.__exit__(None, None, None)
    assert logged(router, made) == [0] * 4
    (file,) = (tmp_path / "spool").iterdir()
    assert sum(len(json.loads(line)[1]) for line in file.read_text().splitlines()) == 4
    with own() as router:
        eventually(lambda: logged(router, made) == [1] * 4)
        eventually(lambda: not file.exists())
        eventually(lambda: len(router.router.predictions) == 0)


def test_what_was_written_but_not_acknowledged_is_not_written_twice(
    world: Routed, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[int] = []
    log = world.router.predictions
    monkeypatch.setattr(log, "_lost", lost.append)
    written: list[Any] = []
    write = log._write

    async def unheard(login: str, entries: list[Any]) -> None:
        await write(login, entries)
        if not written:
            written.append(entries)
            raise psycopg.OperationalError("the connection broke as it committed")

    log._write = unheard  # type: ignore[method-assign]
    try:
        made = ids(world, 3)
        eventually(lambda: written and len(log) == 0)
    finally:
        del log._write
    assert logged(world, made) == [1] * 3
    assert lost == []


def test_a_moment_is_of_the_generation_that_was_published_then() -> None:
    """One that came with a stamp answers for what was published after it."""
    generations: tuple[tuple[str, int, float], ...]
    generations = (("market_1m", 1, float("-inf")), ("market_1m", 2, 1_700_000_000.0))
    for at, generation in (
        ("2023-11-14T22:13:19Z", 1),
        ("2023-11-14T22:13:20Z", 1),
        ("2023-11-14T22:13:20.000001Z", 2),
    ):
        inputs, newest = predictions._inputs((("market_1m", at),), None, generations)
        assert inputs == {"market_1m": {"as_of": at, "generation": generation}}
        assert newest == at
    generations = (*generations, ("daily", 1, float("-inf")))
    moments = (("market_1m", "2023-11-14T22:13:20Z"), ("daily", "2023-11-14T22:13:20.5Z"))
    assert predictions._inputs(moments, 7, generations) == (
        {
            "market_1m": {"as_of": "2023-11-14T22:13:20Z", "generation": 1, "tenant_id": 7},
            "daily": {"as_of": "2023-11-14T22:13:20.5Z", "generation": 1, "tenant_id": 7},
        },
        "2023-11-14T22:13:20.5Z",
    )


def test_a_generation_that_was_not_known_comes_with_the_database(world: Routed) -> None:
    """As of a process that ended before the database answered it once."""
    (made,) = ids(world, 1)
    eventually(lambda: logged(world, [made]) == [1])
    found = "select symbol, as_of::text, inputs from api.prediction where prediction_id = %s"
    ((symbol, as_of, inputs),) = world.served.execute(found, [made])
    for asked in inputs.values():
        assert asked.pop("generation") == 1
    again = str(uuid.uuid4())
    entry = {
        "prediction_id": again,
        "model": "direction_5m",
        "symbol": symbol,
        "as_of": as_of,
        "value": 0.5,
        "inputs": inputs,
    }
    log = world.router.predictions
    log._rows += 1
    log._ready.append((world.served.logins[world.served.first], [entry]))
    eventually(lambda: logged(world, [again]) == [1])
    ((_, _, inputs),) = world.served.execute(found, [again])
    assert {asked["generation"] for asked in inputs.values()} == {1}


def test_a_tenant_that_is_gone_holds_up_nobody(
    world: Routed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are told to the process's log; those of others are written."""
    lost: list[int] = []
    log = world.router.predictions
    monkeypatch.setattr(log, "_lost", lost.append)
    entry = {"prediction_id": str(uuid.uuid4()), "model": "m", "inputs": {}}
    log._ready.append(("nobody_of_that_name", [entry]))
    log._rows += 1
    made = ids(world, 2)
    eventually(lambda: logged(world, made) == [1] * 2)
    assert lost == [1]
    assert len(log) == 0


def test_a_spool_that_cannot_be_read_stays(own: Any, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    damaged = spool / "predictions-1-1.jsonl"
    damaged.write_text('["a", [{"prediction')
    with own() as router:
        eventually(lambda: router.answering() == 1)
        made = ids(router, 1)
        eventually(lambda: logged(router, made) == [1])
    assert damaged.exists()
