"""Functions and views: one object a file below migrations/, replaced where its text has changed."""

import hashlib
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from engine import reference
from engine.errors import MigrationFailed

KINDS = ("functions", "views")
TABLE = "migration_object"
COMMENTS = re.compile(r"(?:--[^\n]*\n)*")

# The name of what feature.define() makes of a file, with the marks that each set's name stands for
MARKED = re.compile(
    r"^comment on (?:function|procedure|view) \w+\.(\S*?\{[^{}]+\}\w*)", re.MULTILINE
)
# What a file has made, as "drop" wants it: its routines with their overloads and the triggers that
# call them (those of chunks follow their table's), or its view.
MADE = """
    with routine as (
        select
            p.oid,
            format(
                '%%s %%I.%%I(%%s)', case p.prokind when 'p' then 'procedure' else 'function' end,
                n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)
            ) as identity
        from pg_catalog.pg_proc as p
        inner join pg_catalog.pg_namespace as n on p.pronamespace = n.oid
        where %(kind)s = 'functions' and n.nspname = %(schema)s and p.proname = any(%(names)s)
    )

    select 3 as place, r.identity from routine as r
    union all
    select 1, format('trigger %%I on %%I.%%I', t.tgname, n.nspname, c.relname)
    from routine as r
    inner join pg_catalog.pg_trigger as t on r.oid = t.tgfoid
    inner join pg_catalog.pg_class as c on t.tgrelid = c.oid
    inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
    where n.nspname <> '_timescaledb_internal'
    union all
    select 1, format('event trigger %%I', e.evtname)
    from routine as r
    inner join pg_catalog.pg_event_trigger as e on r.oid = e.evtfoid
    union all
    select 2, format('view %%I.%%I', n.nspname, c.relname)
    from pg_catalog.pg_class as c
    inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
    where %(kind)s = 'views' and n.nspname = %(schema)s and c.relname = any(%(names)s)
        and c.relkind = 'v'
    order by place, identity
"""


@dataclass(frozen=True)
class Object:
    """A file that makes one function (with its overloads and triggers) or one view."""

    path: str  # below migrations/, without .sql: functions/feature/publish
    text: str

    def header(self, key: str) -> list[str]:
        """Words behind "-- key:" in the comments that the file begins with."""
        comments = COMMENTS.match(self.text)
        found = re.search(
            rf"^-- {key}:((?:[^\n]|\n--   )*)", comments.group() if comments else "", re.MULTILINE
        )
        return re.sub(r"\n--", " ", found.group(1)).split() if found else []


def read(directory: Path) -> list[Object]:
    """All objects below directory, each after those it depends on, else in order of their paths.

    Those that are made from rows, and what depends on them, come last. Raises MigrationFailed where
    they depend on one another in a circle or on what is not there.
    """
    found = {
        path.relative_to(directory).with_suffix("").as_posix(): path.read_text()
        for kind in KINDS
        for path in sorted((directory / kind).glob("*/*.sql"))
    }
    objects = {path: Object(path, text) for path, text in found.items()}
    sorter = TopologicalSorter({path: one.header("depends") for path, one in objects.items()})
    try:
        order = list(sorter.static_order())
    except CycleError as error:
        raise MigrationFailed(
            f"objects depend on one another: {' -> '.join(error.args[1])}"
        ) from error
    missing = [path for path in order if path not in objects]
    if missing:
        raise MigrationFailed(f"objects depend on {', '.join(missing)}, which no file makes")
    ordered = [objects[path] for path in order]
    last = _from_rows(ordered)
    return sorted(ordered, key=lambda one: one.path in last)


def _from_rows(ordered: list[Object]) -> set[str]:
    """Paths of the objects that are made from rows, or depend on one that is."""
    found: set[str] = set()
    for one in ordered:
        if one.header("rows") or not found.isdisjoint(one.header("depends")):
            found.add(one.path)
    return found


