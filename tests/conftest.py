"""Fixtures shared by all tests: an engine, and a migrated and seeded database for each module."""

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from engine import dbt, reference, resolve
from engine.migrate import migrate

# plugins, not imports: so each service runs once, whoever asks
pytest_plugins = ["tests.supervised", "tests.parallel", "tests.services"]

# how long an example takes is the machine's affair
settings.register_profile("here", deadline=None)
settings.load_profile("here")

Stage = Literal["empty", "migrated", "modelled"]
"""A database without this project's objects; migrated and seeded; and with dbt's models."""


@dataclass(frozen=True)
class Databases:
    """Makes databases on the session's engine: create(stage) returns (url, drop).

    template(stage): a stopped data directory to copy, of an embedded engine only.
    """

    kind: str
    create: Callable[[Stage], tuple[str, Callable[[], None]]]
    template: Callable[[Stage], Path] | None = None


def _named(url: str, name: str) -> str:
    parts = conninfo_to_dict(url)
    host, port = parts.pop("host", "localhost"), parts.pop("port", 5432)
    login = str(parts.pop("user", "postgres"))
    if "password" in parts:
        login += f":{parts.pop('password')}"
    return f"postgresql://{login}@{host}:{port}/{name}"


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """One worker at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _prepare(url: str, stage: Stage) -> None:
    """Bring a database of the stage before to this one."""
    if stage == "migrated":
        migrate(url)
        reference.load(url)
    elif stage == "modelled":
        dbt.run(url, "run", "--quiet", quiet=True)


def server_databases(kind: str, url: str, shared: Path) -> Databases:
    """Databases of a server. shared: a directory that all workers of this run see."""
    prefix = _prefix(shared)

    def run(statement: str, *names: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def copy(source: str | None, name: str) -> str:
        if source is None:
            run("create database {}", name)
        else:
            run("create database {} template {}", name, source)
        return name

    def template(stage: Stage) -> str | None:
        """A database to copy, made once a run: much faster than migrating each anew."""
        if stage == "empty":
            return None
        before = template("migrated") if stage == "modelled" else None
        made = shared / stage
        with _only_one(shared / f"{stage}.lock"):
            if not made.exists():
                name = copy(before, f"{prefix}{stage}")
                _prepare(_named(url, name), stage)
                with psycopg.connect(_named(url, name), autocommit=True) as connection:
                    # a database with a session, its job scheduler's included, cannot be copied
                    connection.execute("select _timescaledb_functions.stop_background_workers()")
                run("alter database {} allow_connections false", name)
                made.write_text(name)
        return made.read_text()

    def create(stage: Stage) -> tuple[str, Callable[[], None]]:
        name = copy(template(stage), f"{prefix}{uuid.uuid4().hex[:12]}")
        return _named(url, name), lambda: run("drop database if exists {} with (force)", name)

    return Databases(kind, create)


def _prefix(shared: Path) -> str:
    """What the names of a run's databases begin with."""
    return f"test_{sha256(str(shared).encode()).hexdigest()[:8]}_"


def drop_databases(url: str, shared: Path) -> None:
    """Drop what server_databases has made, of all workers."""
    with psycopg.connect(url, autocommit=True) as connection:
        names = connection.execute(
            "select datname from pg_database where starts_with(datname, %s)", [_prefix(shared)]
        ).fetchall()
        for (name,) in names:
            connection.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )


@contextmanager
def _embedded_databases(own: Path, shared: Path) -> Iterator[Databases]:
    """Engines, with their data in `own`, as copies of what is made once in `shared`."""
    from embedded import database as embedded_database

    running: set[Path] = set()

    def start(directory: Path) -> str:
        running.add(directory)
        # beside other workers a turn can take long, and many may wait for theirs
        return embedded_database.start(directory, lock_wait_s=300).url

    def stop(directory: Path) -> None:
        embedded_database.stop(directory)
        running.discard(directory)

    def template(stage: Stage) -> Path:
        """A stopped data directory to copy: much faster than making one anew."""
        before = template("migrated") if stage == "modelled" else None
        directory = shared / stage
        with _only_one(shared / f"{stage}.lock"):
            if not directory.exists():
                making = shared / f"{stage}.making"
                if before is not None:
                    shutil.copytree(before, making)
                _prepare(start(making), stage)
                stop(making)
                making.rename(directory)
        return directory

    def create(stage: Stage) -> tuple[str, Callable[[], None]]:
        directory = own / uuid.uuid4().hex[:12]
        shutil.copytree(template(stage), directory)

        def drop() -> None:
            stop(directory)
            shutil.rmtree(directory)

        return start(directory), drop

    try:
        yield Databases("embedded", create, template)
    finally:
        for directory in list(running):
            embedded_database.stop(directory)


@pytest.fixture(scope="session")
def databases(
    tmp_path_factory: pytest.TempPathFactory, shared_directory: Path
) -> Iterator[Databases]:
    """The engine of this session, by engine.resolve's order, as a maker of databases."""
    kind, shared = resolve.choice(), shared_directory / "databases"
    if kind == "embedded":
        with _embedded_databases(tmp_path_factory.mktemp("embedded"), shared) as made:
            yield made
        return
    if kind == "given":
        yield server_databases(kind, os.environ["DATABASE_URL"], shared)
        return
    from testcontainers.postgres import PostgresContainer

    # each worker's own: its databases are gone with it
    own = tmp_path_factory.mktemp("container")
    with PostgresContainer(
        resolve.IMAGE, username="postgres", dbname="postgres", driver=None
    ) as up:
        yield server_databases(kind, up.get_connection_url(), own)


@pytest.hookimpl(trylast=True)  # after xdist has ended its workers
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Once no worker works any more: drop the databases of a server that was given."""
    if not hasattr(session.config, "workerinput") and resolve.choice() == "given":
        base: Path = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        shared = base / "databases"
        if shared.exists():
            drop_databases(os.environ["DATABASE_URL"], shared)


@pytest.fixture(scope="module")
def database(databases: Databases) -> Iterator[str]:
    """URL of a migrated and seeded database of this module's own."""
    url, drop = databases.create("migrated")
    yield url
    drop()


@pytest.fixture(scope="module")
def modelled_database(databases: Databases) -> Iterator[str]:
    """URL of a database of this module's own in which dbt's models are, too."""
    url, drop = databases.create("modelled")
    yield url
    drop()


@pytest.fixture
def empty_database(databases: Databases) -> Iterator[str]:
    """URL of a database without this project's objects."""
    url, drop = databases.create("empty")
    yield url
    drop()


@pytest.fixture(scope="session")
def run_dbt() -> Callable[..., str]:
    """run_dbt(url, *arguments): dbt against that database; fails with dbt's own output."""
    return lambda url, *arguments: dbt.run(url, *arguments, quiet=True)


def pytest_report_header() -> str:
    """Name the engine at the top of every run."""
    return f"engine: {resolve.choice()}"
