"""What operators of the feature API see."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest
import requests
from prometheus_client import generate_latest

from tests.feast.http.asking import NOBODYS, OWN, ROOT, of, refused, values
from tests.feast.http.test_access_log import logged
from tests.feast.served import FED, PATH, Served


def test_metrics_count_and_name_nobody(online_world: Served) -> None:
    route = {"route": PATH}
    expected = {
        ("feature_api_requests_total", "200", PATH): 2.0,
        ("feature_api_requests_total", "404", PATH): 1.0,
        ("feature_api_requests_total", "401", PATH): 1.0,
        ("feature_api_requests_total", "404", "other"): 1.0,
    }
    with online_world.another() as world:
        metrics = world.app.state.api.metrics

        def found() -> list[float | None]:
            sample = metrics.registry.get_sample_value
            return [
                *(sample(name, {"route": r, "status": s}) for name, s, r in expected),
                sample("feature_api_request_seconds_count", route),
                sample("feature_api_entities_total"),
                sample("feature_api_rejected_total", {"reason": "unknown"}),
                sample("feature_api_rejected_total", {"reason": "unauthorized"}),
            ]

        for _, status, at in expected:
            metrics.requests.labels(at, status)
        metrics.seconds.labels(PATH)
        for reason in ("unknown", "unauthorized"):
            metrics.rejected.labels(reason)
        # where Feast's metrics are imported first, a process has one value for each name
        before = found()
        world.ask(of([OWN, FED]))
        world.ask(of([OWN]))
        world.ask(of([NOBODYS]))
        world.ask(of([OWN]), None)
        requests.get(f"{world.url}/{NOBODYS}", timeout=5)
    counted = [now - was for now, was in zip(found(), before, strict=True)]  # type: ignore[operator]
    assert counted == [*expected.values(), 4.0, 3.0, 1.0, 1.0]
    text = generate_latest(metrics.registry).decode()
    names = [*world.logins.values(), *world.keys.values(), OWN, FED, NOBODYS, str(world.first)]
    assert not [name for name in names if name in text]


def test_nothing_else_is_there(online_world: Served) -> None:
    world = online_world
    schema = requests.get(world.url + "/openapi.json", timeout=5).json()
    assert {(path, verb) for path, verbs in schema["paths"].items() for verb in verbs} == {
        (PATH, "post"),
        ("/health", "get"),
        ("/ready", "get"),
    }
    assert schema["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    assert schema["paths"][PATH]["post"]["security"] == [{"HTTPBearer": []}]
    header = {"Authorization": f"Bearer {world.keys[world.first]}"}
    for path in ("push", "write-to-online-store", "materialize", "materialize-incremental"):
        answer = requests.post(f"{world.url}/{path}", json={}, headers=header, timeout=5)
        refused(answer, 404, "openapi.json")
    for path in ("", "docs", "redoc", "chat", "ui", "metrics", "get-online-features/"):
        refused(requests.get(f"{world.url}/{path}", headers=header, timeout=5), 404)
    refused(requests.get(world.url + PATH, headers=header, timeout=5), 405)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def test_it_serves_until_it_is_told_to_stop(online_world: Served) -> None:
    """By its command, and on a server as a login that can do nothing else."""
    world = online_world
    port, metrics_port = free_port(), free_port()
    command = [*(sys.executable, "-m", "feast_repo", "serve"), "--host", "0.0.0.0"]  # noqa: S104
    process = subprocess.Popen(
        [*command, "--port", str(port), "--metrics-port", str(metrics_port)],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": world.pool, "PYTHONPATH": ""},
        stderr=subprocess.PIPE,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if requests.get(url + "/ready", timeout=5).ok:
                    break
            except requests.ConnectionError:
                time.sleep(0.2)
        other = Served(**{**world.__dict__, "url": url})
        names = ["bar:vwap", "bar:close"]
        assert values(other.ask(of([OWN], features=names)))
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://{_address()}:{metrics_port}/metrics", timeout=5)
        metrics = requests.get(f"http://127.0.0.1:{metrics_port}/metrics", timeout=5).text
        assert "feature_api_entities_total 1.0" in metrics
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
        assert process.returncode in (0, -signal.SIGTERM), errors
        assert logged(world, world.first, lambda text: ",".join(names) in text)
    finally:
        process.kill()
        process.wait()


def _address() -> str:
    """An address of this machine that is not the loopback's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        address: str = probe.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("this machine has the loopback only")
    return address
