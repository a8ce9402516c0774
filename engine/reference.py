"""Load seeds/ into the reference tables: all files in one transaction, or none and the reasons."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from engine.errors import ReferenceRefused
from engine.server import connect

SEEDS = Path(__file__).resolve().parent.parent / "seeds"
# file and table, those that others name first
TABLES = {
    "calendar": "calendar",
    "calendar_session": "calendar_session",
    "calendar_holiday": "calendar_holiday",
    "instrument": "instrument",
    "tenant": "tenant",
    "feature_set": "feature_set",
    "smartdb_contract": "contract",
}
# rows that are not from a file: tenants that access.set_tenant() has added
ALSO = {
    "tenant": "insert into loaded_tenant (tenant_id, name) select t.tenant_id, t.name"
    " from api.tenant as t where t.tenant_id not in (select l.tenant_id from loaded_tenant as l)"
}
SHOWN = 20
# columns that every log and answer has
TAKEN = (
    "tenant_id, symbol, bucket, known_at, closes_at, cause, definition, as_of, known_as_of,"
    " is_stale, place, bar"
)
# a field of the contract that a log cannot hold, or that would stand before those that were there,
# and a set that has none
FIELDS = f"""
    with said as (
        select l.*, feature.name_of(l.feature_set, 'log') as log
        from {{typed}} as l
    ),

    known as (
        select
            s.feature_set,
            a.attname as field,
            a.attnum
        from (select distinct d.feature_set from said as d) as s
        inner join pg_attribute as a
            on a.attrelid = to_regclass('feature.' || feature.name_of(s.feature_set, 'pit_row'))
        where a.attnum > 0 and not a.attisdropped
    )

    select
        s.line,
        case
            when s.field !~ '^[a-z][a-z0-9_]*$' then format(
                'field %%L: a name has small letters, digits and _', s.field
            )
            when s.field = any(string_to_array('{TAKEN}', ', ')) then format(
                'field %%L: the name is taken: every log and answer has a column of it', s.field
            )
            when s.data_type not in ('double precision', 'text') then format(
                'data_type %%L: a field is double precision or text', s.data_type
            )
            when format_type(a.atttypid, a.atttypmod) <> s.data_type then format(
                'data_type %%L of %%L is %%L in feature.%%s, which keeps what was said: give the'
                ' field another name', s.data_type, s.field, format_type(a.atttypid, a.atttypmod),
                s.log
            )
            else format(
                'field %%L comes before %%L, which the answers of %%s have had before it: a new'
                ' field comes last', s.field, o.field, s.feature_set
            )
        end
    from said as s
    left join pg_attribute as a
        on
            a.attrelid = to_regclass('feature.' || s.log)
            and s.field = a.attname
            and not a.attisdropped
    left join known as k on s.feature_set = k.feature_set and s.field = k.field
    left join lateral (
        select t.field
        from said as t
        inner join known as w on t.feature_set = w.feature_set and t.field = w.field
        where
            t.feature_set = s.feature_set
            and s.ordinal < t.ordinal
            and (k.attnum is null or k.attnum > w.attnum)
        order by t.ordinal
        limit 1
    ) as o on true
    where
        o.field is not null
        or s.field !~ '^[a-z][a-z0-9_]*$'
        or s.field = any(string_to_array('{TAKEN}', ', '))
        or s.data_type not in ('double precision', 'text')
        or format_type(a.atttypid, a.atttypmod) <> s.data_type
    union all
    select
        1,
        format('feature_set %%L of seeds/feature_set.csv has no field here', n.feature_set)
    from loaded_feature_set as n
    where n.feature_set not in (select d.feature_set from said as d)
"""
# a set whose name something else has already
SETS = """
    select
        l.line,
        format('feature_set %%L: the name is taken by %%s', l.feature_set, t.taken)
    from {typed} as l
    cross join lateral (
        select coalesce(
            to_regclass(format('api.%%I', l.feature_set))::text,
            (
                -- a log of a set that went before is taken up again
                select c.oid::regclass::text
                from pg_class as c
                where
                    c.oid = to_regclass(format('feature.%%I', l.feature_set || '_log'))
                    and not exists (
                        select from pg_trigger as g
                        where g.tgrelid = c.oid and g.tgname = 'log_is_append_only'
                    )
            ),
            case l.feature_set
                when 'feature' then 'the functions of market_1m' when 'tick' then 'the ticks'
            end
        ) as taken
    ) as t
    where
        t.taken is not null
        and l.feature_set not in (select s.feature_set from market.feature_set as s)
