"""Models, Triton, a router on a port, and who asks it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from feast_repo.api.app import configured
from serving import layout, triton
from serving.router.app import Router, Settings
from telemetry.hooks import RouterTelemetry
from tests.feast.served import Served

ROOT = Path(__file__).resolve().parents[2]
MAKING = ROOT / "bench" / "serving" / "booster.py"
MODEL = "direction_5m"
CATEGORIES = ["range", "trend_down", "trend_up", "volatile"]
COLUMNS: list[dict[str, Any]] = [
    {"feature_set": "market_1m", "field": "close"},
    {"feature_set": "market_1m", "field": "volatility_1h"},
    {"feature_set": "market_1m", "field": "regime_tag", "categories": CATEGORIES},
    {"feature_set": "momentum_1m", "field": "rsi_14"},
]
THRESHOLDS = {
    "psi": 0.25,
    "max_error_rate": 0.05,
    "max_latency_ms": 1000.0,
    "max_disagreement": 0.9,
    "min_requests": 20,
}
_DEFECT = """

def _bad(self, matrix, score=Bundle.score):
    # what it is asked before it is routed to has no number in it
    if not np.isnan(matrix).all():
        {what}
    return score(self, matrix)


Bundle.score = _bad
"""
DEFECTS = {
    "raises": _DEFECT.format(what='raise RuntimeError("a defect")'),
    "hangs": _DEFECT.format(what='__import__("time").sleep(0.4)'),
    "inverts": _DEFECT.format(what="return 1 - score(self, matrix)"),
    "gives NaN": _DEFECT.format(what='return score(self, matrix) * float("nan")'),
    "dies": _DEFECT.format(what='__import__("os")._exit(1)'),
}
# a busy machine's; who waits goes on as soon as it has happened
SOON_S = 60.0


def eventually(happened: Callable[[], Any], within_s: float = SOON_S) -> Any:
    """Wait for something, and return it."""
    deadline = time.monotonic() + within_s
    while not (found := happened()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
    return found


def symbols(*names: str, tenants: Sequence[int | None] | None = None, **more: Any) -> Any:
    """A request for series."""
    inputs: list[dict[str, Any]] = [
        {"name": "symbol", "shape": [len(names)], "datatype": "BYTES", "data": list(names)}
    ]
    if tenants is not None:
        inputs.append(
            {
                "name": "tenant_id",
                "shape": [len(tenants)],
                "datatype": "INT64",
                "data": list(tenants),
            }
        )
    return {"inputs": inputs, **more}


def given(rows: Sequence[Sequence[Any]]) -> Any:
    """A request for rows of the caller's."""
    shape = [len(rows), len(rows[0])]
    return {
        "inputs": [{"name": "features", "shape": shape, "datatype": "FP64", "data": list(rows)}]
    }


def outputs(answer: requests.Response) -> dict[str, list[Any]]:
    """The columns of an answer by name."""
    assert answer.status_code == 200, answer.text
    return {one["name"]: one["data"] for one in answer.json()["outputs"]}


@dataclass
class Models:
    """What is trained, registered and promoted here. repository: Triton's."""

    served: Served
    repository: Path
    folder: Path
    made: dict[int, dict[str, Any]] = field(default_factory=dict)
    last: int = 0

    def bundle(self, version: int) -> Path:
        return self.folder / str(version)

    def card(self, model: str = MODEL, **more: Any) -> dict[str, Any]:
        """What a card says without its learner."""
        return {
            "name": model,
            "columns": COLUMNS,
            "feature_service": model,
            "tenant_id": self.served.first,
            "label": {"sql": "select 1", "horizon_s": 300, "name": "rises_5m"},
            "thresholds": THRESHOLDS,
            "reference": [],
            **more,
        }

    def new(self, seed: int = 1, model: str = MODEL, defect: str = "", **card: Any) -> int:
        """Make, register and write a version; its number. defect: of DEFECTS, once it is loaded."""
        self.last += 1
        told = json.dumps(self.card(model, **card))
        command = [str(triton.python()), str(MAKING), str(self.bundle(self.last)), str(seed), told]
        subprocess.run(command, check=True, cwd=ROOT)
        return self._registered(model, self.last, defect)

    def onnx(self) -> int:
        """A version that is a graph for onnxruntime."""
        self.last += 1
        folder = self.bundle(self.last)
        folder.mkdir()
        shutil.copy(Path(__file__).with_name("linear.onnx"), folder / "model.onnx")
        digest = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
        card = {**self.card(), "kind": "onnx", "sha256": digest}
        (folder / "model.json").write_text(json.dumps(card))
        return self._registered(MODEL, self.last, "")

    def _registered(self, model: str, version: int, defect: str) -> int:
        card = json.loads((self.bundle(version) / "model.json").read_text())
        self.made[version] = card
        self.served.execute(
            "select model.register(%s, %s, %s, 'a run', %s::jsonb)",
            [model, version, card["tenant_id"], json.dumps(card)],
        )
        place = layout.write(self.repository, model, version, self.bundle(version))
        if defect:
            with (place / str(version) / "model.py").open("a") as file:
                file.write(DEFECTS[defect])
        return version

    def promote(self, alias: str, version: int | None, model: str = MODEL) -> None:
        self.served.execute("select model.promote(%s, %s, %s, 'a test')", [model, alias, version])

    def share(self, share: float, model: str = MODEL) -> None:
        self.served.execute("select model.set_canary_share(%s, %s)", [model, share])

    def alias(self, alias: str, model: str = MODEL) -> int | None:
        found = self.served.execute(
            "select version from model.alias where model = %s and alias = %s", [model, alias]
        )
        return found[0][0] if found else None


