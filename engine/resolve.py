"""Choose the engine: DATABASE_URL, else a container, else the embedded TimescaleDB; and Redis."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from engine.errors import EngineUnavailable

STATE_DIR = Path(__file__).resolve().parent.parent / ".state"
COMPOSE = Path(__file__).resolve().parent.parent / "deploy" / "docker-compose.yml"
IMAGE = "timescale/timescaledb:2.29.2-pg17"
CHOICES = ("given", "container", "embedded")


@dataclass(frozen=True)
class Engine:
    """A running engine: which of CHOICES it is, and its address."""

    kind: str
    url: str


def choice() -> str:
    """Name of the engine to use: ENGINE if set, else the first of CHOICES that is there."""
    forced = os.environ.get("ENGINE")
    if forced:
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
        return Engine(kind, os.environ["DATABASE_URL"])
    if kind == "container":
        return _container()
    from embedded import database

    directory = data_dir or STATE_DIR / "timescaledb"
    running = database.status(directory) or database.start(directory)
    return Engine(kind, running.url)


def redis_url() -> str:
    """Address of a running Redis: REDIS_URL if set, else the container's, else the embedded one's.

    What is not given is started, or found running. REDIS_PORT is the container's port, default
    6379. Errors: EngineUnavailable.
    """
    given = os.environ.get("REDIS_URL")
    if given:
        return given
    if choice() == "container":
        compose("up", "-d", "--wait", "redis")
        return f"redis://127.0.0.1:{os.environ.get('REDIS_PORT') or 6379}/0"
    from embedded import redis
    from embedded.errors import AlreadyRunningError, EmbeddedError

    directory = STATE_DIR / "redis"
    try:
        return redis.start(directory).url
    except AlreadyRunningError as error:
        running = redis.status(directory)
        if running is None:
            raise EngineUnavailable(str(error)) from error
        return running.url
    except EmbeddedError as error:
        raise EngineUnavailable(f"{error}\ncorrect it, or set REDIS_URL") from error


def compose(*arguments: str) -> None:
    """Run docker compose on deploy/docker-compose.yml. Errors: EngineUnavailable."""
    os.environ.setdefault("POSTGRES_PASSWORD", "local")
    command = ["docker", "compose", "-f", str(COMPOSE), *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise EngineUnavailable(
            f"{' '.join(command)} failed: {finished.stderr.strip()}; correct it, set DATABASE_URL, "
            "or use ENGINE=embedded"
        )


def _container() -> Engine:
    port = os.environ.setdefault("TIMESCALEDB_PORT", "54320")
    compose("up", "-d", "--wait", "timescaledb")
    password = quote(os.environ["POSTGRES_PASSWORD"])
    return Engine("container", f"postgresql://postgres:{password}@127.0.0.1:{port}/features")
