"""Run dbt against an engine's address."""

import sys
from pathlib import Path

from psycopg.pq import Conninfo

from engine import child
from engine.errors import EngineUnavailable
from engine.server import connect, require_migrated
from engine.settings import ENVIRONMENT

ROOT = Path(__file__).resolve().parent.parent
# seeds/properties.yml says the type of a column that a file may have, and need not
OPTIONAL = 'ignore:"known_at" does not match:RuntimeWarning'


def environment(url: str) -> dict[str, str]:
    """This process's environment with the address as libpq's PG* variables, passwords included.

    What the address does not name stays as it is here: libpq reads it from there anyway.
    """
    given = {
        option.envvar.decode(): option.val.decode()
        for option in Conninfo.parse(url.encode())
        if option.envvar and option.val
    }
    return {**ENVIRONMENT, **given, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}


def run(url: str, *arguments: str, quiet: bool = False, project: Path = ROOT) -> str:
    """Run dbt with a project and the profile in it, print what it says, and return that.

    project: by default this repository. quiet: keep the output back unless dbt fails. Errors:
    EngineUnsuitable before the first migrate; EngineUnavailable, with dbt's own output where it was
    not printed.
    """
    with connect(url) as connection:
        require_migrated(connection)
        row = connection.execute("select current_database()").fetchone()
    # dbt writes the name into its SQL, and an engine may answer to other names than its own
    env = environment(url) | ({"PGDATABASE": row[0]} if row else {})
    env["PYTHONWARNINGS"] = ",".join(filter(None, [env.get("PYTHONWARNINGS"), OPTIONAL]))
    command = [sys.executable, "-c", "from dbt.cli.main import cli; cli()", *arguments]
    command += ["--project-dir", str(project), "--profiles-dir", str(project / "profiles")]
    code, said = child.stream(command, env, project, show=not quiet)
    if code != 0:
        words = f":\n{said}" if quiet else ", see above"
        raise EngineUnavailable(f"dbt {' '.join(arguments)} failed{words}")
    return said
