"""A server of the test's own that takes TLS 1.3 and SCRAM only, as deploy/postgres/ says."""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from embedded.jvm import process
from engine.server import MIN_POSTGRES
from tests.chaos.own import small_disk

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
CONFIGURATION = (DEPLOY / "postgres" / "tls.conf", DEPLOY / "postgres" / "pg_hba.conf")
# with every character that an address or a password file sets apart
PASSWORD = secrets.token_urlsafe() + ": b/c?d&e@f\\g%"
SETTINGS = {"listen_addresses": process.HOST, "unix_socket_directories": ""}
WITH_TIMESCALEDB = {"shared_preload_libraries": "timescaledb", "timescaledb.telemetry_level": "off"}


def make_certificates(directory: Path, *hosts: str) -> None:
    """Run deploy/make_certificates.sh. Skips without openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on the PATH")
    command: list[str | Path] = [DEPLOY / "make_certificates.sh", directory, *hosts]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class TlsServer:
    """A running server. url: its superuser's, without the password, which is in passfile."""

    url: str
    ca: Path
    passfile: Path
    programs: Path

    @property
    def verified_url(self) -> str:
        """The address with everything that a client can insist on."""
        return f"{self.url}?sslmode=verify-full&sslrootcert={self.ca}&channel_binding=require"

    def connect(self, **changes: str) -> psycopg.Connection[Any]:
        """Connect as a careful client does, with these parameters changed."""
        parameters = {"passfile": str(self.passfile), **changes}
        return psycopg.connect(make_conninfo(self.verified_url, **parameters), autocommit=True)

    def answers(self) -> bool:
        """Whether it takes a connection."""
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def has_timescaledb(self) -> bool:
        """Whether it can be migrated."""
        with self.connect() as connection:
            row = connection.execute(
                "select count(*) from pg_available_extensions where name = 'timescaledb'"
            ).fetchone()
            return row == (1,) and connection.info.server_version // 10000 >= MIN_POSTGRES


def programs() -> Path:
    """Directory of a PostgreSQL server that speaks TLS, the PATH's first. Skips without one."""
    named = [Path(place) for place in os.environ.get("PATH", "").split(os.pathsep)]
    installed = sorted(Path("/usr").glob("lib/postgresql/*/bin"), reverse=True)
    installed += sorted(Path("/usr").glob("pgsql-*/bin"), reverse=True)
    for place in [*named, *installed]:
        if (place / "initdb").exists() and (place / "postgres").exists() and _speaks_tls(place):
            return place
    pytest.skip("no PostgreSQL server with TLS on the PATH, in /usr/lib/postgresql or /usr/pgsql-*")


def _speaks_tls(place: Path) -> bool:
    asked = [str(place / "postgres"), *("-C", "ssl_library", "-D", "/")]
    asked += ["-c", "config_file=/dev/null"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.strip() == "OpenSSL"


@contextmanager
def tls_server(directory: Path) -> Iterator[TlsServer]:
    """Start a server with the files of deploy/postgres/; directory: for what its clients have."""
    place = programs()
    make_certificates(directory, "localhost")
    port = process.free_port()
    passfile = directory / "pgpass"
    escaped = re.sub(r"([:\\])", r"\\\1", PASSWORD)
    passfile.write_text(f"localhost:{port}:*:postgres:{escaped}\n")
    passfile.chmod(0o600)
    # PostgreSQL does not run as root, and only root can be somebody else
    owner = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()
    with small_disk(owner) as (disk, _), ExitStack() as running:
        data = disk / "data"
        _initialise(place, owner, disk)
        for file in (*CONFIGURATION, directory / "server.crt", directory / "server.key"):
            shutil.copy(file, data)
            os.chown(data / file.name, owner, -1)
        with (data / "postgresql.conf").open("a") as configuration:
            configuration.write("include 'tls.conf'\n")
        url = f"postgresql://postgres@localhost:{port}/postgres"
        server = TlsServer(url, directory / "ca.crt", passfile, place)
        command = [str(place / "postgres"), "-D", str(data), f"-p{port}"]
        command += [f"-c{name}={value}" for name, value in SETTINGS.items()]
        first = process.launch(command, disk, server.answers, user=owner)
        running.callback(process.end, first, signal.SIGINT)
        if server.has_timescaledb():
            running.pop_all().close()
            command += [f"-c{name}={value}" for name, value in WITH_TIMESCALEDB.items()]
            second = process.launch(command, disk, server.answers, user=owner)
            running.callback(process.end, second, signal.SIGINT)
        yield server


def _initialise(place: Path, owner: int, disk: Path) -> None:
    password = disk / "password"
    password.write_text(PASSWORD)
    make: list[str | Path] = [place / "initdb", "-D", disk / "data", "-A", "scram-sha-256"]
    make += [f"--pwfile={password}", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"]
    done = subprocess.run(make, cwd=disk, user=owner, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
