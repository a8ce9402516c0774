"""The variables that feature_store*.yaml read, from DATABASE_URL and REDIS_URL."""

import json
import os
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL

from engine.errors import EngineError
from engine.resolve import STATE_DIR, redis_url, start
from engine.server import connect, has_many_backends

REPO = Path(__file__).resolve().parent
PROFILES = {
    "redis": REPO / "feature_store.yaml",
    "postgres": REPO / "feature_store.postgres.yaml",
    "sqlite": REPO / "feature_store.sqlite.yaml",
}


def prepare() -> Path:
    """Start or find the engine and the online store, set what Feast reads, return the profile.

    FEAST_ONLINE chooses the profile: redis (default), postgres or sqlite. What is set already
    stays. Errors: EngineError, EngineUnavailable.
    """
    name = os.environ.get("FEAST_ONLINE") or "redis"
    if name not in PROFILES:
        raise EngineError(f"FEAST_ONLINE={name!r} is unknown; use one of {', '.join(PROFILES)}")
    if name == "redis" and "FEAST_REDIS" not in os.environ:
        os.environ["FEAST_REDIS"] = redis_setting(redis_url())
    # after Redis: which of the engines it is shows no more once DATABASE_URL is set
    url = os.environ["DATABASE_URL"] = os.environ.get("DATABASE_URL") or start().url
    for variable, value in variables(url).items():
        os.environ.setdefault(variable, value)
    directory = STATE_DIR / "feast"
    directory.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("FEAST_SQLITE", str(directory / "online.db"))
    if "FEAST_REGISTRY" not in os.environ:
        os.environ["FEAST_REGISTRY"] = registry(url, directory)
    profile = PROFILES[name]
    os.environ["FEAST_FS_YAML_FILE_PATH"] = str(profile)
    return profile


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
    """What feature_store.postgres.yaml reads, each value quoted for YAML."""
    info = address(url)
    return {
        "FEAST_PGHOST": json.dumps(info["host"]),
        "FEAST_PGPORT": info["port"],
        "FEAST_PGDATABASE": json.dumps(info["dbname"]),
        "FEAST_PGUSER": json.dumps(info["user"]),
        "FEAST_PGPASSWORD": json.dumps(info["password"]),
        "FEAST_PGSSLMODE": json.dumps(info.get("sslmode", os.environ.get("PGSSLMODE", "prefer"))),
        "FEAST_PGSSLROOTCERT": json.dumps(info.get("sslrootcert", os.environ.get("PGSSLROOTCERT"))),
    }


def address(url: str) -> dict[str, str]:
    """The parts of an address, with libpq's defaults for those that Feast wants said."""
    given = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    user = given.get("user", os.environ.get("PGUSER", "postgres"))
    return {
        "host": "localhost",
        "port": "5432",
        "user": user,
        "dbname": user,
        "password": os.environ.get("PGPASSWORD", ""),
        **given,
    }


def redis_setting(url: str) -> str:
    """REDIS_URL as Feast writes it, quoted for YAML: "host:port,db=0,password=...".

    Errors: EngineError for another scheme, or a comma, which Feast's form cannot hold.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        raise EngineError(f"REDIS_URL must look like redis://host:6379/0 (or rediss://), not {url}")
    found: dict[str, str | int | bool] = {"db": int(parts.path.strip("/") or 0)}
    if parts.username:
        found["username"] = unquote(parts.username)
    if parts.password:
        found["password"] = unquote(parts.password)
    if parts.scheme == "rediss":
        found["ssl"] = True
    found.update(parse_qsl(parts.query))
    if any("," in str(value) for value in found.values()):
        raise EngineError("Feast cannot read a comma in REDIS_URL: use a password without one")
    settings = [f"{parts.hostname}:{parts.port or 6379}"]
    settings += [f"{name}={json.dumps(value)}" for name, value in found.items()]
    return json.dumps(",".join(settings))