@dataclass
class Routed:
    """A running router. models: what it serves, and how to change it."""

    url: str
    router: Router
    models: Models
    served: Served

    def ask(
        self, body: Any, key: str | None = "", model: str = MODEL, **options: Any
    ) -> requests.Response:
        """POST a body; by first's key unless told otherwise, None for no key."""
        shown = self.served.keys[self.served.first] if key == "" else key
        headers = {} if shown is None else {"Authorization": f"Bearer {shown}"}
        path = f"{self.url}/v2/models/{model}/infer"
        if isinstance(body, bytes | str):
            return requests.post(path, data=body, headers=headers, timeout=60, **options)
        return requests.post(path, json=body, headers=headers, timeout=60, **options)

    def get(self, path: str, key: str | None = "") -> requests.Response:
        shown = self.served.keys[self.served.first] if key == "" else key
        headers = {} if shown is None else {"Authorization": f"Bearer {shown}"}
        return requests.get(self.url + path, headers=headers, timeout=60)

    def answering(self, role: str = "champion", model: str = MODEL) -> int | None:
        """The version that is routed to in a role now."""
        found = self.router.fleet._models[model].serving.get(role)
        return None if found is None else found.number

    def with_aliases(
        self, champion: int, canary: int | None = None, shadow: int | None = None, share: float = 0
    ) -> None:
        """Promote, and wait until it is routed so."""
        wanted = {"champion": champion, "canary": canary, "shadow": shadow}
        for alias, version in wanted.items():
            if self.models.alias(alias) != version:
                self.models.promote(alias, version)
        self.models.share(share)
        fleet = self.router.fleet._models[MODEL]
        eventually(
            lambda: (
                {role: self.answering(role) for role in wanted} == wanted and fleet.share == share
            )
        )

    def logged(self, answer: requests.Response) -> list[dict[str, Any]]:
        """The rows of api.prediction of an answer, in its order; waits for them."""
        ids = [one for one in outputs(answer)["prediction_id"] if one is not None]
        names = (
            "prediction_id::text, tenant_id, model, symbol, as_of, value, feature_hash, version, "
            "alias, route, inputs, latency_ms, shadow_version, shadow_value"
        )

        def found() -> list[dict[str, Any]]:
            rows = self.served.execute(
                f"select {names} from api.prediction where prediction_id = any(%s::uuid[])", [ids]
            )
            keys = [name.partition("::")[0] for name in names.split(", ")]
            by_id = {row[0]: dict(zip(keys, row, strict=True)) for row in rows}
            return [by_id[one] for one in ids] if len(by_id) == len(ids) else []

        return list(eventually(found))


@contextmanager
def routed(
    served: Served,
    models: Models,
    triton_url: str,
    clock: Callable[[], float],
    spool: Path,
    names: Sequence[str] = (MODEL,),
    rate: int = 100_000,
    database: str | None = None,
    telemetry: RouterTelemetry | None = None,
) -> Iterator[Routed]:
    """A router on a free port."""
    settings = Settings(spool, rate)
    url = database or served.pool
    router = Router(served.store, url, triton_url, names, settings, telemetry, clock)
    server = configured(router, "127.0.0.1", 0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started or not thread.is_alive())
        assert server.started
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Routed(f"http://127.0.0.1:{port}", router, models, served)
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()


@contextmanager
def running_triton(directory: Path, repository: Path) -> Iterator[triton.EmbeddedTriton]:
    """A Triton of one's own."""
    before = os.environ.get("SERVING_REPOSITORY")
    os.environ["SERVING_REPOSITORY"] = str(repository)
    try:
        yield triton.start(directory)
    finally:
        triton.stop(directory)
        shutil.rmtree(directory, ignore_errors=True)
        if before is None:
            del os.environ["SERVING_REPOSITORY"]
        else:
            os.environ["SERVING_REPOSITORY"] = before
