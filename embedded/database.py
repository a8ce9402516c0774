"""Start, stop and inspect the embedded TimescaleDB: one detached process per data directory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from embedded.errors import AlreadyRunningError, EmbeddedError, PortInUseError, StartError
from embedded.node import PACKAGE_DIR, ensure_engine

DEFAULT_DATA_DIR = Path(".state/timescaledb")
SERVER = PACKAGE_DIR / "server.mjs"
POLL_S = 0.05


@dataclass(frozen=True)
class EmbeddedDatabase:
    """A running engine: where it listens, which process it is, where its rows and its log are."""

    url: str
    pid: int
    port: int
    data_dir: Path
    log_file: Path


def _beside(data_dir: Path, suffix: str) -> Path:
    return data_dir.with_name(data_dir.name + suffix)


def _is_server(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return str(SERVER).encode() in command


def status(data_dir: Path | str = DEFAULT_DATA_DIR) -> EmbeddedDatabase | None:
    """Return the engine that serves `data_dir`, or None when none is running."""
    directory = Path(data_dir).resolve()
    try:
        state = json.loads(_beside(directory, ".json").read_text())
    except (OSError, ValueError):
        return None
    if "url" not in state or not _is_server(state["pid"]):
        return None
    return EmbeddedDatabase(
        url=state["url"],
        pid=state["pid"],
        port=state["port"],
        data_dir=directory,
        log_file=Path(state["log_file"]),
    )


def start(
    data_dir: Path | str = DEFAULT_DATA_DIR,
    port: int = 0,
    log_file: Path | str | None = None,
    *,
    timeout_s: float = 60.0,
    lock_wait_s: float | None = None,
    idle_transaction_s: float | None = None,
    jobs_every_s: float | None = None,
) -> EmbeddedDatabase:
    """Start the engine on `data_dir` (created when absent) and return when it answers.

    port: 0 takes a free one. log_file: by default beside the data directory.
    lock_wait_s: how long a client waits for another one's transaction (default 30).
    idle_transaction_s: how long a transaction may sit idle (default 60; 0: for ever).
    jobs_every_s: how often TimescaleDB's due jobs are looked for (default 5; 0: never).
    The three also come from EMBEDDED_LOCK_WAIT_S, EMBEDDED_IDLE_TRANSACTION_S and
    EMBEDDED_JOBS_EVERY_S. Raises AlreadyRunningError, PortInUseError, StartError, InstallError.
    """
    directory = Path(data_dir).resolve()
    node = ensure_engine()
    directory.parent.mkdir(parents=True, exist_ok=True)
    log_path = Path(log_file).resolve() if log_file else _beside(directory, ".log")
    log_path.parent.mkdir(parents=True, exist_ok=True)
    ready = _beside(directory, f".ready.{os.getpid()}.{time.monotonic_ns()}")
    settings = {
        "EMBEDDED_LOCK_WAIT_S": lock_wait_s,
        "EMBEDDED_IDLE_TRANSACTION_S": idle_transaction_s,
        "EMBEDDED_JOBS_EVERY_S": jobs_every_s,
    }
    env = os.environ | {name: str(value) for name, value in settings.items() if value is not None}
    with log_path.open("ab") as log:
        log_from = log.tell()
        process = subprocess.Popen(
            [str(node), str(SERVER), str(directory), str(port), str(ready)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=env,
            cwd=PACKAGE_DIR,
            start_new_session=True,
        )
    deadline = time.monotonic() + timeout_s
    while not ready.exists():
        if process.poll() is not None:
            raise _start_error(directory, log_path, log_from)
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise StartError(f"the engine did not answer within {timeout_s:.0f} s: see {log_path}")
        time.sleep(POLL_S)
    bound = int(json.loads(ready.read_text())["port"])
    ready.unlink()
    database = EmbeddedDatabase(
        url=f"postgresql://postgres@127.0.0.1:{bound}/postgres",
        pid=process.pid,
        port=bound,
        data_dir=directory,
        log_file=log_path,
    )
    state = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in asdict(database).items()
    }
    temporary = _beside(directory, ".json.new")
    temporary.write_text(json.dumps(state, indent=2) + "\n")
    temporary.replace(_beside(directory, ".json"))
    return database


def _start_error(directory: Path, log_path: Path, log_from: int) -> StartError:
    with log_path.open("rb") as log:
        log.seek(log_from)
        said = log.read().decode(errors="replace").strip()
    reason = said.splitlines()[-1].partition(" ")[2] if said else "it said nothing"
    if "is in use by process" in said:
        return AlreadyRunningError(reason)
    if "is in use: choose" in said:
        return PortInUseError(reason)
    return StartError(f"the engine on {directory} did not start: {said}\nlog: {log_path}")


def stop(data_dir: Path | str = DEFAULT_DATA_DIR, timeout_s: float = 30.0) -> bool:
    """Stop the engine in order: afterwards the data directory may be copied or moved.

    Returns False when none was running. Raises EmbeddedError when it does not end in time.
    """
    running = status(data_dir)
    if running is None:
        return False
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    while not _has_ended(running.pid):
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"process {running.pid} still runs after {timeout_s:.0f} s: see {running.log_file}"
            )
        time.sleep(POLL_S)
    _beside(running.data_dir, ".json").unlink(missing_ok=True)
    return True


def _has_ended(pid: int) -> bool:
    try:
        # Reaps the process when this very program started it; a zombie still has a pid.
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return True
    except ChildProcessError:
        pass
    return not _is_server(pid)
