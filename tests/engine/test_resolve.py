"""Which engine and which Redis are chosen, and how a choice that cannot be met is refused."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from embedded import broker, redis
from engine import resolve
from engine.__main__ import main
from engine.dbt import environment
from engine.errors import ConfigError, EngineUnavailable
from tests.contracts import contract

ROOT = Path(__file__).resolve().parents[2]
LIBPQ = (
    *("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"),
    *("PGSSLMODE", "PGSSLROOTCERT", "PGCHANNELBINDING", "PGPASSFILE"),
)


@pytest.fixture(autouse=True)
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENGINE", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.delenv("REDIS_PORT", raising=False)


def test_a_given_address_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://a@b/c")
    assert resolve.choice() == "given"


@pytest.mark.parametrize(("docker", "expected"), [(True, "container"), (False, "embedded")])
def test_a_container_comes_before_the_embedded_engine(
    monkeypatch: pytest.MonkeyPatch, docker: bool, expected: str
) -> None:
    # a real Docker engine cannot be conjured up or away here, so its answer is given
    monkeypatch.setattr(resolve, "docker_answers", lambda: docker)
    assert resolve.choice() == expected


def test_engine_forces_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://a@b/c")
    monkeypatch.setenv("ENGINE", "embedded")
    assert resolve.choice() == "embedded"


def test_an_empty_engine_forces_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE", "")
    monkeypatch.setenv("DATABASE_URL", "postgresql://a@b/c")
    assert resolve.choice() == "given"


def test_an_unknown_engine_is_refused_with_the_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE", "oracle")
    with pytest.raises(ConfigError, match="'oracle' is unknown; use one of given, container"):
        resolve.choice()


def test_given_without_an_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE", "given")
    with pytest.raises(ConfigError, match="needs DATABASE_URL"):
        resolve.choice()


def test_what_is_no_address_is_refused_without_repeating_it() -> None:
    env = {"ENGINE": "given", "DATABASE_URL": "garbage with hush"}
    for ask in (resolve.database_url, lambda env: resolve.start(env=env).url):
        with pytest.raises(ConfigError, match="DATABASE_URL is no address: set it to") as refused:
            ask(env)
        assert "hush" not in str(refused.value)


def test_no_docker_engine_is_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    assert resolve.docker_answers() is False


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker command that notes its arguments in this file, and the choice of a container."""
    noted = tmp_path / "noted"
    command = tmp_path / "docker"
    command.write_text(f'#!/bin/sh\necho "$@" >> {noted}\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("ENGINE", "container")
    return noted


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state directory of this test's own, and the choice of the embedded services."""
    monkeypatch.setattr(resolve, "STATE_DIR", tmp_path)
    monkeypatch.setenv("ENGINE", "embedded")
    yield tmp_path
    redis.stop(tmp_path / "redis")


def test_a_given_redis_comes_first(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "rediss://me:hush@elsewhere:1/2")
    assert resolve.redis_url() == "rediss://me:hush@elsewhere:1/2"
    assert not docker.exists()


@pytest.mark.parametrize(("port", "expected"), [(None, 6379), ("", 6379), ("7000", 7000)])
def test_the_containers_redis_is_started(
    docker: Path, monkeypatch: pytest.MonkeyPatch, port: str | None, expected: int
) -> None:
    if port is not None:
        monkeypatch.setenv("REDIS_PORT", port)
    assert resolve.redis_url() == f"redis://127.0.0.1:{expected}/0"
    assert docker.read_text() == f"compose -f {resolve.COMPOSE} up -d --wait redis\n"


def test_what_compose_needs_is_handed_to_it_alone(
    docker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password and a port where none is set; this process's own environment stays."""
    monkeypatch.delenv("POSTGRES_PASSWORD", raising=False)
    monkeypatch.setenv("TIMESCALEDB_PORT", "7001")
    command = tmp_path / "docker"
    command.write_text(f'#!/bin/sh\necho "$POSTGRES_PASSWORD $TIMESCALEDB_PORT" >> {docker}\n')
    before = dict(os.environ)
    assert resolve.start().url == "postgresql://postgres:local@127.0.0.1:7001/features"
    assert docker.read_text() == "local 7001\n"
    assert dict(os.environ) == before


def test_an_address_goes_before_the_engine_that_is_named(docker: Path) -> None:
    env = {"ENGINE": "container", "DATABASE_URL": "postgresql://a@b/c"}
    assert resolve.database_url(env) == "postgresql://a@b/c"
    assert not docker.exists()


def test_the_broker_is_looked_up_and_never_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "status", lambda: None)
    assert resolve.kafka_bootstrap({"KAFKA_BOOTSTRAP": "k:9092"}) == "k:9092"
    assert resolve.kafka_bootstrap({"KAFKA_BOOTSTRAP": ""}) is None


def test_down_stops_the_containers_redis_too(docker: Path) -> None:
    assert main(["down"]) == 0
    assert docker.read_text() == f"compose -f {resolve.COMPOSE} stop timescaledb redis\n"


def test_up_starts_what_is_not_given_and_says_where_all_is(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("engine.__main__.STATE_DIR", state_dir)
    monkeypatch.setattr(broker, "status", lambda: None)
    monkeypatch.setenv("ENGINE", "given")
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hush@db/features")
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "")
    try:
        assert main(["up"]) == 0
        online = redis.status(state_dir / "redis")
        assert online is not None
        said = capsys.readouterr().out.splitlines()
        assert said[0] == "database: user=me dbname=features host=db"
        assert said[1].startswith("broker: 127.0.0.1:")
        assert said[2] == f"Redis: {online.url}"
        monkeypatch.setenv("KAFKA_BOOTSTRAP", "k:9092")
        assert main(["up"]) == 0
        assert capsys.readouterr().out.splitlines()[1:] == ["broker: k:9092", said[2]]
    finally:
        broker.stop(state_dir / "kafka")


@pytest.mark.parametrize("given", [None, ""])
def test_the_embedded_redis_is_started_or_found(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    if given is not None:
        monkeypatch.setenv("REDIS_URL", given)
    url = resolve.redis_url()
    running = redis.status(state_dir / "redis")
    assert running is not None
    assert url == running.url == resolve.redis_url()


def test_an_embedded_redis_that_cannot_start_is_refused(state_dir: Path) -> None:
    (state_dir / "redis" / "appendonlydir").mkdir(parents=True)
    (state_dir / "redis" / "appendonlydir" / "appendonly.aof.manifest").write_text("garbage\n")
    with pytest.raises(EngineUnavailable, match=r"(?s)did not start.*set REDIS_URL"):
        resolve.redis_url()


def test_an_embedded_redis_that_left_no_state_is_refused(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = redis.start(state_dir / "redis")
    (state_dir / "redis" / "redis.json").rename(state_dir / "kept")
    monkeypatch.setattr(redis, "start", partial(redis.start, timeout_s=0.1))
    try:
        with pytest.raises(EngineUnavailable, match="left no state there"):
            resolve.redis_url()
    finally:
        (state_dir / "kept").rename(state_dir / "redis" / "redis.json")
    assert redis.status(state_dir / "redis") == running


def test_what_an_address_names_goes_before_the_callers_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGHOST", "elsewhere")
    monkeypatch.setenv("PGSSLMODE", "disable")
    found = environment(
        "postgresql://me:p%40ss@db:5433/features?sslmode=verify-full&sslrootcert=/ca.crt"
        "&channel_binding=require&passfile=/pgpass"
    )
    assert {name: found.get(name) for name in LIBPQ} == {
        "PGHOST": "db",
        "PGPORT": "5433",
        "PGUSER": "me",
        "PGPASSWORD": "p@ss",
        "PGDATABASE": "features",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/ca.crt",
        "PGCHANNELBINDING": "require",
        "PGPASSFILE": "/pgpass",
    }


def test_what_an_address_leaves_open_is_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LIBPQ:
        monkeypatch.setenv(name, "ours")
    found = environment("postgresql://db")
    assert found["PGHOST"] == "db"
    assert {found[name] for name in LIBPQ[1:]} == {"ours"}


def test_the_command_says_what_is_wrong_and_exits_1() -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "engine", "migrate"],
        cwd=ROOT,
        env={**os.environ, "ENGINE": "given", "DATABASE_URL": "postgresql://a@127.0.0.1:1/c"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1
    assert finished.stderr.startswith("migrate: no connection to 127.0.0.1:1")
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        ("postgresql://me@db/features", "postgresql://me@db/features"),
        ("postgresql://me:hush@db/features", "user=me dbname=features host=db"),
    ],
)
def test_status_prints_no_password(
    url: str, printed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENGINE", "given")
    monkeypatch.setenv("DATABASE_URL", url)
    assert main(["status"]) == 1  # nothing answers there
    told = capsys.readouterr()
    assert told.out.startswith(f"engine: given\n{printed}\nbroker: ")
    assert told.err.startswith("status: no connection to db:5432")
    assert "hush" not in told.err


def test_psql_reaches_the_database(database: str) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "engine", "psql", "-Atc", "select count(*) from market.contract"],
        cwd=ROOT,
        env={**os.environ, "ENGINE": "given", "DATABASE_URL": database},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.returncode, finished.stdout) == (0, f"{len(contract())}\n"), finished.stderr


def test_psql_has_no_password_on_its_command_line(database: str) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "engine", "psql", "-Xc", r"\! tr '\0' ' ' < /proc/$PPID/cmdline"],
        cwd=ROOT,
        env={
            **os.environ,
            "ENGINE": "given",
            "DATABASE_URL": make_conninfo(database, password="hush"),  # noqa: S106
        },
        capture_output=True,
        text=True,
        check=False,
    )
    # Debian's psql is a wrapper that starts one by its full path
    assert "psql -Xc" in finished.stdout, finished.stderr
    assert "hush" not in finished.stdout
