"""Versions change, Triton restarts, artifacts are damaged: no request fails that need not."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from serving import layout, triton
from serving.router import fleet
from tests.feast.market import SYMBOLS
from tests.serving.conftest import Clock
from tests.serving.world import (
    MODEL,
    Models,
    Routed,
    eventually,
    outputs,
    routed,
    running_triton,
    symbols,
)

BOTH, OWN = SYMBOLS


class Load:
    """Clients that ask without a pause; what was answered, by status, version and route."""

    def __init__(self, world: Routed) -> None:
        self.found: Counter[tuple[object, ...]] = Counter()
        self._world = world
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(3)]

    def _ask(self) -> None:
        body = symbols(OWN, BOTH, tenants=[self._world.served.first] * 2)
        headers = {"Authorization": f"Bearer {self._world.served.keys[self._world.served.first]}"}
        with requests.Session() as session:
            while not self._stop.is_set():
                answer = session.post(
                    f"{self._world.url}/v2/models/{MODEL}/infer",
                    json=body,
                    headers=headers,
                    timeout=60,
                )
                if answer.status_code != 200:
                    self.found[answer.status_code, answer.text] += 1
                    continue
                columns = outputs(answer)
                for name in zip(
                    columns["version"], columns["route"], columns["refused"], strict=True
                ):
                    self.found[200, *name] += 1

    @contextmanager
    def going_on(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()


def states(world: Routed) -> dict[str, str]:
    """What Triton has loaded."""
    url = world.router.triton.url
    found = requests.post(f"{url}/v2/repository/index", timeout=60).json()
    return {one["name"]: one.get("state", "") for one in found}


def test_no_request_fails_while_versions_change(
    world: Routed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "RETIRE_S", 0.2)
    third = world.models.new(seed=11)
    load = Load(world)
    with load.going_on():
        for champion, canary, shadow in ((2, None, 1), (third, 2, None), (1, third, 2), (1, 2, 3)):
            world.with_aliases(champion, canary, shadow, share=0.5)
        world.with_aliases(1)
        # and what nobody asks any more is unloaded beneath it
        eventually(lambda: states(world)[f"{MODEL}.{third}"] in ("UNAVAILABLE", "UNLOADING"))
        world.with_aliases(third)
        world.with_aliases(1)
    answered = {key: number for key, number in load.found.items() if key[0] == 200}
    assert answered == load.found
    assert {key[3] for key in answered} == {None}
    assert {key[1] for key in answered} >= {1, 2, third}
    assert {key[2] for key in answered} <= {"champion", "canary"}
    assert sum(answered.values()) > 100


@pytest.fixture
def damaged(world: Routed) -> Iterator[tuple[Routed, int, Path]]:
    """A version whose model file lacks its end."""
    version = world.models.new(seed=12)
    file = layout.bundle_folder(world.models.repository, MODEL, version) / "model.txt"
    file.write_bytes(file.read_bytes()[:-100])
    yield world, version, file
    world.with_aliases(1)


@pytest.mark.parametrize("role", ["champion", "canary", "shadow"])
def test_a_half_written_artifact_answers_nobody(
    damaged: tuple[Routed, int, Path], role: str
) -> None:
    world, version, _ = damaged
    world.models.promote(role, version)
    world.models.share(1.0)

    def said() -> str:
        found = world.get(f"/v2/models/{MODEL}").json()["parameters"]["aliases"].get(role, {})
        return str(found.get("problem", ""))

    problem = eventually(said)
    assert f"version {version} does not load" in problem
    assert "is no whole bundle" in problem
    assert outputs(world.ask(symbols(OWN, tenants=[world.served.first])))["version"] == [1]
    # mended, it serves
    layout.write(world.models.repository, MODEL, version, world.models.bundle(version))
    eventually(lambda: world.answering(role) == version)
    found = outputs(world.ask(symbols(OWN, tenants=[world.served.first])))["version"]
    assert found == [1 if role == "shadow" else version]
    world.models.promote(role, 1 if role == "champion" else None)


def test_a_version_that_is_not_in_the_repository_is_waited_for(world: Routed) -> None:
    version = world.models.new(seed=13)
    place = world.models.repository / f"{MODEL}.{version}"
    hidden = place.with_name(f".{place.name}.making")
    place.rename(hidden)
    world.models.promote("champion", version)
    time.sleep(1.5)
    assert outputs(world.ask(symbols(OWN, tenants=[world.served.first])))["version"] == [1]
    hidden.rename(place)
    eventually(lambda: world.answering() == version)
    world.with_aliases(1)


@pytest.fixture
def own(
    world: Routed, clock: Clock, tmp_path: Path
) -> Iterator[tuple[Routed, triton.EmbeddedTriton]]:
    """A router with a Triton of its own, which may be stopped."""
    world.with_aliases(1)
    with (
        running_triton(tmp_path / "triton", world.models.repository) as started,
        routed(world.served, world.models, started.url, clock, tmp_path / "spool") as router,
    ):
        eventually(lambda: router.answering() == 1)
        yield router, started


def test_triton_away_and_back(own: tuple[Routed, triton.EmbeddedTriton]) -> None:
    router, started = own
    body = symbols(OWN, tenants=[router.served.first])
    before = outputs(router.ask(body))["score"]
    triton.stop(started.directory)
    refused = router.ask(body)
    assert refused.status_code == 503
    assert "Triton does not answer" in refused.json()["error"]
    assert refused.headers["Retry-After"] == "1"
    eventually(lambda: router.get("/v2/health/ready", None).status_code == 503)
    assert router.get("/v2/health/live", None).status_code == 200
    triton.start(started.directory, started.port)
    answer = eventually(lambda: found if (found := router.ask(body)).status_code == 200 else None)
    assert outputs(answer)["score"] == before
    eventually(lambda: router.get("/v2/health/ready", None).status_code == 200)


def test_without_a_champion_nobody_answers(
    world: Routed, models: Models, running: triton.EmbeddedTriton, clock: Clock, tmp_path: Path
) -> None:
    with routed(world.served, models, running.url, clock, tmp_path, ["another_model"]) as router:
        answer = router.ask(symbols(OWN), model="another_model")
        assert answer.status_code == 503
        assert "has no champion yet" in answer.json()["error"]
        assert router.get("/v2/health/ready", None).status_code == 503
