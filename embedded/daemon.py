"""What the embedded services share: start a program, find it and stop it."""

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
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TextIO, TypeVar

from embedded.errors import (
    AlreadyRunningError,
    EmbeddedError,
    PortInUseError,
    StartError,
    UserError,
)

HOST = "127.0.0.1"
POLL_S = 0.02


@dataclass(frozen=True)
class Daemon:
    """A running process: what its clients connect to, and where its state and its log are."""

    address: str
    pid: int
    port: int
    directory: Path
    log_file: Path


Running = TypeVar("Running", bound=Daemon)


@dataclass(frozen=True)
class Service(Generic[Running]):
    """A program that runs as one detached process per directory, on the loopback.

    name: what messages call it. module: the module whose command line it is; its last part also
    names the state file and the log. running: what describes a process of it.
    default_directory: where it runs when none is named.
    command: the program and its arguments for a directory and a port; may raise InstallError.
    address: what clients connect to, with {port} in it.
    answers: whether it serves clients on a port yet.
    beside: whether the directory is the program's alone: it may be copied as a whole, and the
    state, the log and the lock stand beside it under its name.
    start_s, stop_s: how long it may take to answer, and to end.
    """

    name: str
    module: str
    running: type[Running]
    default_directory: Path
    command: Callable[[Path, int], list[str]]
    address: str
    answers: Callable[[int], bool]
    beside: bool = False
    start_s: float = 20.0
    stop_s: float = 10.0

    def status(self, directory: Path | str | None = None) -> Running | None:
        """The process that was started under `directory`, or None when none is running."""
        place = self._place(directory)
        found = written(self._file(place, ".json"))
        return None if found is None else self._daemon(place, *found)

    def log(self, directory: Path | str | None = None) -> Path:
        """Where a process under `directory` writes, unless it is started with another log."""
        return self._file(self._place(directory), ".log")

    def start(
        self,
        directory: Path | str | None = None,
        port: int = 0,
        *,
        timeout_s: float | None = None,
        log_file: Path | str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Running:
        """Start a process on `directory`, which is created when absent; return when it answers.

        port: 0 takes a free one. timeout_s: how long it may take to answer, and before that how
        long another starter is waited for. env: on top of this process's own.
        Raises AlreadyRunningError, PortInUseError, InstallError, StartError.
        """
        place = self._place(directory)
        (place.parent if self.beside else place).mkdir(parents=True, exist_ok=True)
        log_path = Path(log_file).resolve() if log_file else self.log(place)
        log_path.parent.mkdir(parents=True, exist_ok=True)
        timeout_s = self.start_s if timeout_s is None else timeout_s
        lock_file = self._file(place, ".start.lock") if self.beside else place / "lock"
        with lock_file.open("w") as lock:
            if not _within(timeout_s, lambda: self._owns(place, lock)):
                raise AlreadyRunningError(
                    f"{place} is in use by a process that left no state there: find it with "
                    f"`fuser {lock_file}`, and end it"
                )
            process = self._launch(place, _free_port(port), lock, log_path, timeout_s, env or {})
        return self._daemon(place, *process, log_path)

    def stop(self, directory: Path | str | None = None, timeout_s: float | None = None) -> bool:
        """End the process by SIGTERM and wait for it; return False when none was running.

        Raises EmbeddedError when it does not end in time.
        """
        running = self.status(directory)
        if running is None:
            return False
        timeout_s = self.stop_s if timeout_s is None else timeout_s
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
                print(self.start(args.directory, args.port).address)
                return 0
            if args.command == "stop":
                print(f"{self.name} stopped" if self.stop(args.directory) else none)
                return 0
        except UserError as error:
            print(error, file=sys.stderr)
            return 1
        running = self.status(args.directory)
        print(running.address if running else none)
        return 0 if running else 3

    def _place(self, directory: Path | str | None) -> Path:
        return Path(self.default_directory if directory is None else directory).resolve()

    def _file(self, place: Path, suffix: str) -> Path:
        if self.beside:
            return place.with_name(place.name + suffix)
        return place / (self.module.rpartition(".")[2] + suffix)

    def _daemon(self, place: Path, pid: int, port: int, log_file: Path) -> Running:
        return self.running(self.address.format(port=port), pid, port, place, log_file)

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

    def _launch(
        self,
        place: Path,
        port: int,
        lock: TextIO,
        log_file: Path,
        timeout_s: float,
        env: Mapping[str, str],
    ) -> tuple[int, int]:
        """Pid and port of a new process that answers."""
        command = self.command(place, port)
        with log_file.open("ab") as log:
            log_from = log.tell()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | env,
                cwd=place.parent if self.beside else place,
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
            state = {
                "pid": process.pid,
                "port": port,
                "birth": birth(process.pid),
                "log_file": str(log_file),
            }
            temporary = self._file(place, ".json.new")
            temporary.write_text(json.dumps(state, indent=2) + "\n")
            temporary.replace(self._file(place, ".json"))
        except BaseException:  # Ctrl-C as well
            process.kill()
            process.wait()
            raise
        return process.pid, port


def written(file: Path) -> tuple[int, int, Path] | None:
    """Pid, port and log of the process that a state file is of; None once that has ended."""
    try:
        state = json.loads(file.read_text())
        pid, port, began = int(state["pid"]), int(state["port"]), state["birth"]
        log_file = Path(state["log_file"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return None if began is None or birth(pid) != began else (pid, port, log_file)


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


def birth(pid: int) -> str | None:
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
