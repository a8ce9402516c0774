"""Triton: NVIDIA's inference server for CPUs, from PyPI's nvidia-pytriton, as a detached process.

    python -m serving.triton start|stop|status [--directory .state/triton] [--port 0]

It listens on the loopback for HTTP, gRPC and metrics, and serves what the router tells it to load
from the model repository: SERVING_REPOSITORY, else .state/models. It runs in .venv-serving. With
TRITON_URL the router uses a server of yours, on the same repository, started with
--model-control-mode=explicit.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from embedded.daemon import HOST, Daemon, Service
from embedded.errors import InstallError
from engine.settings import ENVIRONMENT, Env, text
from serving.layout import ROOT, repository

DEFAULT_DIRECTORY = ROOT / ".state" / "triton"
ENVIRONMENT_OF = ROOT / ".venv-serving"
PORTS = "ports.json"
BACKENDS = "backends"


@dataclass(frozen=True)
class EmbeddedTriton(Daemon):
    """A running server: its address for HTTP, which process it is, where its log is."""

    @property
    def url(self) -> str:
        """What clients of HTTP connect to."""
        return self.address

    @property
    def grpc(self) -> str:
        """host:port for clients of gRPC."""
        return f"{HOST}:{_ports(self.directory)['grpc']}"

    @property
    def metrics(self) -> str:
        """Where Prometheus reads."""
        return f"http://{HOST}:{_ports(self.directory)['metrics']}/metrics"


def _ports(directory: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads((directory / PORTS).read_text())
    return found


def python() -> Path:
    """The interpreter of .venv-serving. Errors: InstallError where there is none."""
    found = ENVIRONMENT_OF / "bin" / "python"
    if not (ENVIRONMENT_OF / ".installed").exists():
        raise InstallError(
            f"Triton is missing: run `make {ENVIRONMENT_OF.name}/.installed`, or set TRITON_URL to "
            "a server that runs elsewhere"
        )
    return found


def _command(directory: Path, port: int) -> list[str]:
    interpreter = python()
    packages = ENVIRONMENT_OF / "lib" / "python3.11" / "site-packages"
    triton = packages / "pytriton" / "tritonserver"
    backend = directory / BACKENDS / "python"
    shutil.rmtree(backend, ignore_errors=True)
    backend.mkdir(parents=True)
    for file in (triton / "backends" / "python").iterdir():
        shutil.copy(file, backend)
    shutil.copy(triton / "python_backend_stubs" / "3.11" / "triton_python_backend_stub", backend)
    models = repository(ENVIRONMENT)
    models.mkdir(parents=True, exist_ok=True)
    grpc, metrics = _free(), _free()
    (directory / PORTS).write_text(json.dumps({"grpc": grpc, "metrics": metrics}))
    libraries = subprocess.run(
        [interpreter, "-c", "import sysconfig; print(sysconfig.get_config_var('LIBDIR'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    return [
        "env",
        # else the backend takes Debian's libpython for the interpreter's
        f"LD_LIBRARY_PATH={libraries}:{packages / 'nvidia_pytriton.libs'}",
        f"PYTHONPATH={packages}",
        f"PATH={interpreter.parent}:{os.environ.get('PATH', '')}",
        # the learners are told one thread each, and the libraries below them
        "OMP_NUM_THREADS=1",
        str(triton / "bin" / "tritonserver"),
        f"--model-repository={models}",
        f"--backend-directory={directory / BACKENDS}",
        "--model-control-mode=explicit",
        "--disable-auto-complete-config",
        *(f"--http-address={HOST}", f"--http-port={port}"),
        *(f"--grpc-address={HOST}", f"--grpc-port={grpc}"),
        *(f"--metrics-address={HOST}", f"--metrics-port={metrics}"),
        "--exit-timeout-secs=5",
    ]


def _free() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/v2/health/live", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


SERVICE = Service(
    name="Triton server",
    module="serving.triton",
    running=EmbeddedTriton,
    default_directory=DEFAULT_DIRECTORY,
    command=_command,
    address=f"http://{HOST}:{{port}}",
    answers=_answers,
    start_s=60.0,
    stop_s=20.0,
)
status, start, stop = SERVICE.status, SERVICE.start, SERVICE.stop


def found(env: Env) -> str:
    """TRITON_URL, else the address of the embedded one, started where it does not run.

    Errors: InstallError, StartError.
    """
    given = text(env, "TRITON_URL")
    if given:
        return given.rstrip("/")
    running = status()
    return (running or start()).address


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code (1: refused, see stderr; 3: no server runs)."""
    return SERVICE.main(__doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
