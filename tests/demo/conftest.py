"""A finished demo, whose live part goes on: of a module that asks for it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from demo import live
from embedded import broker as embedded_broker
from embedded import redis as embedded_redis
from ingest.replay.synthetic import default_day
from tests.conftest import Databases

ROOT = Path(__file__).resolve().parents[2]


class Demo:
    """A finished demo: what it printed, where it wrote, and the database it filled.

    env: in which what it printed runs. day: the synthetic one, which is over.
    """

    def __init__(self, output: str, report: Path, url: str, env: dict[str, str], day: date) -> None:
        self.output = output
        self.report = report
        self.url = url
        self.env = env
        self.day = datetime(day.year, day.month, day.day, tzinfo=UTC)

    def shell(self, command: str, env: dict[str, str] | None = None) -> str:
        """What a command of the demo's output or of a document prints in the repository."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=ROOT,
            env={**self.env, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            connection.execute("set time zone 'UTC'")
            return connection.execute(query.encode(), arguments).fetchall()


@pytest.fixture(scope="module")
def demo(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    directory = tmp_path_factory.mktemp("demo")
    url, drop = databases.create("empty")
    kafka = embedded_broker.start(directory / "kafka")
    redis = embedded_redis.start(directory / "redis")
    report = directory / "report.html"
    env = {
        **os.environ,
        "ENGINE": "given",
        "DATABASE_URL": url,
        "KAFKA_BOOTSTRAP": kafka.bootstrap,
        "REDIS_URL": redis.url,
        "FEAST_REGISTRY": f"sqlite:///{directory / 'registry.db'}",
        "COLUMNS": "80",
    }
    day = default_day(datetime.now(UTC))
    finished = subprocess.run(
        [sys.executable, "-m", "demo", "--report", report],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    try:
        assert finished.returncode == 0, finished.stdout
        yield Demo(finished.stdout, report, url, env, day)
    finally:
        live.stop(directory / "live")
        # roles are the server's
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("call access.remove_tenant(1)")
    embedded_broker.stop(directory / "kafka")
    embedded_redis.stop(directory / "redis")
    drop()
