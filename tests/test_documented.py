"""Everything that can be called or set has its line in the docs, and the docs name nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ingest.kinds import KINDS

ROOT = Path(__file__).resolve().parents[1]
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(path.read_text() for path in DOCS)
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = sorted(set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE)))
CLAIMED = sorted(set(re.findall(r"^\| `([A-Z][A-Z0-9]*_[A-Z0-9_]+)", TEXT, re.MULTILINE)))
# where settings are read; psql and libpq read those that begin with PG
READERS = (
    *("bench", "demo", "deploy", "embedded", "engine", "feast_repo", "ingest"),
    *("serving", "telemetry", "training"),
)
OURS = """
    select distinct case n.nspname when 'public' then p.proname else 'api.' || p.proname end
    from pg_proc as p
    inner join pg_namespace as n on p.pronamespace = n.oid
    where n.nspname in ('public', 'api') and not exists (
        select from pg_depend as d
        where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
    )
"""


def named(name: str) -> bool:
    """Whether the docs name a function, with its schema if that is not public."""
    return re.search(rf"(?<![\w.]){re.escape(name)}\b", TEXT) is not None


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_is_in_the_docs(target: str) -> None:
    assert re.search(rf"\bmake {target}\b(?!-)", TEXT), f"no line of docs/ has `make {target}`"


def test_every_function_of_public_and_api_is_in_the_docs(database: str) -> None:
    with psycopg.connect(database) as connection:
        functions = sorted(name for (name,) in connection.execute(OURS).fetchall())
        found = connection.execute("select feature_set from market.feature_set").fetchall()
    sets = {name for (name,) in found} - {"market_1m"}
    assert len(sets) > 1
    assert [name for name in sets if not named(name)] == []
    # a set's functions are named as the first one's, with its name for theirs
    of_sets = re.compile(rf"^((?:api\.)?)(?:{'|'.join(sets)})(?=_pit_)")
    functions = [of_sets.sub(r"\1feature", name) for name in functions]
    assert len(functions) > 10
    assert [name for name in functions if not named(name)] == []


def _sources() -> Iterator[str]:
    for folder in READERS:
        for path in (ROOT / folder).rglob("*"):
            if "node_modules" not in path.parts and path.suffix in (".py", ".mjs", ".yml", ".yaml"):
                yield path.read_text()


def test_the_docs_name_only_settings_that_are_read() -> None:
    read = set(re.findall(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b", "\n".join(_sources())))
    read |= {kind.setting for kind in KINDS.values()}
    assert len(CLAIMED) > 20
    assert [name for name in CLAIMED if name not in read] == []
