"""What `make status` says of a database that answers: what it is, what runs, what waits."""

from typing import Any

import psycopg

from engine import board, capacity, ending, history
from engine.errors import EngineError
from engine.migrate import pending
from engine.server import connect, require_loaded

NAMED = 8
# the job runs every 20 s
LATE_S = 60.0
LATE = ": late. `call feature.publish()` in make psql says what stops it"
JOBS = """
    select count(*) from timescaledb_information.jobs where scheduled and job_id >= 1000
"""
LAST = """
    select
        (published_at > live_from)::int,
        extract(epoch from clock_timestamp() - published_at)::float8,
        to_char(published_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC')
    from feature.clock
"""
# a database that an older release has migrated has none
GENERATIONS = "select to_regclass('feature.rebuild_run') is not null"
REBUILD = """
    select
        array_to_string(feature_sets, ', '),
        extract(epoch from clock_timestamp() - begun_at)::float8,
        extract(epoch from clock_timestamp() - stepped_at)::float8,
        versions
    from feature.rebuild_run
"""
# a step takes seconds
LEFT_S = 600.0
LEFT = ": left half-made. `call feature.rebuild()` begins anew"
KNOWN = "select to_regprocedure('feature.history_waits()') is not null"
# a database that an older release has migrated has none
DEFINITIONS = "select to_regclass('feature.current_definition') is not null"
DEFINED = """
    select c.feature_set, c.definition, count(*)
    from feature.current_definition as c
    inner join feature.definition as d on c.feature_set = d.feature_set
    group by c.feature_set, c.definition order by c.definition
"""
FAILING = (
    "select job_id, job, coalesce(error, 'no words in job_errors') from feature.failing_jobs()"
)
LETTERS = """
    select d.reason, count(*)
    from market.dead_letter as d
    -- not those sent back or dropped since; the column may be pending
    where to_jsonb(d) ->> 'settled_at' is null
    group by d.reason order by count(*) desc, d.reason
"""


def report(url: str) -> list[str]:
    """Lines about the database: versions, what is pending, the last publish, jobs, dead letters.

    Also a rebuild, what history waits for a backfill, which series have quotes alone, the disk, a
    warning for each calendar that comes to its end and each setting of its server that is too low.

    It changes nothing. Errors: EngineUnavailable, EngineUnsuitable; EngineError where the login
    may not read it.
    """
    with connect(url) as connection:
        try:
            require_loaded(connection)
            connection.execute("set default_transaction_read_only = on")
            lines = [_versions(connection)]
            lines.append(_migrations(pending(connection)))
            if connection.execute(KNOWN).fetchone() == (True,):
                lines += _running(connection)
                warnings = ending.warnings(connection) + capacity.warnings(connection)
                lines += [f"warning: {one}" for one in warnings]
        except psycopg.Error as error:
            raise EngineError(
                f"the database answers, but not this: {str(error).strip()}. Ask as a login that "
                "migrates or has market_operator"
            ) from error
    return lines


def _versions(connection: psycopg.Connection[Any]) -> str:
    row = connection.execute(
        "select extversion from pg_extension where extname = 'timescaledb'"
    ).fetchone()
    number = connection.info.server_version
    extension = f"TimescaleDB {row[0]}" if row else "no TimescaleDB yet"
    return f"PostgreSQL {number // 10000}.{number % 10000}, {extension}"


def _migrations(waiting: list[str]) -> str:
    if not waiting:
        return "migrations: all applied"
    named = waiting if len(waiting) <= NAMED else [*waiting[:NAMED], "..."]
    return f"migrations: {len(waiting)} pending, run make migrate: {', '.join(named)}"


def _running(connection: psycopg.Connection[Any]) -> list[str]:
    lines = []
    row = connection.execute(LAST).fetchone()
    if row is not None and row[0]:
        late = LATE if row[1] > LATE_S else ""
        lines.append(f"last publish: {_age(row[1])} ({row[2]}){late}")
    else:
        lines.append("last publish: none yet")
    jobs = connection.execute(JOBS).fetchone()
    failing = connection.execute(FAILING).fetchall()
    number = jobs[0] if jobs else 0
    lines.append(f"jobs: {number} scheduled, {len(failing) or 'none'} failing")
    lines += [f"  {job_id} {job}: {error}" for job_id, job, error in failing]
    lines += _definitions(connection)
    lines += _rebuild(connection)
    lines += history.waiting(connection)
    letters = connection.execute(LETTERS).fetchall()
    by_reason = ", ".join(f"{reason} {count}" for reason, count in letters)
    lines.append(f"dead letters: {by_reason or 'none'}")
    lines.append(board.disk(connection))
    return lines


def _definitions(connection: psycopg.Connection[Any]) -> list[str]:
    """Which formulas the sets are computed by; none: no line."""
    if connection.execute(DEFINITIONS).fetchone() != (True,):
        return []
    found = connection.execute(DEFINED).fetchall()
    if not found:
        return []
    named = ", ".join(
        f"{name} {number}" + (f" (of {so_far})" if so_far > 1 else "")
        for name, number, so_far in found
    )
    more = ""
    if any(so_far > 1 for *_, so_far in found):
        more = ": answers that mix them warn, `select * from feature.definition` says what they are"
    return [f"definitions: {named}{more}"]


def _rebuild(connection: psycopg.Connection[Any]) -> list[str]:
    """How far the generation is that feature.rebuild() is making; none: no line."""
    if connection.execute(GENERATIONS).fetchone() != (True,):
        return []
    return [
        f"rebuild of {sets}: begun {_age(begun)}, last step {_age(stepped)}, "
        f"{versions:,} versions so far{LEFT if stepped > LEFT_S else ''}"
        for sets, begun, stepped, versions in connection.execute(REBUILD)
    ]


def _age(seconds: float) -> str:
    if seconds < 0:
        return f"{-seconds:.0f} s ahead of the server's clock"
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"