def replace(
    connection: psycopg.Connection[Any],
    directory: Path,
    schema: str,
    tell: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Replace what has changed, is missing or was never made; drop what no file makes any more.

    The reference rows that objects are made from are loaded between the others and these. All in
    one transaction. connection: autocommit, of whoever migrates; schema: TimescaleDB's; tell:
    called with what has changed of the rows. Returns the paths of what was replaced or dropped.
    Raises MigrationFailed and ReferenceRefused.
    """
    objects = read(directory)
    connection.execute(
        f"create table if not exists public.{TABLE}"
        " (path text primary key, sha256 text not null, made text[] not null)"
    )
    last = _from_rows(objects)
    rows = {table for one in objects for table in one.header("rows")}
    texts = {one.path: one.text for one in objects}
    with connection.transaction():
        reference.hold(connection)
        known = _known(connection)
        gone = sorted(known.keys() - texts.keys())
        first = [one for one in objects if one.path not in last]
        changed = _changed(connection, known, first, texts)
        _bring(connection, schema, changed, {path: known[path][1] for path in gone})
        changes = reference.fill(connection, rows)
        for change in changes:
            tell(change)
        from_rows = _changed(connection, known, [one for one in objects if one.path in last], texts)
        _bring(connection, schema, from_rows, {})
        changed |= from_rows
        for one, digest in changed.items():
            # last: what a file makes can be changed by a later one, a trigger for example
            connection.execute(
                f"insert into public.{TABLE} (path, sha256, made) values (%s, %s, %s)"
                " on conflict (path) do update"
                " set sha256 = excluded.sha256, made = excluded.made",
                (one.path, digest, _made(connection, one)),
            )
        for one in objects if from_rows else []:
            # the log of a new set has triggers that call what was there
            connection.execute(
                f"update public.{TABLE} set made = %(made)s"
                " where path = %(path)s and made <> %(made)s",
                {"path": one.path, "made": _made(connection, one)},
            )
        if changes:
            # last, because publishes wait from here on
            reference.settle(connection)
    return [*gone, *(one.path for one in changed)]


def pending(connection: psycopg.Connection[Any], directory: Path) -> list[str]:
    """Paths of what replace() would replace or drop; changes nothing."""
    row = connection.execute("select to_regclass(%s) is null", (f"public.{TABLE}",)).fetchone()
    objects = read(directory)
    if row == (True,):
        return [one.path for one in objects]
    texts = {one.path: one.text for one in objects}
    known = _known(connection)
    gone = sorted(known.keys() - texts.keys())
    return [*gone, *(one.path for one in _changed(connection, known, objects, texts))]


def forget(connection: psycopg.Connection[Any]) -> None:
    """Have every object made again by the next replace()."""
    connection.execute(f"drop table if exists public.{TABLE}")


def _known(connection: psycopg.Connection[Any]) -> dict[str, tuple[str, list[str]]]:
    """By path, the digest of what it was made from, and what was made."""
    rows = connection.execute(f"select path, sha256, made from public.{TABLE}").fetchall()
    return {path: (digest, made) for path, digest, made in rows}


def _changed(
    connection: psycopg.Connection[Any],
    known: dict[str, tuple[str, list[str]]],
    objects: list[Object],
    texts: dict[str, str],
) -> dict[Object, str]:
    """What is not as its file says, with the digest that it is to have.

    known: of _known(); texts: of all files.
    """
    digests = {one: _digest(connection, one, texts) for one in objects}
    return {
        one: digest
        for one, digest in digests.items()
        if known.get(one.path) != (digest, _made(connection, one))
    }


def _digest(connection: psycopg.Connection[Any], one: Object, texts: dict[str, str]) -> str:
    """SHA-256 of the file, of those it depends on, and of the rows it acts on when it runs."""
    digest = hashlib.sha256(one.text.encode())
    for path in one.header("depends"):
        digest.update(texts[path].encode())
    for table in one.header("rows"):
        rows = connection.execute(f"select t::text from {table} as t order by 1".encode())
        digest.update(repr(rows.fetchall()).encode())
    return digest.hexdigest()


def _made(connection: psycopg.Connection[Any], one: Object) -> list[str]:
    kind, schema, name = one.path.split("/")
    marked = MARKED.search(one.text)
    names = [name, *(_of_sets(connection, marked.group(1)) if marked else [])]
    rows = connection.execute(MADE, {"kind": kind, "schema": schema, "names": names}).fetchall()
    return [identity for _, identity in rows]


def _of_sets(connection: psycopg.Connection[Any], marked: str) -> list[str]:
    """What each set of features has under a name with marks; none before there are sets."""
    there = connection.execute(
        "select to_regclass('market.feature_set') is not null"
        " and to_regprocedure('feature.with_names(text, text)') is not null"
    ).fetchone()
    if there != (True,):
        return []
    rows = connection.execute(
        "select feature.with_names(s.feature_set, %s) from market.feature_set as s", (marked,)
    ).fetchall()
    return [name for (name,) in rows]


def _bring(
    connection: psycopg.Connection[Any],
    schema: str,
    changed: Collection[Object],
    gone: dict[str, list[str]],
) -> None:
    """Drop what is gone, make what has changed, in its order; gone: by path, what was made."""
    if not changed and not gone:
        return
    with _owner(connection, schema):
        for path, made in gone.items():
            _drop(connection, path, made)
        for one in changed:
            _make(connection, one)


@contextmanager
def _owner(connection: psycopg.Connection[Any], schema: str) -> Iterator[None]:
    """The owner's rights, and the names, that the files count on; for one transaction."""
    path = sql.SQL("public, {}").format(sql.Identifier(schema))
    connection.execute(sql.SQL("set local search_path = {}").format(path))
    connection.execute("set local client_min_messages = warning")
    # one function calls another that comes later
    connection.execute("set local check_function_bodies = off")
    may = connection.execute(
        "select has_schema_privilege('market_owner', 'public', 'create')"
    ).fetchone()
    if may != (True,):
        connection.execute("grant create on schema public to market_owner")
    yield
    connection.execute("reset role")
    if may != (True,):
        connection.execute("revoke create on schema public from market_owner")


def _drop(connection: psycopg.Connection[Any], path: str, made: list[str]) -> None:
    for identity in made:
        _run(connection, path, f"drop {identity}")
    connection.execute(f"delete from public.{TABLE} where path = %s", (path,))


def _make(connection: psycopg.Connection[Any], one: Object) -> None:
    connection.execute("set local role market_owner")
    _run(connection, one.path, one.text)


def _run(connection: psycopg.Connection[Any], path: str, text: str) -> None:
    try:
        connection.execute(text.encode())
    except psycopg.errors.InternalError_:
        # nothing that the text could help: another session was at the same row of a catalog
        raise
    except psycopg.Error as error:
        raise MigrationFailed(
            f"{path}.sql failed, and no function or view was changed: {str(error).strip()}\nWhat "
            '"create or replace" cannot do wants a migration that drops the object first: see '
            "migrations/README.md"
        ) from error
