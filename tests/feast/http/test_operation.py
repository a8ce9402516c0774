"""What operators of the feature API see."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from urllib.error import URLError

import pytest
import requests

from telemetry import start
from telemetry.settings import TelemetryConfig
from tests.feast.http.asking import NOBODYS, OWN, ROOT, SOON_S, of, refused, values
from tests.feast.http.test_access_log import logged
from tests.feast.served import FED, PATH, Served
from tests.telemetry.scrape import get, samples


def test_metrics_count_and_name_nobody(online_world: Served) -> None:
    telemetry = start.api(TelemetryConfig(metrics_port=0))
    with online_world.another(telemetry=telemetry) as world:
        world.ask(of([OWN, FED]))
        world.ask(of([OWN]))
        world.ask(of([NOBODYS]))
        world.ask(of([OWN]), None)
        requests.get(f"{world.url}/{NOBODYS}", timeout=SOON_S)
        assert requests.get(f"{world.url}/ready", timeout=SOON_S).ok
        text = get(telemetry, "/metrics")[1]
        assert get(telemetry, "/healthz") == get(telemetry, "/readyz") == (200, "ok\n")
    found = samples(text)
    assert found["feature_api_requests_total", PATH, "200"] == 2
    assert found["feature_api_requests_total", PATH, "404"] == 1
    assert found["feature_api_requests_total", PATH, "401"] == 1
    assert found["feature_api_requests_total", "other", "404"] == 1
    assert found["feature_api_request_seconds_count", PATH] == 4
    assert found["feature_api_entities_total",] == 3
    assert found["feature_api_rejected_total", "unknown"] == 1
    assert found["feature_api_rejected_total", "unauthorized"] == 1
    assert found["feature_api_access_log_waiting",] >= 0
    labels = {label for at in found for label in at if at[0] != "target_info"}
    names = [*world.logins.values(), *world.keys.values(), OWN, FED, NOBODYS]
    assert not [name for name in names if name in text]
    assert str(world.first) not in labels
    with pytest.raises(URLError):  # it has ended with the API
        get(telemetry, "/metrics")


def test_nothing_else_is_there(online_world: Served) -> None:
    world = online_world
    schema = requests.get(world.url + "/openapi.json", timeout=SOON_S).json()
    assert {(path, verb) for path, verbs in schema["paths"].items() for verb in verbs} == {
        (PATH, "post"),
        ("/verify", "post"),
        ("/health", "get"),
        ("/ready", "get"),
    }
    assert schema["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    for path in (PATH, "/verify"):
        assert schema["paths"][path]["post"]["security"] == [{"HTTPBearer": []}]
    header = {"Authorization": f"Bearer {world.keys[world.first]}"}
    for path in ("push", "write-to-online-store", "materialize", "materialize-incremental"):
        answer = requests.post(f"{world.url}/{path}", json={}, headers=header, timeout=SOON_S)
        refused(answer, 404, "openapi.json")
    for path in ("", "docs", "redoc", "chat", "ui", "metrics", "get-online-features/"):
        refused(requests.get(f"{world.url}/{path}", headers=header, timeout=SOON_S), 404)
    refused(requests.get(world.url + PATH, headers=header, timeout=SOON_S), 405)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def test_it_serves_until_it_is_told_to_stop(online_world: Served) -> None:
    """By its command, and on a server as a login that can do nothing else."""
    world = online_world
    port, metrics_port = free_port(), free_port()
    command = [*(sys.executable, "-m", "feast_repo", "serve"), "--host", "0.0.0.0"]  # noqa: S104
    env = {**os.environ, "DATABASE_URL": world.pool, "PYTHONPATH": ""}
    registry = str(world.store.config.registry.path)
    if registry.startswith("sqlite:"):  # it is in this test's directory, not in .state
        env["FEAST_REGISTRY"] = registry
    process = subprocess.Popen(
        [*command, "--port", str(port), "--metrics-port", str(metrics_port)],
        cwd=ROOT,
        env=env,
        stderr=subprocess.PIPE,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 5 * SOON_S
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if requests.get(url + "/ready", timeout=SOON_S).ok:
                    break
            except requests.ConnectionError:
                time.sleep(0.2)
        assert process.poll() is None, process.communicate()[1]
        other = Served(**{**world.__dict__, "url": url})
        names = ["bar:vwap", "bar:close"]
        assert values(other.ask(of([OWN], features=names)))
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://{_address()}:{metrics_port}/metrics", timeout=SOON_S)
        metrics = requests.get(f"http://127.0.0.1:{metrics_port}/metrics", timeout=SOON_S).text
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
