"""What a reader does who follows the documents after the demo."""

from __future__ import annotations

import io
import re
import shlex
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from engine.__main__ import psql_path
from ingest.__main__ import main
from tests.demo.conftest import Demo
from tests.documents import blocks

# documents whose statements answer once the demo has run
ANSWERED = ("README.md", "docs/audit.md", "docs/ingest.md", "docs/operations.md")
# an example of what another block has printed
EXAMPLE = "audit.verify(1234"
WHOLE = "select * from audit.verify"
# of which no row says that all is well
EMPTY = (
    WHOLE,
    "select * from feature.set_aside",
    "select * from timescaledb_information.job_errors",
    "select * from market.waiting_event",
    "select * from feature.waiting_history",
    "select * from feature.field_waits",
)
LIBPQ = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}


def unanswered(demo: Demo, document: str) -> list[str]:
    """The statements of a document that answer nothing, or wrongly; none leaves anything behind."""
    found = []
    with psycopg.connect(demo.url) as connection:
        connection.execute("set time zone 'UTC'")
        for one in blocks(document, "sql"):
            if EXAMPLE in one.text:
                continue
            for statement in statements(one.text):
                cursor = connection.execute(statement.encode())
                if cursor.description is None:
                    continue
                rows = cursor.fetchall()
                is_right = bool(rows) or statement.startswith(EMPTY)
                if statement.startswith(WHOLE):
                    is_right = not rows
                # what did not happen has its NULL in an administrator's tables, and in a bar's
                # first version, which no event made
                if document == "README.md":
                    enough = all if "feature_pit_snapshot" in statement else any
                    is_right = is_right and enough(None not in row for row in rows)
                if not is_right:
                    found.append(f"{document}, line {one.line}: {statement}\n{rows}")
        connection.rollback()
    return found


def statements(text: str) -> list[str]:
    """The statements of a block, without comments."""
    bare = re.sub(r"--.*", "", text)
    return [one.strip() for one in bare.split(";") if one.strip()]


def for_psql(url: str) -> dict[str, str]:
    """An environment in which a plain `psql` is there and goes to a database."""
    at = conninfo_to_dict(url)
    login = {variable: str(at[name]) for name, variable in LIBPQ.items() if at.get(name)}
    return {**login, "PGDATABASE": str(at["dbname"]), "PATH": f"{Path(psql_path()).parent}:/bin"}


def ingest(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """What `python -m ingest ...` prints, in this process; its question is answered with yes."""
    words = shlex.split(command, comments=True)
    assert words[:3] == ["python", "-m", "ingest"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    capsys.readouterr()
    code = main(words[3:])
    told = capsys.readouterr()
    assert code == 0, (command, told)
    return told.out
