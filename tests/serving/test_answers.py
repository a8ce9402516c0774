"""What the router answers: scores to the bit, versions, moments, and what it logs of them."""

from __future__ import annotations

from tests.feast.market import SYMBOLS
from tests.serving.world import MODEL, Routed, outputs, symbols

BOTH, OWN = SYMBOLS


def test_a_series_is_scored(world: Routed) -> None:
    answer = world.ask(symbols(OWN, id="mine"))
    found = outputs(answer)
    assert answer.json()["model_name"] == MODEL
    assert answer.json()["id"] == "mine"
    assert 0 < found["score"][0] < 1
    assert found["version"] == [1]
    print(found)
