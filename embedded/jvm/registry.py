"""Apicurio Registry with its schemas in memory, on the loopback."""

from __future__ import annotations

import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from embedded.jvm import process

POM = Path(__file__).with_name("pom-registry.xml")
JAVA = 21


@dataclass(frozen=True)
class Service:
    """A running registry; url is that of its Confluent API. Its schemas end with it."""

    url: str
    directory: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """The registry's process."""
        return self.process.pid


def missing() -> str | None:
    """Return why the registry cannot run here, or None."""
    return process.missing(POM, JAVA)


def start(directory: Path, port: int = 0) -> Service:
    """Start an empty registry with its log in `directory`. port: 0 takes a free one.

    Raises ServiceError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    port = port or process.free_port()
    url = f"http://{process.HOST}:{port}/apis/ccompat/v7"
    command = [str(process.java(JAVA)), "-Xmx512m", "-XX:TieredStopAtLevel=1"]
    command += [
        f"-Dquarkus.http.host={process.HOST}",
        f"-Dquarkus.http.port={port}",
        f"-Dquarkus.management.host={process.HOST}",
        "-Dquarkus.management.port=0",
        "-Dquarkus.log.level=WARN",
        "-jar",
        str(process.fetch(POM) / "quarkus-run.jar"),
    ]

    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"{url}/subjects", timeout=5):  # noqa: S310 - loopback
                return True
        except (OSError, urllib.error.URLError):
            return False

    return Service(url, directory, port, process.launch(command, directory, ready))


def stop(service: Service) -> None:
    """Stop the registry; its schemas are gone."""
    process.end(service.process)
