"""With the files of deploy/postgres/, nobody gets in without TLS 1.3 and the right password."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from engine.__main__ import psql_path
from engine.errors import EngineUnavailable
from engine.migrate import migrate
from ingest.config import Config
from ingest.database import Database
from tests.conftest import Databases
from tests.tenancy import tls
from tests.tenancy.tls_front import tls_front

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def no_settings_of_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tls.TlsServer]:
    with tls.tls_server(tmp_path_factory.mktemp("tls")) as running:
        yield running


@pytest.fixture(scope="module")
def migrated(server: tls.TlsServer) -> tls.TlsServer:
    """The server with this project's objects, put there by `python -m engine migrate`."""
    if not server.has_timescaledb():
        pytest.skip(f"the PostgreSQL of {server.programs} has TLS but no TimescaleDB to migrate")
    said = engine(server.verified_url, "migrate", PGPASSFILE=str(server.passfile))
    assert said.startswith("applied ")
    return server


@pytest.fixture(scope="module")
def fronted(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address, verify-full, of a migrated database of this run's engine behind a front with TLS.

    It takes no password: that is the server's own business, which the tests above and below ask.
    """
    certificates = tmp_path_factory.mktemp("front")
    tls.make_certificates(certificates, "localhost")
    url, drop = databases.create("empty")
    behind = conninfo_to_dict(url)
    with tls_front(certificates, str(behind["host"]), int(str(behind["port"]))) as port:
        address = f"postgresql://postgres@localhost:{port}/{behind['dbname']}"
        verified = f"{address}?sslmode=verify-full&sslrootcert={certificates}/ca.crt"
        assert engine(verified, "migrate").startswith("applied ")
        yield verified
    drop()


def engine(url: str, *arguments: str, **settings: str) -> str:
    """Output of `python -m engine`, which has to succeed, with PG* variables of ours only."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    done = subprocess.run(
        [sys.executable, "-m", "engine", *arguments],
        cwd=ROOT,
        env={**env, "ENGINE": "given", "DATABASE_URL": url, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_careful_client_gets_tls_1_3(server: tls.TlsServer) -> None:
    with server.connect() as connection:
        row = connection.execute(
            "select ssl, version from pg_stat_ssl where pid = pg_backend_pid()"
        ).fetchone()
    assert row == (True, "TLSv1.3")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sslmode": "disable", "channel_binding": "prefer"}, "rejects connection .*no encryption"),
        ({"password": "wrong"}, "password authentication failed"),
        ({"passfile": "/dev/null"}, "no password supplied"),
        ({"ssl_max_protocol_version": "TLSv1.2"}, "protocol version"),
        ({"host": "127.0.0.1", "password": tls.PASSWORD}, "does not match host name"),
    ],
    ids=["plaintext", "wrong password", "no password", "TLS 1.2", "wrong host"],
)
def test_it_is_refused(server: tls.TlsServer, changes: dict[str, str], said: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=said):
        server.connect(**changes)


def test_a_server_of_an_unknown_ca_is_refused(server: tls.TlsServer, tmp_path: Path) -> None:
    tls.make_certificates(tmp_path, "localhost")
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        server.connect(sslrootcert=str(tmp_path / "ca.crt"))


def test_a_client_that_would_do_without_tls_is_refused_with_it(server: tls.TlsServer) -> None:
    with server.connect(sslmode="allow", channel_binding="prefer") as connection:
        assert connection.pgconn.ssl_in_use


def test_passwords_are_kept_as_scram_verifiers(server: tls.TlsServer) -> None:
    with server.connect() as connection:
        connection.execute("create role plain login password 'plain'")
        stored = connection.execute(
            "select rolname, left(rolpassword, 14) from pg_authid where rolpassword is not null"
        ).fetchall()
        connection.execute("drop role plain")
    assert dict(stored) == {"plain": "SCRAM-SHA-256$", "postgres": "SCRAM-SHA-256$"}


def test_an_md5_password_of_old_is_refused(server: tls.TlsServer) -> None:
    with server.connect() as connection:
        connection.execute("create role old login")
        connection.execute(
            "update pg_authid set rolpassword = 'md5' || md5(%s || rolname) where rolname = 'old'",
            [tls.PASSWORD],
        )
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            server.connect(user="old", password=tls.PASSWORD, channel_binding="prefer")
        connection.execute("drop role old")


def test_a_renewed_certificate_is_of_the_same_ca(tmp_path: Path) -> None:
    authority, certificate = tmp_path / "ca.crt", tmp_path / "server.crt"
    tls.make_certificates(tmp_path, "localhost")
    before = authority.read_bytes(), certificate.read_bytes()
    tls.make_certificates(tmp_path, "localhost", "127.0.0.1")
    assert authority.read_bytes() == before[0]
    assert certificate.read_bytes() != before[1]
    verify: list[str | Path] = [
        "openssl",
        "verify",
        "-x509_strict",
        "-CAfile",
        authority,
        certificate,
    ]
    assert subprocess.run(verify, capture_output=True, check=False).returncode == 0
    public = {path.name for path in tmp_path.iterdir() if path.stat().st_mode & 0o077}
    assert public == {"ca.crt", "server.crt"}


