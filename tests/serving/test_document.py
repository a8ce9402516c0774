"""What docs/serving.md shows is what happens."""

from __future__ import annotations

import json
import re
from pathlib import Path

from serving import __main__ as command
from serving import layout, repository, triton
from serving.router import fleet, kserve, mirror, predictions
from serving.router.app import Settings
from tests.feast.market import SYMBOLS
from tests.serving.world import MODEL, ROOT, Routed, eventually, outputs

TEXT = (ROOT / "docs" / "serving.md").read_text()


def block(begins: str) -> str:
    found = [text for text in re.findall(r"```\w+\n(.*?)```", TEXT, re.S) if begins in text]
    assert len(found) == 1
    return str(found[0])


def test_the_request_of_the_document(world: Routed) -> None:
    asked = re.search(r"-d '(.*)'", block("curl"))
    assert asked is not None
    body = json.loads(asked[1])
    # the tests' key sees two tenants with one of the symbols
    body["inputs"].append(
        {
            "name": "tenant_id",
            "shape": [2],
            "datatype": "INT64",
            "data": [world.served.first] * 2,
        }
    )
    assert body["inputs"][0]["data"] == list(SYMBOLS)
    found = outputs(world.ask(body))
    assert None not in found["score"]
    listed = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| (?:BYTES|FP64|INT64)", TEXT, re.M)
    names = [name for cell in listed for name in re.findall(r"`(\w+)`", cell)]
    assert names == [*kserve.TYPES, *kserve.OUTPUTS]


def test_the_statements_of_the_document(world: Routed) -> None:
    for statement in block("model.promote(").split(";"):
        if statement.strip():
            world.served.execute(statement)
    try:
        eventually(lambda: world.answering("canary") == 2)
        eventually(lambda: world.router.fleet._models[MODEL].share == 0.1)
    finally:
        world.with_aliases(1)


def test_the_numbers_of_the_document() -> None:
    for said in (
        f"At most {layout.MAX_ROWS:,} rows",
        f"{predictions.MAX_WAITING:,} predictions wait",
        f"unloaded {fleet.RETIRE_S:.0f} s after",
        f"tried again every {fleet.AGAIN_S:.0f} s",
        f"At most {mirror.MAX_JOBS} requests wait",
        f"or {predictions.SHADOW_S:.0f} s where the shadow is slow",
        f"the {repository.KEPT} newest stay",
        f"on port {command.METRICS_PORT}",
        f"localhost:{command.PORT}/",
        f"({Settings.rate})",
    ):
        assert said in TEXT, said


def test_a_server_of_ones_own_is_started_as_ours(serving_python: Path, tmp_path: Path) -> None:
    assert serving_python.exists()
    ours = triton._command(tmp_path, 8000)
    flags = block("tritonserver").split()[1:]
    assert {*flags[1:]} <= {*ours}
    assert flags[0] == f"--model-repository={layout.REPOSITORY.relative_to(ROOT)}"
