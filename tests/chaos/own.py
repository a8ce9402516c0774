"""Databases to ill-treat: stopped, killed and started again, on small disks that can be filled."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from embedded import database as embedded_database
from embedded.jvm import process
from engine.migrate import migrate

MIB = 1024 * 1024
DISK_MIB = 1024
SETTINGS = {
    "listen_addresses": process.HOST,
    "unix_socket_directories": "",
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
    "max_worker_processes": "24",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    # a new segment needs a place on the disk, and comes soon
    "wal_recycle": "off",
    "min_wal_size": "2MB",
}


@contextmanager
def small_disk(owner: int) -> Iterator[tuple[Path, bool]]:
    """A directory of that user, and whether it is a disk of its own; gone afterwards."""
    # not below pytest's own directory, which is root's alone
    place = Path(tempfile.mkdtemp(prefix="chaos_"))
    options = f"size={DISK_MIB}m,mode=700,uid={owner}"
    mount = ["mount", "-t", "tmpfs", "-o", options, "chaos", str(place)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
    if not mounted:
        os.chown(place, owner, -1)
    try:
        yield place, mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", place], check=True)
        shutil.rmtree(place)


def fill(disk: Path) -> None:
    """Leave no byte free on a small disk."""
    with (disk / "filler").open("ab", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(bytes(MIB))


def free(disk: Path) -> None:
    """Undo fill."""
    (disk / "filler").unlink()


class Embedded:
    """An embedded engine of the test's own."""

    def __init__(self, data: Path) -> None:
        """data: a stopped and migrated data directory."""
        self._data = data
        self._port = 0
        self.start()

    def start(self) -> None:
        """Start it, where it was before; it may run."""
        if embedded_database.status(self._data) is None:
            started = embedded_database.start(self._data, self._port, lock_wait_s=300)
            self._port, self.url = started.port, started.url

    def stop(self) -> None:
        """Stop it in order."""
        embedded_database.stop(self._data)

    def kill(self) -> None:
        """End it as a power cut does."""
        running = embedded_database.status(self._data)
        assert running is not None
        os.kill(running.pid, signal.SIGKILL)
        while embedded_database.status(self._data) is not None:
            time.sleep(0.05)


class Server:
    """A native server of the test's own."""

    def __init__(self, programs: Path, owner: int, data: Path, wal: Path) -> None:
        """programs: of PostgreSQL. data, wal: empty directories of the owner, not root."""
        self.programs = programs
        self._owner, self._data, self._port = owner, data, process.free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"postgresql://postgres@{process.HOST}:{self._port}/postgres"
        make: list[str | Path] = [programs / "initdb", "-D", data / "data", "-X", wal / "wal"]
        make += ["--wal-segsize=1", "-A", "trust", "-U", "postgres", "-E", "UTF8"]
        make += ["--locale=C", "--no-sync"]
        done = subprocess.run(
            make, cwd=data, user=owner, extra_groups=[], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        self._command = [str(programs / "postgres"), "-D", str(data / "data"), f"-p{self._port}"]
        self._command += [f"-c{name}={value}" for name, value in SETTINGS.items()]
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers; it may run, or be recovering by itself."""
        deadline = time.monotonic() + process.START_S
        while self._process is None or self._process.poll() is not None or not self._answers():
            try:
                if self._process is None or self._process.poll() is not None:
                    self._process = process.launch(
                        self._command, self._data, self._answers, user=self._owner
                    )
            except process.ServiceError:  # a session of the one before may still be ending
                if time.monotonic() > deadline:
                    raise
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.2)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True

    def forget(self, setting: str) -> None:
        """Start without one of SETTINGS from now on."""
        self._command = [one for one in self._command if not one.startswith(f"-c{setting}=")]

    def stop(self) -> None:
        """Stop it in order: its sessions are ended."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            process.end(self._process, number)


@dataclass(frozen=True)
class OwnDatabase:
    """A database of the test's own. disks: those that can be filled, by what they hold."""

    engine: Embedded | Server
    disks: dict[str, Path]


def server(url: str, places: ExitStack) -> OwnDatabase:
    """Start a server as the one of `url`, with its reference data; places: what ends later.

    Skips where the programs of that server cannot be run.
    """
    with psycopg.connect(url) as connection:
        try:
            programs = _one(connection, "select setting from pg_config() where name = 'BINDIR'")
            data = _one(connection, "show data_directory")
        except psycopg.errors.InsufficientPrivilege as error:
            pytest.skip(f"the server does not say where its programs are: {error}")
    if not (Path(programs) / "initdb").exists() or not Path(data).exists():
        pytest.skip("the programs of the server are not on this machine")
    # PostgreSQL does not run as root, and only root can be somebody else
    owner = Path(data).stat().st_uid if os.geteuid() == 0 else os.geteuid()
    disks = {name: places.enter_context(small_disk(owner)) for name in ("data", "WAL")}
    engine = Server(Path(programs), owner, disks["data"][0], disks["WAL"][0])
    places.callback(engine.kill)
    migrate(engine.url)
    with psycopg.connect(url) as source, psycopg.connect(engine.url) as target:
        for table in ("market.tenant", "market.calendar", "market.instrument"):
            rows = source.execute(f"select * from {table}").fetchall()
            values = ", ".join(["%s"] * len(rows[0]))
            target.cursor().executemany(f"insert into {table} values ({values})", rows)
    return OwnDatabase(engine, _mounted(disks))


def embedded(template: Path, places: ExitStack) -> OwnDatabase:
    """Start an embedded engine on a copy of a data directory; places: what ends later."""
    disks = {"data": places.enter_context(small_disk(os.geteuid()))}
    data = disks["data"][0] / "data"
    shutil.copytree(template, data)
    engine = Embedded(data)
    places.callback(engine.stop)
    return OwnDatabase(engine, _mounted(disks))


def _mounted(disks: dict[str, tuple[Path, bool]]) -> dict[str, Path]:
    return {name: place for name, (place, mounted) in disks.items() if mounted}


def _one(connection: psycopg.Connection, statement: LiteralString) -> str:
    row = connection.execute(statement).fetchone()
    assert row is not None
    return str(row[0])
