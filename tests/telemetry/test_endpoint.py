"""/healthz, /readyz, and an endpoint that nobody can block."""

import re
import socket
import threading
from types import SimpleNamespace

import pytest

from engine.errors import ConfigError
from telemetry import endpoint, health
from tests.telemetry.conftest import Start
from tests.telemetry.scrape import HANGS_S, get


def test_healthz_fails_while_the_loop_stands_still(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=lambda: now[0]))
    telemetry = start(metrics_port=0, stall_s=1)
    assert get(telemetry, "/healthz") == (200, "ok\n")
    telemetry.health.ready(True)
    now[0] = 1.1
    status, reason = get(telemetry, "/healthz")
    assert status == 503
    assert re.search(r"no step of the main loop for \d+ s \(at most 1 s\)", reason)
    status, reason = get(telemetry, "/readyz")
    assert status == 503
    assert "no step of the main loop" in reason
    telemetry.health.beat()
    assert get(telemetry, "/healthz") == (200, "ok\n")
    assert get(telemetry, "/readyz") == (200, "ok\n")


def test_who_waits_for_another_is_alive_and_after_a_while_not_ready(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=lambda: now[0]))
    telemetry = start(metrics_port=0, stall_s=1)
    telemetry.health.ready(True)
    with telemetry.health.waiting("database"):
        now[0] = 0.9
        assert get(telemetry, "/readyz") == (200, "ok\n")
        now[0] = 3600.0
        assert get(telemetry, "/healthz") == (200, "ok\n")
        status, reason = get(telemetry, "/readyz")
        assert (status, reason) == (503, "it has waited for the database for 3600 s\n")
    assert get(telemetry, "/readyz") == (200, "ok\n")
    now[0] = 3601.1
    assert get(telemetry, "/healthz")[0] == 503


def test_readyz_says_what_is_missing(start: Start) -> None:
    telemetry = start(metrics_port=0)
    assert get(telemetry, "/readyz") == (503, "starting: no partitions assigned yet\n")
    telemetry.health.ready(True)
    assert get(telemetry, "/readyz") == (200, "ok\n")
    telemetry.health.ready(False, "database away")
    assert get(telemetry, "/readyz") == (503, "database away\n")
    assert get(telemetry, "/healthz") == (200, "ok\n")


def test_another_path_is_not_found(start: Start) -> None:
    assert get(start(metrics_port=0), "/metricsx")[0] == 404


def test_a_port_that_is_taken_is_refused_with_a_remedy(start: Start) -> None:
    port = start(metrics_port=0).port
    with pytest.raises(ConfigError, match=rf"METRICS_PORT={port}: .*in use.*set METRICS_PORT to"):
        start(metrics_port=port)


def test_a_client_that_hangs_holds_up_neither_the_others_nor_the_end(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may take an hour: whoever waited for it would not come back here."""
    monkeypatch.setattr(endpoint._Handler, "timeout", 3600)
    telemetry = start(metrics_port=0)
    assert telemetry.port is not None
    with socket.create_connection(("127.0.0.1", telemetry.port)):
        assert get(telemetry, "/healthz")[0] == 200
        closing = threading.Thread(target=telemetry.close, daemon=True)
        closing.start()
        closing.join(HANGS_S)
        assert not closing.is_alive()
    with (
        pytest.raises(ConnectionRefusedError),
        socket.create_connection(("127.0.0.1", telemetry.port)),
    ):
        pass
