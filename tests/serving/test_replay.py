"""make replay: a prediction is made again, equal to the bit, or it says what differs."""

from __future__ import annotations

import json
import os
import uuid

import pytest

from serving.__main__ import main
from serving.errors import ServingError
from serving.replay import asked, replay
from tests.feast.market import SYMBOLS
from tests.feast.served import FED
from tests.serving.world import MODEL, Routed, outputs, symbols

BOTH, OWN = SYMBOLS


@pytest.fixture
def made(world: Routed) -> list[str]:
    """A prediction of one's own series, and of another's."""
    answer = world.ask(symbols(OWN, FED, tenants=[world.served.first, None]))
    return [str(row["prediction_id"]) for row in world.logged(answer)]


def test_a_prediction_is_made_again_to_the_bit(
    world: Routed,
    made: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATABASE_URL", world.served.database)
    for prediction in made:
        assert main(["replay", prediction]) == 0
        said = capsys.readouterr().out.splitlines()
        assert said[0].startswith(f"version 1 of {MODEL} for ")
        assert said[1].startswith("features: the same, SHA-256 ")
        assert said[2].startswith("score: the same to the bit, 0.")
        assert said[3] == "equal to the bit"


def test_what_differs_is_said(world: Routed, made: list[str]) -> None:
    row = world.served.execute(
        "select tenant_id, symbol, as_of, value, feature_hash, inputs from api.prediction"
        " where prediction_id = %s",
        [made[0]],
    )[0]
    forged = [str(uuid.uuid4()) for _ in range(2)]
    for one, value, digest in (
        (forged[0], row[3] + 1e-15, row[4]),
        (forged[1], row[3], "0" * 64),
    ):
        world.served.execute(
            "insert into api.prediction (prediction_id, tenant_id, model, version, symbol, as_of,"
            " value, feature_hash, inputs) values (%s, %s, %s, 1, %s, %s, %s, %s, %s::jsonb)",
            [one, row[0], MODEL, row[1], row[2], value, digest, json.dumps(row[5])],
        )
    found = replay(world.served.database, uuid.UUID(forged[0]), os.environ)
    assert not found.is_same
    assert found.lines[1].startswith("features: the same")
    assert found.lines[2] == f"score DIFFERS: {row[3]!r} now, {row[3] + 1e-15!r} was served"
    found = replay(world.served.database, uuid.UUID(forged[1]), os.environ)
    assert not found.is_same
    assert found.lines[1].startswith("features DIFFER: ")
    assert found.lines[2].startswith("score: the same")


def test_what_is_no_prediction(world: Routed) -> None:
    with pytest.raises(ServingError, match="PREDICTION='7' is no prediction_id"):
        asked("7")
    with pytest.raises(ServingError, match="there is no prediction"):
        replay(world.served.database, uuid.uuid4(), os.environ)
    assert outputs(world.ask(symbols(OWN, tenants=[world.served.first])))
