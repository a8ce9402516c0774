"""A server to talk to: a database of the session's server, or an embedded engine of its own."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from embedded import database
from embedded.database import EmbeddedDatabase
from tests.conftest import Databases

StartEngine = Callable[..., EmbeddedDatabase]


@pytest.fixture(scope="session")
def template_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped engine's data directory with the extension in it, to be copied."""
    directory = tmp_path_factory.mktemp("template") / "data"
    started = database.start(directory)
    with psycopg.connect(started.url, autocommit=True) as connection:
        connection.execute("create extension if not exists timescaledb")
    database.stop(directory)
    return directory


@pytest.fixture(scope="session")
def server_url(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[str]:
    """URL of the server under test."""
    if databases.kind != "embedded":
        url, drop = databases.create("empty")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create extension if not exists timescaledb")
        yield url
        drop()
        return
    directory = tmp_path_factory.mktemp("engine") / "data"
    shutil.copytree(request.getfixturevalue("template_dir"), directory)
    yield database.start(directory, jobs_every_s=1).url
    database.stop(directory)


@pytest.fixture
def start_engine(template_dir: Path, tmp_path: Path) -> Iterator[StartEngine]:
    """Start embedded engines on copies of the template; all are stopped at the end."""
    directories: set[Path] = set()

    def start(name: str = "data", **options: object) -> EmbeddedDatabase:
        directory = tmp_path / name
        if not directory.exists():
            shutil.copytree(template_dir, directory)
        directories.add(directory)
        return database.start(directory, **options)  # type: ignore[arg-type]

    yield start
    for directory in directories:
        database.stop(directory)


@pytest.fixture
def url(server_url: str) -> Iterator[str]:
    """URL whose connections work in a schema of this test's own."""
    schema = f"conformance_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"create schema {schema}")
    option = quote(f"-c search_path={schema},public")
    yield f"{server_url}{'&' if '?' in server_url else '?'}options={option}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("set client_min_messages = warning")
        connection.execute(f"drop schema {schema} cascade")


@pytest.fixture
def connection(url: str) -> Iterator[psycopg.Connection]:
    """One autocommit connection in the test's schema."""
    with psycopg.connect(url, autocommit=True) as opened:
        yield opened


@pytest.fixture
def role(server_url: str) -> Iterator[str]:
    """A login role without any privilege, gone after the test."""
    name = f"conformance_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"create role {name} login")
    yield name
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"drop owned by {name}")
        connection.execute(f"drop role {name}")
