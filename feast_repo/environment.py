"""What feature_store*.yaml read, from DATABASE_URL and REDIS_URL: values, handed on as such."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml
from feast.repo_config import RepoConfig
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import URL

from engine import settings
from engine.errors import ConfigError
from engine.resolve import STATE_DIR, database_url, redis_url
from engine.server import connect, has_many_backends, require_migrated
from engine.settings import Env

REPO = Path(__file__).resolve().parent
PROFILES = {
    "redis": REPO / "feature_store.yaml",
    "postgres": REPO / "feature_store.postgres.yaml",
    "sqlite": REPO / "feature_store.sqlite.yaml",
}
# What an address leaves open and libpq would take from the environment; Feast wants it said.
FROM_LIBPQ = {
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
}


@dataclass(frozen=True)
class Prepared:
    """A profile, the database, and what the profile reads as ${NAME}: values quoted for YAML."""

    profile: Path
    database_url: str
    variables: Mapping[str, str]

    def config(self) -> RepoConfig:
        """Feast's configuration. Errors: KeyError for a name that is not in variables."""
        filled = Template(self.profile.read_text()).substitute(self.variables)
        config = RepoConfig(**yaml.safe_load(filled))
        config.repo_path = REPO
        return config


def prepare(env: Env) -> Prepared:
    """Start or find the engine and the online store; return the profile with what it reads.

    FEAST_ONLINE chooses the profile: redis (default), postgres or sqlite.
    Errors: ConfigError, EngineUnavailable; EngineUnsuitable before the first migrate.
    """
    name = settings.choice(env, "FEAST_ONLINE", tuple(PROFILES)) or "redis"
    directory = STATE_DIR / "feast"
    directory.mkdir(parents=True, exist_ok=True)
    url = complete(database_url(env), env)
    with connect(url) as connection:
        require_migrated(connection)
    found = variables(url) | {
        "FEAST_DB_SCHEMA": settings.text(env, "FEAST_DB_SCHEMA", "public"),
        "FEAST_SQLITE": settings.text(env, "FEAST_SQLITE", str(directory / "online.db")),
        "FEAST_REGISTRY": settings.text(env, "FEAST_REGISTRY") or registry(url, directory),
    }
    if name == "redis":
        found["FEAST_REDIS"] = settings.text(env, "FEAST_REDIS") or redis_setting(redis_url(env))
    return Prepared(PROFILES[name], url, found)


def complete(url: str, env: Env) -> str:
    """The address with what libpq would add to it from the environment, in so far as Feast asks."""
    given = conninfo_to_dict(url)
    added = {
        name: settings.text(env, variable)
        for name, variable in FROM_LIBPQ.items()
        if not given.get(name) and settings.text(env, variable)
    }
    return make_conninfo(url, **added)


def registry(url: str, directory: Path) -> str:
    """SQLAlchemy's address of the registry: the schema feast of the database at url.

    Feast reads by a second connection while it writes by the first: where the engine has one
    backend, the registry is a SQLite file in directory. Errors: EngineUnavailable.
    """
    with connect(url) as connection:
        if not has_many_backends(connection):
            return f"sqlite:///{directory / 'registry.db'}"
    info = address(url)
    return URL.create(
        "postgresql+psycopg",
        username=info.pop("user"),
        password=info.pop("password") or None,
        host=info.pop("host"),
        port=int(info.pop("port")),
        database=info.pop("dbname"),
        query={**info, "options": "-csearch_path=feast"},
    ).render_as_string(hide_password=False)


def variables(url: str) -> dict[str, str]:
    """What the profiles read of the database, each value quoted for YAML."""
    info = address(url)
    return {
        "FEAST_DATABASE_URL": json.dumps(url),
        "FEAST_PGHOST": json.dumps(info["host"]),
        "FEAST_PGPORT": info["port"],
        "FEAST_PGDATABASE": json.dumps(info["dbname"]),
        "FEAST_PGUSER": json.dumps(info["user"]),
        "FEAST_PGPASSWORD": json.dumps(info["password"]),
        "FEAST_PGSSLMODE": json.dumps(info.get("sslmode", "prefer")),
        "FEAST_PGSSLROOTCERT": json.dumps(info.get("sslrootcert")),
    }


def address(url: str) -> dict[str, str]:
    """The parts of an address, with libpq's defaults for those that Feast wants said."""
    given = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    user = given.get("user", "postgres")
    return {
        "host": "localhost",
        "port": "5432",
        "user": user,
        "dbname": user,
        "password": "",
        **given,
    }


def redis_setting(url: str) -> str:
    """REDIS_URL as Feast writes it, quoted for YAML: "host:port,db=0,password=...".

    Errors: ConfigError for another scheme, or a comma, which Feast's form cannot hold.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        raise ConfigError(f"REDIS_URL must look like redis://host:6379/0 (or rediss://), not {url}")
    found: dict[str, str | int | bool] = {"db": int(parts.path.strip("/") or 0)}
    if parts.username:
        found["username"] = unquote(parts.username)
    if parts.password:
        found["password"] = unquote(parts.password)
    if parts.scheme == "rediss":
        found["ssl"] = True
    found.update(parse_qsl(parts.query))
    if any("," in str(value) for value in found.values()):
        raise ConfigError("Feast cannot read a comma in REDIS_URL: use a password without one")
    words = [f"{parts.hostname}:{parts.port or 6379}"]
    words += [f"{name}={json.dumps(value)}" for name, value in found.items()]
    return json.dumps(",".join(words))
