"""deploy/docker-compose.yml is valid, pinned, health-checked and on loopback only."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _project(*names: str, profile: str = "") -> dict[str, Any]:
    """The files of deploy/ as docker compose puts them together, with a profile's services."""
    compose = Path(sys.executable).with_name("docker-compose")
    files = [argument for name in names for argument in ("-f", ROOT / "deploy" / name)]
    finished = subprocess.run(
        [
            compose,
            *files,
            *(("--profile", profile) if profile else ()),
            "config",
            "--format",
            "json",
        ],
        env={**os.environ, "POSTGRES_PASSWORD": "test"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    found: dict[str, Any] = json.loads(finished.stdout)
    return found


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = _project("docker-compose.yml")["services"]
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


def test_the_profile_of_mlflow_adds_a_server_its_database_and_its_store(
    services: dict[str, Any],
) -> None:
    found = _project("docker-compose.yml", profile="mlflow")["services"]
    assert {name: found[name] for name in services} == services
    added = {name: one for name, one in found.items() if name not in services}
    assert set(added) == {"mlflow", "runs", "artifacts"}
    for name, one in added.items():
        assert any(c.isdigit() for c in one["image"].partition(":")[2]), name
        assert "healthcheck" in one, name
        assert all(port["host_ip"] == "127.0.0.1" for port in one.get("ports", ())), name
    server = added["mlflow"]
    assert set(server["depends_on"]) == {"runs", "artifacts"}
    assert server["environment"]["PGPASSWORD"] == added["artifacts"]["environment"]["KEY"] == "test"
    command = server["command"][-1]
    assert "--backend-store-uri postgresql://mlflow@runs:5432/mlflow" in command
    assert "--artifacts-destination s3://mlflow" in command
    # the server of the lock file by which models are trained
    lock = (ROOT / "training" / "requirements.lock").read_text()
    version = server["image"].partition(":")[2]
    assert re.search(rf"^mlflow=={re.escape(version)} ", lock, re.MULTILINE)
    assert "COPY requirements.lock" in server["build"]["dockerfile_inline"]


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


def test_the_tls_profile_adds_files_only(services: dict[str, Any]) -> None:
    project = _project("docker-compose.yml", "docker-compose.tls.yml")
    secrets = {secret["file"] for secret in project["secrets"].values()}
    assert {Path(file).name for file in secrets} == {"server.crt", "server.key"}
    plain, tls = services["timescaledb"], project["services"]["timescaledb"]
    added = {name for name in tls if tls[name] != plain.get(name)}
    assert added == {"command", "entrypoint", "secrets", "volumes"}


def test_the_tls_profile_mounts_what_its_settings_name() -> None:
    tls = _project("docker-compose.yml", "docker-compose.tls.yml")["services"]["timescaledb"]
    mounts = {mount["target"]: Path(mount["source"]) for mount in tls["volumes"]}
    settings = mounts["/etc/postgresql"]
    assert tls["command"][-1] == "config_file=/etc/postgresql/container.conf"
    text = (settings / "container.conf").read_text()
    named = dict(re.findall(r"^(\w+) (?:= )?'(.*)'$", text, re.MULTILINE))
    assert (settings / named["include"]).exists()
    assert (settings / Path(named["hba_file"]).name).exists()
    assert named["ssl_cert_file"] in {secret["target"] for secret in tls["secrets"]}
    assert f"/run/secrets/server.key {named['ssl_key_file']} " in tls["entrypoint"][2]
    assert f"include '{next(iter(mounts))}/postgresql.conf'" in text
