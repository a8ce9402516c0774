"""Fixtures shared by all tests: an engine, and a migrated and seeded database for each module."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from engine import dbt, resolve
from engine.migrate import migrate

# a plugin, not imports: so each service runs once, whoever asks
pytest_plugins = ["tests.jvm.fixtures"]


@dataclass(frozen=True)
class Databases:
    """Makes databases on the session's engine: create(migrated) returns (url, drop).

    template(migrated): a stopped data directory to copy, of an embedded engine only.
    """

    kind: str
    create: Callable[[bool], tuple[str, Callable[[], None]]]
    template: Callable[[bool], Path] | None = None


def _named(url: str, name: str) -> str:
    parts = conninfo_to_dict(url)
    host, port = parts.pop("host", "localhost"), parts.pop("port", 5432)
    login = str(parts.pop("user", "postgres"))
    if "password" in parts:
        login += f":{parts.pop('password')}"
    return f"postgresql://{login}@{host}:{port}/{name}"


def _server_databases(kind: str, url: str) -> Iterator[Databases]:
    made: list[str] = []

    def drop(name: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )

    def create_empty(template: str | None = None) -> str:
        name = f"test_{uuid.uuid4().hex[:12]}"
        statement = sql.SQL("create database {}").format(sql.Identifier(name))
        if template is not None:
            statement += sql.SQL(" template {}").format(sql.Identifier(template))
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement)
        made.append(name)
        return name

    def create(migrated: bool) -> tuple[str, Callable[[], None]]:
        name = create_empty(template() if migrated else None)
        return _named(url, name), lambda: drop(name)

    templates: list[str] = []

    def template() -> str:
        if not templates:
            name = create_empty()
            migrate(_named(url, name))
            dbt.run(_named(url, name), "seed", "--quiet", quiet=True)
            with psycopg.connect(_named(url, name), autocommit=True) as connection:
                # a database with a session, its job scheduler's included, cannot be copied
                connection.execute("select _timescaledb_functions.stop_background_workers()")
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(
                    sql.SQL("alter database {} allow_connections false").format(
                        sql.Identifier(name)
                    )
                )
            templates.append(name)
        return templates[0]

    yield Databases(kind, create)
    for name in made:
        drop(name)


def _embedded_databases(base: Path) -> Iterator[Databases]:
    from embedded import database as embedded_database

    running: set[Path] = set()

    def start(directory: Path) -> str:
        running.add(directory)
        return embedded_database.start(directory).url

    def stop(directory: Path) -> None:
        embedded_database.stop(directory)
        running.discard(directory)
        shutil.rmtree(directory)

    def template(migrated: bool) -> Path:
        """A stopped data directory to copy: much faster than making one anew."""
        directory = base / ("migrated" if migrated else "empty")
        if not directory.exists():
            url = start(directory)
            if migrated:
                migrate(url)
                dbt.run(url, "seed", "--quiet", quiet=True)
            embedded_database.stop(directory)
            running.discard(directory)
        return directory

    def create(migrated: bool) -> tuple[str, Callable[[], None]]:
        directory = base / uuid.uuid4().hex[:12]
        shutil.copytree(template(migrated), directory)
        return start(directory), lambda: stop(directory)

    yield Databases("embedded", create, template)
    for directory in list(running):
        embedded_database.stop(directory)


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """The engine of this session, by engine.resolve's order, as a maker of databases."""
    kind = resolve.choice()
    if kind == "embedded":
        yield from _embedded_databases(tmp_path_factory.mktemp("embedded"))
        return
    if kind == "given":
        yield from _server_databases(kind, os.environ["DATABASE_URL"])
        return
    from testcontainers.postgres import PostgresContainer

    with PostgresContainer(
        resolve.IMAGE, username="postgres", dbname="postgres", driver=None
    ) as up:
        yield from _server_databases(kind, up.get_connection_url())


@pytest.fixture(scope="module")
def database(databases: Databases) -> Iterator[str]:
    """URL of a migrated and seeded database of this module's own."""
    url, drop = databases.create(True)
    yield url
    drop()


@pytest.fixture
def empty_database(databases: Databases) -> Iterator[str]:
    """URL of a database without this project's objects."""
    url, drop = databases.create(False)
    yield url
    drop()


@pytest.fixture(scope="session")
def run_dbt() -> Callable[..., str]:
    """run_dbt(url, *arguments): dbt against that database; fails with dbt's own output."""
    return lambda url, *arguments: dbt.run(url, *arguments, quiet=True)


def pytest_report_header() -> str:
    """Name the engine at the top of every run."""
    return f"engine: {resolve.choice()}"
