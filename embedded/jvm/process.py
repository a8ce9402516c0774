"""Fetch jars with Maven and run them: what the services have in common."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

CACHE = Path.home() / ".cache" / "point-in-time-features" / "jvm"
HOST = "127.0.0.1"
FETCH_S = 400.0
START_S = 90.0
STOP_S = 30.0


class ServiceError(Exception):
    """A service cannot be fetched, does not start or does not stop; the text says why."""


@functools.cache
def java(least: int) -> str | None:
    """Return a `java` of at least this feature version: JAVA_HOME's, the PATH's, an installed one.

    Debian keeps several beside each other, and the one on the PATH is not the newest.
    """
    home, found = os.environ.get("JAVA_HOME"), shutil.which("java")
    named = ([Path(home) / "bin" / "java"] if home else []) + ([Path(found)] if found else [])
    for path in [*named, *sorted(Path("/usr/lib/jvm").glob("*/bin/java"))]:
        if not path.exists():
            continue
        said = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=30)
        version = re.search(r'version "(\d+)', said.stderr)
        if version and int(version[1]) >= least:
            return str(path)
    return None


def fetch(pom: Path) -> Path:
    """Return the directory with the jars of a pom (archives unpacked), fetched once a machine.

    Raises ServiceError with Maven's own words.
    """
    place = CACHE / hashlib.sha256(pom.read_bytes()).hexdigest()[:16]
    if place.exists():
        return place
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        jars = Path(scratch) / "jars"
        command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
        try:
            done = subprocess.run(
                [*command, f"-DoutputDirectory={jars}"],
                capture_output=True,
                text=True,
                timeout=FETCH_S,
            )
        except subprocess.TimeoutExpired:
            raise ServiceError(f"Maven did not fetch {pom.name} in {FETCH_S:.0f} s") from None
        if done.returncode != 0:
            said = next((line for line in done.stdout.splitlines() if "ERROR" in line), "no reason")
            raise ServiceError(f"Maven cannot fetch {pom.name}: {said[:300]}")
        for archive in jars.glob("*.tar.gz"):
            with tarfile.open(archive) as packed:
                packed.extractall(jars, filter="data")
            archive.unlink()
        try:
            jars.rename(place)
        except OSError:  # another process came first
            if not place.exists():
                raise
    return place


@functools.cache
def missing(pom: Path, least: int) -> str | None:
    """Return why a service cannot run here, or None. least: the Java version it needs."""
    if java(least) is None:
        return f"no Java {least} or newer: needed by {pom.name}"
    if shutil.which("mvn") is None:
        return "no Maven on the PATH"
    try:
        fetch(pom)
    except ServiceError as error:
        return str(error)
    return None


def free_port() -> int:
    """Return a port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def launch(
    command: Sequence[str], directory: Path, ready: Callable[[], bool], user: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a process that logs to <directory>/service.log and return it once ready() is true.

    user: who runs it; only root can choose. Raises ServiceError with the end of the log.
    """
    log_file = directory / "service.log"
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=directory,
            start_new_session=True,
            user=user,
        )
    try:
        deadline = time.monotonic() + START_S
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                said = log_file.read_text(errors="replace")[-2000:]
                raise ServiceError(f"{command[-1]} did not start: {said}")
            time.sleep(0.1)
    except BaseException:
        end(process, signal.SIGKILL)
        raise
    return process


def end(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> None:
    """Send the signal and wait for the end; killed when it outlives the wait."""
    process.send_signal(number)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_S)
        raise ServiceError(
            f"process {process.pid} outlived {number.name} by {STOP_S:.0f} s"
        ) from None
