"""What a rollback loses: line 1 of its file says what, the tables that it drops say how much."""

import re
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from engine.errors import MigrationFailed

LOSES = re.compile(r"-- loses: (?P<what>[^\n]*(?:\n--   [^\n]*)*)")
DROPPED = re.compile(r"^drop table (?:if exists )?(?P<table>\w+\.\w+)", re.MULTILINE)
SCHEMAS = re.compile(r"^drop schema (?:if exists )?(?P<schema>\w+)", re.MULTILINE)
TABLES = """
    select format('%%s.%%s', n.nspname, c.relname)
    from pg_catalog.pg_class as c
    inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
    where n.nspname = %s and c.relkind in ('r', 'p')
    order by 1
"""
COUNT_S = 5


def of(connection: psycopg.Connection[Any], names: list[str], directory: Path) -> list[str]:
    """What the rollbacks of these migrations lose, a line each, with the rows of their tables.

    In the order of names, a table's rows once; none for what loses nothing. connection: autocommit,
    with TimescaleDB's functions on its path.
    """
    lines = []
    counted: set[str] = set()
    for name in names:
        text = (directory / f"{name}.rollback.sql").read_text()
        said = LOSES.match(text)
        if said is None:
            raise MigrationFailed(f"{name}.rollback.sql does not begin with -- loses:")
        what = re.sub(r"\n--\s+", " ", said["what"])
        if what.startswith("nothing"):
            continue
        tables = dict.fromkeys(DROPPED.findall(text))
        for schema in SCHEMAS.findall(text):
            found = connection.execute(TABLES, (schema,)).fetchall()
            tables.update(dict.fromkeys(table for (table,) in found))
        rows = [(_rows(connection, table), table) for table in tables if table not in counted]
        counted.update(tables)
        some = ", ".join(f"{number} in {table}" for number, table in rows if number != "0")
        lines.append(f"{name}: {what}" + (f"; rows: {some or 'none'}" if rows else ""))
    return lines


def _rows(connection: psycopg.Connection[Any], table: str) -> str:
    """The number of rows, or about how many where to count them takes too long or too many locks.

    A table that is not there has none.
    """
    name = sql.Identifier(*table.split("."))
    try:
        connection.execute(f"set statement_timeout = '{COUNT_S}s'".encode())
        row = connection.execute(sql.SQL("select count(*) from {}").format(name)).fetchone()
    except psycopg.errors.UndefinedTable:
        return "0"
    except (psycopg.errors.QueryCanceled, psycopg.errors.OutOfMemory):
        row = connection.execute("select approximate_row_count(%s)", (table,)).fetchone()
        return f"about {row[0]:,}" if row and row[0] else "an unknown number"
    finally:
        connection.execute("reset statement_timeout")
    return f"{row[0]:,}" if row else "0"
