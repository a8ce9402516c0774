"""Choose the engine: DATABASE_URL, else a container, else the embedded TimescaleDB; and Redis.

Commands call these; what is below them is handed the addresses.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from engine import settings
from engine.errors import ConfigError, EngineUnavailable
from engine.settings import ENVIRONMENT, Env

STATE_DIR = Path(__file__).resolve().parent.parent / ".state"
COMPOSE = Path(__file__).resolve().parent.parent / "deploy" / "docker-compose.yml"
IMAGE = "timescale/timescaledb:2.29.2-pg17"
CHOICES = ("given", "container", "embedded")
COMPOSE_DEFAULTS = {"POSTGRES_PASSWORD": "local", "TIMESCALEDB_PORT": "54320"}


@dataclass(frozen=True)
class Engine:
    """A running engine: which of CHOICES it is, and its address."""

    kind: str
    url: str


def choice(env: Env = ENVIRONMENT) -> str:
    """Name of the engine to use: ENGINE if set, else the first of CHOICES that is there.

    Errors: ConfigError.
    """
    forced = settings.choice(env, "ENGINE", CHOICES)
    given = settings.text(env, "DATABASE_URL")
    if forced == "given" and not given:
        raise ConfigError("ENGINE=given needs DATABASE_URL, for example postgresql://user@host/db")
    if forced:
        return forced
    if given:
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


def start(data_dir: Path | None = None, env: Env = ENVIRONMENT) -> Engine:
    """Start the chosen engine, or find it running, and return its address.

    data_dir: where an embedded engine keeps its data; default .state/timescaledb.
    Errors: EngineUnavailable, ConfigError, EmbeddedError.
    """
    kind = choice(env)
    if kind == "given":
        return Engine(kind, _readable(env["DATABASE_URL"]))
    if kind == "container":
        return _container(env)
    from embedded import database

    directory = data_dir or STATE_DIR / "timescaledb"
    running = database.status(directory) or database.start(directory)
    return Engine(kind, running.url)


def database_url(env: Env = ENVIRONMENT) -> str:
    """DATABASE_URL if set, whatever ENGINE says, else the address of the engine, started."""
    given = settings.text(env, "DATABASE_URL")
    return _readable(given) if given else start(env=env).url


def _readable(url: str) -> str:
    """The address, if libpq can read it. Errors: ConfigError, which does not repeat it."""
    try:
        conninfo_to_dict(url)
    except psycopg.Error:
        # libpq's own words would repeat what may hold a password
        raise ConfigError(
            "DATABASE_URL is no address: set it to postgresql://user@host:5432/database, or unset "
            "it for the engine that is there"
        ) from None
    return url


def kafka_bootstrap(env: Env = ENVIRONMENT) -> str | None:
    """KAFKA_BOOTSTRAP if set, else the embedded broker's host:port, None where none runs."""
    given = settings.text(env, "KAFKA_BOOTSTRAP")
    if given:
        return given
    from embedded import broker

    running = broker.status()
    return running.bootstrap if running else None


def redis_url(env: Env = ENVIRONMENT) -> str:
    """Address of a running Redis: REDIS_URL if set, else the container's, else the embedded one's.

    What is not given is started, or found running. REDIS_PORT is the container's port, default
    6379. Errors: EngineUnavailable, ConfigError.
    """
    given = settings.text(env, "REDIS_URL")
    if given:
        return given
    if choice(env) == "container":
        compose("up", "-d", "--wait", "redis", env=env)
        return f"redis://127.0.0.1:{settings.number(env, 'REDIS_PORT', 6379, 1, 65_535)}/0"
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


def compose(*arguments: str, env: Env = ENVIRONMENT) -> None:
    """Run docker compose on deploy/docker-compose.yml. Errors: EngineUnavailable."""
    command = ["docker", "compose", "-f", str(COMPOSE), *arguments]
    finished = subprocess.run(
        command, env=COMPOSE_DEFAULTS | dict(env), capture_output=True, text=True, check=False
    )
    if finished.returncode != 0:
        raise EngineUnavailable(
            f"{' '.join(command)} failed: {finished.stderr.strip()}; correct it, set DATABASE_URL, "
            "or use ENGINE=embedded"
        )


def _container(env: Env) -> Engine:
    compose("up", "-d", "--wait", "timescaledb", env=env)
    settled = COMPOSE_DEFAULTS | dict(env)
    password, port = quote(settled["POSTGRES_PASSWORD"]), settled["TIMESCALEDB_PORT"]
    return Engine("container", f"postgresql://postgres:{password}@127.0.0.1:{port}/features")
