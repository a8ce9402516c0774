"""Choose the engine: DATABASE_URL, else a container, else the embedded TimescaleDB."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EngineUnavailable

STATE_DIR = Path(__file__).resolve().parent.parent / ".state"
IMAGE = "timescale/timescaledb:2.29.2-pg17"
CHOICES = ("given", "container", "embedded")


@dataclass(frozen=True)
class Engine:
    """A running engine: which of CHOICES it is, its address, and how to stop it."""

    kind: str
    url: str
    stop: Callable[[], None]


def choice() -> str:
    """Name of the engine to use: ENGINE if set, else the first of CHOICES that is there."""
    forced = os.environ.get("ENGINE")
    if forced is not None:
        if forced not in CHOICES:
            raise EngineUnavailable(
                f"ENGINE={forced!r} is unknown; use one of {', '.join(CHOICES)}"
            )
        if forced == "given" and not os.environ.get("DATABASE_URL"):
            raise EngineUnavailable(
                "ENGINE=given needs DATABASE_URL, for example postgresql://user@host/db"
            )
        return forced
    if os.environ.get("DATABASE_URL"):
        return "given"
    return "container" if docker_answers() else "embedded"


def docker_answers() -> bool:
    """Whether a Docker engine can be talked to."""
    try:
        import docker
    except ImportError:  # testcontainers is a development dependency
        return False
    try:
        client = docker.from_env(timeout=5)
    except docker.errors.DockerException:
        return False
    client.close()
    return True


def start(data_dir: Path | None = None) -> Engine:
    """Start the chosen engine, or find it running, and return its address.

    data_dir: where an embedded engine keeps its data; default .state/timescaledb.
    Errors: EngineUnavailable.
    """
    kind = choice()
    if kind == "given":
        return Engine(kind, os.environ["DATABASE_URL"], lambda: None)
    if kind == "container":
        return _container()
    from embedded import database

    directory = data_dir or STATE_DIR / "timescaledb"
    running = database.status(directory) or database.start(directory)
    return Engine(kind, running.url, lambda: database.stop(directory))


def _container() -> Engine:
    try:
        from testcontainers.postgres import PostgresContainer
    except ImportError as error:
        raise EngineUnavailable(
            "ENGINE=container needs testcontainers: run make install"
        ) from error
    container = PostgresContainer(IMAGE, username="postgres", dbname="postgres", driver=None)
    try:
        container.start()
    except Exception as error:  # docker, its registry and the image fail in many ways
        raise EngineUnavailable(
            f"the container {IMAGE} did not start: {error}; set DATABASE_URL or ENGINE=embedded"
        ) from error
    return Engine("container", container.get_connection_url(), container.stop)
