"""The statements of docs/predictions.md answer."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.documents import ROOT, Block, blocks
from tests.model.conftest import Desk
from tests.model.test_metrics import THRESHOLDS
from tests.pit.world import World

DOCUMENT = "docs/predictions.md"
# of which no row says that all is well
EMPTY = (
    "select model, version, kind",
    "select model, version, tenant_id",
    "select r.prediction_id",
)


@pytest.fixture(scope="module")
def served(desk_world: World) -> Desk:
    """A morning of direction_5m, with a shadow, labelled."""
    desk = Desk(desk_world)
    desk.bars(60)
    desk.backfill()
    desk.model = "direction_5m"
    reference = [{"column": "score", "bins": [0.5], "shares": [0.5, 0.5, 0]}]
    for version in (1, 2):
        desk.register(version, thresholds=THRESHOLDS, reference=reference)
    desk.run("select model.promote('direction_5m', 'champion', 1, 'the first')")
    desk.run("select model.set_canary_share('direction_5m', 0.1)")
    desk.trade(desk.live + timedelta(seconds=30), 100)
    desk.publish(2)
    now = desk.rows("select clock_timestamp() as t")[0]["t"]
    for minute in range(30, 50):
        desk.predict(desk.at(minute), minute / 100, shadow_version=2, shadow_value=0.25)
    desk.predict(now, 0.5)
    desk.note_labels()
    return desk


@pytest.mark.parametrize("one", blocks(DOCUMENT, "sql"), ids=lambda one: f"line {one.line}")
def test_a_statement_of_the_document_answers(served: Desk, one: Block) -> None:
    for statement in re.sub(r"--.*", "", one.text).split(";"):
        if bare := statement.strip():
            rows = served.rows(bare.replace("%", "%%"))
            assert bool(rows) is not bare.startswith(EMPTY), rows


def test_a_prediction_of_the_document_is_the_same(served: Desk) -> None:
    (one,) = (one for one in blocks(DOCUMENT, "sql") if "model.replay((" in one.text)
    (row,) = served.rows(one.text)
    assert (row["same"], row["difference"]) == (True, None)


def test_it_can_be_asked_for_labels_once_more(served: Desk) -> None:
    text = (ROOT / DOCUMENT).read_text()
    (call,) = re.findall(r"`(select model\.queue_labels\([^`]*\))`", text)
    assert served.rows(call) == [{"queue_labels": 0}]
