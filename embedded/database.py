"""Start, stop and inspect the embedded TimescaleDB: one detached process per data directory."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from embedded.daemon import HOST, Daemon, Service
from embedded.node import PACKAGE_DIR, ensure_engine

DEFAULT_DATA_DIR = Path(".state/timescaledb")
SSL_REQUEST = bytes([0, 0, 0, 8, 4, 210, 22, 47])


@dataclass(frozen=True)
class EmbeddedDatabase(Daemon):
    """A running engine: where it listens, which process it is, where its rows and its log are."""

    @property
    def url(self) -> str:
        """What clients connect to."""
        return self.address

    @property
    def data_dir(self) -> Path:
        """Its rows; once it is stopped they may be copied or moved."""
        return self.directory


# V8 compiles a function anew, optimised, once so much of it has run. By its own number an engine
# that lives for seconds spends up to a third of its CPU time on that; one that works for minutes is
# no slower by this one.
FLAGS = ("--wasm-tiering-budget=100000000",)


def _command(directory: Path, port: int) -> list[str]:
    program = [str(ensure_engine()), *FLAGS, str(PACKAGE_DIR / "server.mjs")]
    return [*program, str(directory), str(port)]


def _answers(port: int) -> bool:
    # the port is bound before the data are open, and until then nobody gets an answer
    try:
        with socket.create_connection((HOST, port), timeout=1) as asking:
            asking.sendall(SSL_REQUEST)
            return asking.recv(1) == b"N"
    except OSError:
        return False


SERVICE = Service(
    name="database",
    module="embedded",
    running=EmbeddedDatabase,
    default_directory=DEFAULT_DATA_DIR,
    command=_command,
    address=f"postgresql://postgres@{HOST}:{{port}}/postgres",
    answers=_answers,
    beside=True,
    start_s=60.0,
    stop_s=30.0,
)
status, stop = SERVICE.status, SERVICE.stop


def start(
    data_dir: Path | str | None = None,
    port: int = 0,
    log_file: Path | str | None = None,
    *,
    timeout_s: float | None = None,
    lock_wait_s: float | None = None,
    idle_transaction_s: float | None = None,
    jobs_every_s: float | None = None,
) -> EmbeddedDatabase:
    """Start the engine on `data_dir` (created when absent) and return when it answers.

    port: 0 takes a free one. log_file: by default beside the data directory.
    timeout_s: how long it may take to answer (default 60).
    lock_wait_s: how long a client waits for another one's transaction (default 30).
    idle_transaction_s: how long a transaction may sit idle (default 60; 0: for ever).
    jobs_every_s: how often TimescaleDB's due jobs are looked for (default 5; 0: never).
    The three also come from EMBEDDED_LOCK_WAIT_S, EMBEDDED_IDLE_TRANSACTION_S and
    EMBEDDED_JOBS_EVERY_S. Raises AlreadyRunningError, PortInUseError, StartError, InstallError.
    """
    settings = {
        "EMBEDDED_LOCK_WAIT_S": lock_wait_s,
        "EMBEDDED_IDLE_TRANSACTION_S": idle_transaction_s,
        "EMBEDDED_JOBS_EVERY_S": jobs_every_s,
    }
    env = {name: str(value) for name, value in settings.items() if value is not None}
    return SERVICE.start(data_dir, port, timeout_s=timeout_s, log_file=log_file, env=env)
