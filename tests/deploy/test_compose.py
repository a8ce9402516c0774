"""deploy/docker-compose.yml is valid, pinned, health-checked and on loopback only."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    compose = Path(sys.executable).with_name("docker-compose")
    finished = subprocess.run(
        [compose, "-f", ROOT / "deploy" / "docker-compose.yml", "config", "--format", "json"],
        env={**os.environ, "POSTGRES_PASSWORD": "test"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    found: dict[str, Any] = json.loads(finished.stdout)["services"]
    return found


def test_it_brings_the_four_services(services: dict[str, Any]) -> None:
    assert set(services) == {"timescaledb", "kafka", "registry", "redis"}


def test_every_image_is_pinned(services: dict[str, Any]) -> None:
    for name, service in services.items():
        _, _, tag = service["image"].partition(":")
        assert any(c.isdigit() for c in tag), f"{name}: {service['image']} is not pinned"


def test_every_service_has_a_health_check(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "healthcheck" not in service] == []


def test_every_port_is_on_loopback(services: dict[str, Any]) -> None:
    for service in services.values():
        assert all(port["host_ip"] == "127.0.0.1" for port in service["ports"])


def test_the_database_password_has_no_default() -> None:
    compose = Path(sys.executable).with_name("docker-compose")
    finished = subprocess.run(
        [compose, "-f", ROOT / "deploy" / "docker-compose.yml", "config"],
        env={k: v for k, v in os.environ.items() if k != "POSTGRES_PASSWORD"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode != 0
    assert "set POSTGRES_PASSWORD" in finished.stderr
