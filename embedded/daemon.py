"""What the embedded services that are one foreign program share: start, find and stop it."""

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
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from embedded.errors import (
    AlreadyRunningError,
    EmbeddedError,
    PortInUseError,
    StartError,
    UserError,
)

HOST = "127.0.0.1"
POLL_S = 0.02
START_S = 20.0
STOP_S = 10.0


@dataclass(frozen=True)
class Daemon:
    """A running process: what its clients connect to, and where its state and its log are."""

    address: str
    pid: int
    port: int
    directory: Path
    log_file: Path


@dataclass(frozen=True)
class Service:
    """A program that runs as one detached process per directory, on the loopback.

    name: what messages call it. module: the module whose command line it is; its last part also
    names the state file and the log. default_directory: where it runs when none is named.
    command: the program and its arguments for a port; may raise InstallError.
    address: what clients connect to, with {port} in it.
    answers: whether it serves clients on a port yet.
    """

    name: str
    module: str
    default_directory: Path
    command: Callable[[int], list[str]]
    address: str
    answers: Callable[[int], bool]

    def status(self, directory: Path | str) -> Daemon | None:
        """The process that was started under `directory`, or None when none is running."""
        place = Path(directory).resolve()
        try:
            state = json.loads(self._file(place, ".json").read_text())
            pid, port, birth = int(state["pid"]), int(state["port"]), state["birth"]
        except (OSError, ValueError, TypeError, KeyError):
            return None
        if birth is None or _birth(pid) != birth:
            return None
        return self._daemon(place, pid, port)

    def start(self, directory: Path | str, port: int, timeout_s: float) -> Daemon:
        """Start a process with its state and log in `directory`; return when it answers.

        port: 0 takes a free one. timeout_s: how long it may take to answer, and before that how
        long another starter is waited for. Raises AlreadyRunningError, PortInUseError,
        InstallError, StartError.
        """
        place = Path(directory).resolve()
        place.mkdir(parents=True, exist_ok=True)
        lock_file = place / "lock"
        with lock_file.open("w") as lock:
            if not _within(timeout_s, lambda: self._owns(place, lock)):
                raise AlreadyRunningError(
                    f"{place} is in use by a process that left no state there: find it with "
                    f"`fuser {lock_file}`, and end it"
                )
            return self._run(place, _free_port(port), lock, timeout_s)

    def stop(self, directory: Path | str, timeout_s: float) -> bool:
        """End the process by SIGTERM and wait for it; return False when none was running.

        Raises EmbeddedError when it does not end in time.
        """
        running = self.status(directory)
        if running is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(running.pid, signal.SIGTERM)
        if not _within(timeout_s, lambda: self.status(directory) != running):
            raise EmbeddedError(
                f"process {running.pid} did not stop within {timeout_s:.0f} s: "
                f"see {running.log_file}"
            )
        with suppress(ChildProcessError):  # a zombie, when this very program started it
            os.waitpid(running.pid, os.WNOHANG)
        return True

    def main(self, description: str | None, argv: list[str] | None) -> int:
        """Run one command; returns the exit code (1: refused, see stderr; 3: none is running)."""
        parser = argparse.ArgumentParser(prog=f"python -m {self.module}", description=description)
        parser.add_argument("command", choices=("start", "stop", "status"))
        parser.add_argument("--directory", type=Path, default=self.default_directory)
        parser.add_argument("--port", type=int, default=0, help="0 (default): a free one")
        args = parser.parse_args(argv)
        none = f"no {self.name} is running in {args.directory}"
        try:
            if args.command == "start":
                print(self.start(args.directory, args.port, START_S).address)
                return 0
            if args.command == "stop":
                print("stopped" if self.stop(args.directory, STOP_S) else none)
                return 0
        except UserError as error:
            print(error, file=sys.stderr)
            return 1
        running = self.status(args.directory)
        print(running.address if running else none)
        return 0 if running else 3

    def _file(self, place: Path, suffix: str) -> Path:
        return place / (self.module.rpartition(".")[2] + suffix)

    def _daemon(self, place: Path, pid: int, port: int) -> Daemon:
        address = self.address.format(port=port)
        return Daemon(address, pid, port, place, self._file(place, ".log"))

    def _owns(self, place: Path, lock: TextIO) -> bool:
        running = self.status(place)
        if running is not None:
            raise AlreadyRunningError(
                f"{place} is in use by process {running.pid}, a {self.name} at {running.address}: "
                f"use that one, or stop it with `python -m {self.module} stop`"
            )
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _run(self, place: Path, port: int, lock: TextIO, timeout_s: float) -> Daemon:
        command = self.command(port)
        log_file = self._file(place, ".log")
        with log_file.open("ab") as log:
            log_from = log.tell()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=place,
                start_new_session=True,
                # It holds the lock while it lives: a starter that is killed before it has written
                # the state leaves no directory that a second process could be started on.
                pass_fds=[lock.fileno()],
            )

        def ready() -> bool:
            if process.poll() is None:
                return self.answers(port)
            said = log_file.read_bytes()[log_from:].decode(errors="replace").strip()
            raise StartError(
                f"the {self.name} on port {port} did not start: {said}\nlog: {log_file}"
            )

        try:
            if not _within(timeout_s, ready):
                raise StartError(
                    f"the {self.name} did not answer within {timeout_s:.0f} s: see {log_file}"
                )
            state = {"pid": process.pid, "port": port, "birth": _birth(process.pid)}
            temporary = self._file(place, ".json.new")
            temporary.write_text(json.dumps(state, indent=2) + "\n")
            temporary.replace(self._file(place, ".json"))
        except BaseException:  # Ctrl-C as well
            process.kill()
            process.wait()
            raise
        return self._daemon(place, process.pid, port)


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


def _within(timeout_s: float, done: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _birth(pid: int) -> str | None:
    """The boot and the clock tick a live process began at, which no later one of its pid shares."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # From field 3 of proc(5) on: the name before it may hold spaces and parentheses.
    state, *fields = stat.rpartition(b")")[2].split()
    threads, start_tick = int(fields[16]), int(fields[18])
    # A zombie's other threads may still be closing its port and its files.
    return None if state in (b"Z", b"X") and threads <= 1 else f"{boot} {start_tick}"