"""
OWN_RULES = {"contract": FIELDS, "feature_set": SETS}
# a line that would change what was known
REWRITES = (
    "select c.line, c.problem from market.reference_changes(%s, %s) as c where c.problem <> ''"
)
KEY = """
    select a.attname
    from (
        select c.conrelid, c.conkey
        from pg_constraint as c
        where c.conrelid = %s::regclass and c.contype in ('p', 'u')
        order by c.contype
        limit 1
    ) as c
    cross join unnest(c.conkey) as k (attnum)
    inner join pg_attribute as a on c.conrelid = a.attrelid and k.attnum = a.attnum
"""

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Column:
    """A column of a reference table. type: as PostgreSQL writes it."""

    name: str
    type: str
    is_not_null: bool
    has_default: bool


def load(url: str, directory: Path = SEEDS) -> list[str]:
    """Make the reference tables hold what the files of directory say.

    Readers see all of the former rows or all of the new ones. Rows that did not change are not
    touched. What changed is known from now, or from when the line says that it was announced
    (market.reference_changes()), and so are the sessions where this server's time zones have new
    rules. Returns a line for each table that changed. Errors: EngineUnavailable;
    ReferenceRefused, with file, line and reason of each wrong row: then nothing was changed.
    """
    with connect(url) as connection, connection.transaction():
        connection.execute("set local client_min_messages = warning")
        changes = _load(connection, directory, TABLES)
        settle(connection)
        connection.execute("select market.keep_sessions()")
        _validate(connection)
    return changes


def hold(connection: Connection) -> None:
    """Let nobody else edit reference tables until the transaction ends; readers go on.

    For who records in the audit chain before fill(): whoever edits comes to the chain after that.
    """
    there = connection.execute(
        "select t from unnest(%s::text[]) as t where to_regclass('market.' || t) is not null",
        [list(TABLES.values())],
    ).fetchall()
    if there:
        _lock(connection, [table for (table,) in there])


def fill(connection: Connection, names: set[str]) -> list[str]:
    """Load those tables of names that objects are made from, as part of their transaction.

    names: with their schema; others than reference tables are left alone. Where any of them
    changes, all files are loaded, but for the first time: what is edited at once is known at once.
    A wrong line of any file refuses all. Returns and raises as load(), after settle().
    """
    files = {file: table for file, table in TABLES.items() if f"market.{table}" in names}
    if not files:
        return []
    changes = _load(connection, SEEDS, files)
    row = connection.execute("select exists (select from market.instrument_version)").fetchone()
    if changes and row == (True,):
        others = {file: table for file, table in TABLES.items() if file not in files}
        changes += [one for name in others.items() for one in _replace(connection, *name)]
    return changes


def settle(connection: Connection) -> None:
    """Make versions of what was loaded. Errors: ReferenceRefused where sessions overlap."""
    try:
        connection.execute("set constraints all immediate")
    except psycopg.errors.InvalidParameterValue as error:
        raise ReferenceRefused(f"nothing was loaded:\nseeds/: {error}") from error


def _load(connection: Connection, directory: Path, files: dict[str, str]) -> list[str]:
    """Load those files, if nothing is wrong with any file of directory."""
    # one load after the other; readers go on
    _lock(connection, TABLES.values())
    problems = []
    for file, table in TABLES.items():
        found = _read(connection, directory / f"{file}.csv", table)
        problems += [f"seeds/{file}.csv {problem}" for problem in found]
    if problems:
        more = [f"... and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise ReferenceRefused("\n".join(["nothing was loaded:", *problems[:SHOWN], *more]))
    return [change for file, table in files.items() for change in _replace(connection, file, table)]


def _lock(connection: Connection, tables: Iterable[str]) -> None:
    connection.execute(
        sql.SQL("lock table {} in share row exclusive mode").format(
            sql.SQL(", ").join(map(_table, tables))
        )
    )


def _table(name: str) -> sql.Identifier:
    return sql.Identifier("market", name)


def _columns(connection: Connection, table: str) -> list[Column]:
    rows = connection.execute(
        "select a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef"
        " from pg_attribute as a where a.attrelid = %s::regclass and a.attnum > 0"
        " and not a.attisdropped order by a.attnum",
        [f"market.{table}"],
    ).fetchall()
    return [Column(*row) for row in rows]


def _read(connection: Connection, path: Path, table: str) -> list[str]:
    """Make the temporary table loaded_<table> of a file; return what is wrong with its lines."""
    columns = {column.name: column for column in _columns(connection, table)}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        return [f"cannot be read: {error}"]
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    rows = []
    try:
        header = next(reader, [])
        wrong = [name for name in header if name not in columns]
        required = [c.name for c in columns.values() if c.is_not_null and not c.has_default]
        missing = [name for name in required if name not in header]
        if wrong or missing or len(set(header)) < len(header):
            return [
                f"line 1: its columns are {', '.join(header)}; they may be {', '.join(columns)}, "
                "each once" + (f", and {', '.join(missing)} must be there" if missing else "")
            ]
        for cells in reader:
            if cells:
                rows.append((reader.line_num, cells))
    except csv.Error as error:
        return [f"line {reader.line_num}: {error}"]
    problems = [
        (line, f"{len(cells)} cells under {len(header)} columns")
        for line, cells in rows
        if len(cells) != len(header)
    ]
    if not problems:
        problems = _judge(connection, table, [columns[name] for name in header], rows)
    return [f"line {line}: {problem}" for line, problem in sorted(problems)]


def _judge(
    connection: Connection, table: str, columns: list[Column], rows: list[tuple[int, list[str]]]
) -> list[tuple[int, str]]:
    raw, typed = sql.Identifier(f"raw_{table}"), sql.Identifier(f"loaded_{table}")
    names = [sql.Identifier(column.name) for column in columns]
    connection.execute(
        sql.SQL("create temp table {} (line integer, {}) on commit drop").format(
            raw, sql.SQL(", ").join(sql.SQL("{} text").format(name) for name in names)
        )
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            sql.SQL("insert into {} values (%s, {})").format(
                raw, sql.SQL(", ").join([sql.Placeholder()] * len(names))
            ),
            [[line, *(cell or None for cell in cells)] for line, cells in rows],
        )
    problems: list[tuple[int, str]] = []
    for column, name in zip(columns, names, strict=True):
        problems += _cells(connection, raw, column, name)
    if problems:
        return problems
    connection.execute(
        sql.SQL(
            "create temp table {} (line integer, like {} including defaults) on commit drop"
        ).format(typed, _table(table))
    )
    connection.execute(
        sql.SQL("insert into {} (line, {}) select line, {} from {}").format(
            typed,
            sql.SQL(", ").join(names),
            sql.SQL(", ").join(
                sql.SQL("{}::{}").format(name, sql.SQL(column.type))
                for column, name in zip(columns, names, strict=True)
            ),
            raw,
        )
    )
    problems = _rules(connection, table, typed)
    if table in OWN_RULES and not problems:
        problems = connection.execute(sql.SQL(OWN_RULES[table]).format(typed=typed), []).fetchall()
    if not problems and table != "tenant":
        problems = connection.execute(REWRITES, [table, f"loaded_{table}"]).fetchall()
    return problems


def _cells(
    connection: Connection, raw: sql.Identifier, column: Column, name: sql.Identifier
) -> list[tuple[int, str]]:
    """What is wrong with the cells of a column, whatever the others hold."""
    rows: list[tuple[int, str]] = connection.execute(
        sql.SQL(
            "select line, case when {name} is null then format('%%s is empty', {label})"
            " when {name} <> btrim({name}) then"
            " format('%%s %%L begins or ends with a blank', {label}, {name})"
            " else format('%%s %%L is no %%s', {label}, {name}, {type}) end"
            " from {raw}"
            " where {name} <> btrim({name}) or not pg_input_is_valid({name}, {type})"
            " or {name} is null and %s order by line"
        ).format(name=name, label=column.name, type=column.type, raw=raw),
        [column.is_not_null],
    ).fetchall()
    return rows


def _rules(connection: Connection, table: str, typed: sql.Identifier) -> list[tuple[int, str]]:
    """What breaks a key, a check or a reference of the table."""
    problems: list[tuple[int, str]] = []
    for kind, columns, rule, other, other_columns in connection.execute(
        "select c.contype::text, array(select a.attname from unnest(c.conkey) with ordinality as k"
        " (attnum, place) inner join pg_attribute as a"
        " on a.attrelid = c.conrelid and k.attnum = a.attnum order by k.place),"
        " pg_get_expr(c.conbin, c.conrelid), o.relname::text,"
        " array(select a.attname from unnest(c.confkey) with ordinality as k (attnum, place)"
        " inner join pg_attribute as a on a.attrelid = c.confrelid and k.attnum = a.attnum"
        " order by k.place)"
        " from pg_constraint as c left join pg_class as o on c.confrelid = o.oid"
        " where c.conrelid = %s::regclass and c.contype in ('p', 'u', 'c', 'f') order by c.conname",
        [f"market.{table}"],
    ).fetchall():
        key = sql.SQL(", ").join(sql.Identifier(column) for column in columns)
        parts: dict[str, sql.Composable] = {
            "typed": typed,
            "key": key,
            "names": sql.Literal(", ".join(columns)),
        }
        if kind == "c":
            query = "select line, {rule} from {typed} where not ({check})"
            parts |= {"check": sql.SQL(rule), "rule": sql.Literal(f"breaks the rule {rule}")}
        elif kind == "f":
            query = (
                "select line, format('%%s %%L is in no line of %%s', {names},"
                " concat_ws(', ', {key}), {seed}) from {typed}"
                " where ({key}) not in (select {others} from {other})"
            )
            parts |= {
                "other": sql.Identifier(f"loaded_{other}"),
                "others": sql.SQL(", ").join(sql.Identifier(column) for column in other_columns),
                "seed": sql.Literal(f"seeds/{other}.csv"),
            }
        else:
            query = (
                "select line, format('%%s %%L stands in line %%s already', {names},"
                " concat_ws(', ', {key}), first) from (select line, {key}, min(line) over"
                " (partition by {key}) as first from {typed}) as t where line > first"
            )
        if kind != "f" or _is_there(connection, f"loaded_{other}"):
            problems += connection.execute(sql.SQL(query).format(**parts), []).fetchall()
    return problems


def _is_there(connection: Connection, temporary: str) -> bool:
    return connection.execute(
        "select to_regclass('pg_temp.' || quote_ident(%s)) is not null", [temporary]
    ).fetchone() == (True,)


def _replace(connection: Connection, file: str, table: str) -> list[str]:
    """Bring a table to its loaded rows; return a line that counts what changed."""
    if file in ALSO:
        connection.execute(ALSO[file])
    names = [column.name for column in _columns(connection, table)]
    keys = [name for (name,) in connection.execute(KEY, [f"market.{table}"]).fetchall()] or names

    def columns(names: list[str], *of: str) -> sql.Composable:
        return sql.SQL(", ").join(sql.Identifier(*of, name) for name in names)

    parts = {
        "table": _table(table),
        "loaded": sql.Identifier(f"loaded_{table}"),
        "columns": columns(names),
        "of_table": columns(names, "t"),
        "of_loaded": columns(names, "l"),
        "key_of_table": columns(keys, "t"),
        "key_of_loaded": columns(keys, "l"),
    }

    def run(statement: str) -> int:
        return connection.execute(sql.SQL(statement).format(**parts)).rowcount

    new = run("select {columns} from {loaded} except select {columns} from {table}")
    added = run(
        "select from {loaded} as l where not exists (select from {table} as t"
        " where row({key_of_table}) is not distinct from row({key_of_loaded}))"
    )
    removed = run(
        "select from {table} as t where not exists (select from {loaded} as l"
        " where row({key_of_table}) is not distinct from row({key_of_loaded}))"
    )
    if not (new or removed):
        return []
    run(
        "delete from {table} as t where not exists (select from {loaded} as l"
        " where row({of_table}) is not distinct from row({of_loaded}))"
    )
    run(
        "insert into {table} ({columns}) select {columns} from {loaded}"
        " except select {columns} from {table}"
    )
    counts = {"added": added, "changed": new - added, "removed": removed}
    return [f"{table}: {', '.join(f'{n} {what}' for what, n in counts.items() if n)}"]


def _validate(connection: Connection) -> None:
    """Rules that rows of an older release broke hold from here on."""
    for table, name in connection.execute(
        "select c.conrelid::regclass::text, c.conname from pg_constraint as c"
        " where not c.convalidated and c.conrelid = any(%s::regclass[])",
        [[f"market.{table}" for table in TABLES.values()]],
    ).fetchall():
        connection.execute(
            sql.SQL("alter table {} validate constraint {}").format(
                sql.SQL(table), sql.Identifier(name)
            )
        )
