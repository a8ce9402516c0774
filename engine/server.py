"""Connect to a server, and say clearly what it lacks."""

import re

import psycopg

from engine.errors import EngineUnavailable, EngineUnsuitable

MIN_TIMESCALEDB = (2, 29, 2)
MIN_SINGLE_BACKEND = (2, 23, 0)
MIN_POSTGRES = 16


def connect(url: str) -> psycopg.Connection:
    """Open an autocommit connection; its search path is the login's own.

    Errors: EngineUnavailable (unreachable, wrong credentials, no such database).
    """
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        info = psycopg.conninfo.conninfo_to_dict(url)
        where = f"{info.get('host', 'localhost')}:{info.get('port', 5432)}"
        raise EngineUnavailable(
            f"no connection to {where}, database {info.get('dbname')!r}, "
            f"user {info.get('user')!r}: {str(error).strip()}. "
            "Check DATABASE_URL, or unset it to use the embedded engine."
        ) from error
    return connection


def extension_schema(connection: psycopg.Connection) -> str:
    """Make sure that TimescaleDB is there and new enough; return the schema it lives in.

    Errors: EngineUnsuitable.
    """
    major = connection.info.server_version // 10000
    if major < MIN_POSTGRES:
        raise EngineUnsuitable(f"PostgreSQL {major} is too old; use {MIN_POSTGRES} to 18")
    found = _installed(connection)
    if found is None:
        _create(connection)
        found = _installed(connection)
    if found is None:  # create extension succeeded, so this cannot be; say so rather than go on
        raise EngineUnsuitable("TimescaleDB was created but is not listed in pg_extension")
    schema, version = found
    # 2.28 and older let any login drop chunks. A server with one backend has no logins to keep
    # apart, and is not for production: there an older build will do.
    minimum = MIN_TIMESCALEDB if has_many_backends(connection) else MIN_SINGLE_BACKEND
    if _numbers(version) < minimum:
        wanted = ".".join(map(str, minimum))
        raise EngineUnsuitable(
            f"TimescaleDB {version} is too old; install {wanted} or newer, "
            "then: alter extension timescaledb update"
        )
    require_loaded(connection)
    return schema


def require_loaded(connection: psycopg.Connection) -> None:
    """Make sure that a server with TimescaleDB in this database has loaded it at its start.

    Where it has not, statements end their session. Errors: EngineUnsuitable.
    """
    row = connection.execute(
        "select exists (select from pg_extension where extname = 'timescaledb')"
        " and current_setting('timescaledb.max_background_workers', true) is null"
    ).fetchone()
    if row == (True,) and has_many_backends(connection):
        raise EngineUnsuitable(
            "shared_preload_libraries lacks timescaledb, which this database needs. Add it in the "
            "server's postgresql.conf, then restart the server"
        )


def require_migrated(connection: psycopg.Connection) -> None:
    """Make sure that the database has this project's tables. Errors: EngineUnsuitable."""
    # to_regclass() would refuse a login that may not look into the schema
    row = connection.execute(
        "select exists (select from pg_class as c"
        " inner join pg_namespace as n on c.relnamespace = n.oid"
        " where n.nspname = 'market' and c.relname = 'trade')"
    ).fetchone()
    if row != (True,):
        info = connection.info
        raise EngineUnsuitable(
            f"database {info.dbname!r} at {info.host}:{info.port} has none of this project's "
            "tables yet: run make migrate, then make dbt; or make demo, which does all of it"
        )


def has_many_backends(connection: psycopg.Connection) -> bool:
    """Whether two transactions can be open at once; a server with one backend runs no others."""
    # a checkpointer and its like belong to no database; what they are, only superusers see
    row = connection.execute(
        "select exists (select from pg_stat_activity"
        " where datid is null and pid <> pg_backend_pid())"
    ).fetchone()
    return row is not None and bool(row[0])


def _installed(connection: psycopg.Connection) -> tuple[str, str] | None:
    row = connection.execute(
        "select n.nspname, e.extversion from pg_extension as e"
        " inner join pg_namespace as n on e.extnamespace = n.oid where e.extname = 'timescaledb'"
    ).fetchone()
    return None if row is None else (row[0], row[1])


def _create(connection: psycopg.Connection) -> None:
    try:
        connection.execute("create extension timescaledb")
    except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateObject):
        return  # another migration created it at the same moment
    except psycopg.Error as error:
        raise EngineUnsuitable(
            f"this server cannot create the extension TimescaleDB: {str(error).strip()}. Install "
            "TimescaleDB >= 2.29.2, put it into shared_preload_libraries, and let a superuser run: "
            "create extension timescaledb"
        ) from error


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", version)[:3])