def test_behind_a_front_with_tls_all_verify_the_server(fronted: str, tmp_path: Path) -> None:
    """migrate, status, dbt, ingest and Feast, on whatever engine these tests run."""
    from feast_repo.internals import connect
    from feast_repo.offline_store import PitOfflineStoreConfig

    assert migrate(fronted) == []
    assert "migrations: all applied" in engine(fronted, "status")
    said = engine(fronted, "dbt", "debug")
    assert "sslmode: verify-full" in said
    assert "All checks passed" in said
    database = Database(
        Config.from_env({"DATABASE_URL": fronted, "KAFKA_BOOTSTRAP": "none:1"}).database_url
    )
    database.connect()
    assert database.connection is not None
    assert database.connection.pgconn.ssl_in_use
    database.close()
    config = PitOfflineStoreConfig.model_validate({"database_url": fronted})
    with connect(config) as connection:
        assert connection.pgconn.ssl_in_use
        asked = connection.execute("select count(*) > 0 from feature.clock").fetchone()
        assert asked == (True,)

    # without TLS, and of another CA: nobody is let in, and the words say why
    with pytest.raises(EngineUnavailable, match="no connection to localhost"):
        migrate(fronted.replace("verify-full", "disable"))
    tls.make_certificates(tmp_path, "localhost")
    other = re.sub(r"sslrootcert=.*", f"sslrootcert={tmp_path}/ca.crt", fronted)
    with pytest.raises(EngineUnavailable, match="certificate verify failed"):
        migrate(other)
    with pytest.raises(EngineUnavailable, match="does not match host name"):
        migrate(fronted.replace("localhost", "127.0.0.1"))


def test_migrate_takes_the_password_of_an_address_and_the_rest_of_the_environment(
    migrated: tls.TlsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", str(migrated.ca))
    monkeypatch.setenv("PGCHANNELBINDING", "require")
    assert migrate(migrated.url.replace("@", f":{quote(tls.PASSWORD, safe='')}@")) == []


@pytest.mark.parametrize("given_by", ["address", "environment"])
def test_dbt_verifies_the_server(migrated: tls.TlsServer, given_by: str) -> None:
    parameters = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(migrated.ca)}
    url, settings = (
        (migrated.verified_url, {})
        if given_by == "address"
        else (migrated.url, {**parameters, "PGCHANNELBINDING": "require"})
    )
    said = engine(url, "dbt", "debug", PGPASSFILE=str(migrated.passfile), **settings)
    assert "sslmode: verify-full" in said
    assert "All checks passed" in said


def test_psql_verifies_the_server(migrated: tls.TlsServer) -> None:
    without = [psql_path(), "host=localhost port=1 sslmode=require"]
    if "not compiled in" in subprocess.run(without, capture_output=True, text=True).stderr:
        pytest.skip(f"{psql_path()} has no TLS")
    ask = "select count(*), current_setting('application_name') from market.contract"
    said = engine(f"{migrated.verified_url}&passfile={migrated.passfile}", "psql", "-XAtc", ask)
    assert said == "11|psql\n"


def test_ingest_verifies_the_server(
    migrated: tls.TlsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSFILE", str(migrated.passfile))
    config = Config.from_env({"DATABASE_URL": migrated.verified_url, "KAFKA_BOOTSTRAP": "none:1"})
    database = Database(config.database_url)
    database.connect()
    database.close()


def test_feast_verifies_the_server(
    server: tls.TlsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its offline store and its registry, by what the address says and a password file."""
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import OperationalError

    from feast_repo.environment import registry
    from feast_repo.internals import connect
    from feast_repo.offline_store import PitOfflineStoreConfig

    monkeypatch.setenv("PGPASSFILE", str(server.passfile))
    encrypted = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
    with connect(
        PitOfflineStoreConfig.model_validate({"database_url": server.verified_url})
    ) as connection:
        assert connection.execute(encrypted).fetchone() == (True,)
    address = registry(server.verified_url, tmp_path)
    with create_engine(address).connect() as connection:
        assert connection.execute(text(encrypted)).scalar() is True

    tls.make_certificates(tmp_path, "localhost")
    other = address.replace(quote(str(server.ca), safe=""), quote(f"{tmp_path}/ca.crt", safe=""))
    assert other != address
    with pytest.raises(OperationalError, match="certificate verify failed"):
        create_engine(other).connect()
    other = f"{server.verified_url}&sslrootcert={tmp_path}/ca.crt"
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        connect(PitOfflineStoreConfig.model_validate({"database_url": other}))


def test_a_tenants_login_uses_its_own_password(migrated: tls.TlsServer, tmp_path: Path) -> None:
    secret = secrets.token_urlsafe()
    (tmp_path / "password").write_text(f"{secret}\n")
    command = ["tenant", "set", "7", "--name", "seven", "--logins", "seven"]
    command += ["--password-file", str(tmp_path / "password")]
    engine(migrated.verified_url, *command, PGPASSFILE=str(migrated.passfile))
    migrated.connect(user="seven", password=secret).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        migrated.connect(user="seven", password=tls.PASSWORD)
