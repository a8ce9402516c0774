"""The contract's fields, and what may be told of each by its lines alone.

What the demo shows bar by bar are the fields of market_1m, the first of the sets of features.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

# is_window: computed of other bars' values, as publishes compute it.
CONTRACT = """
    select
        c.field,
        c.data_type,
        c.unit,
        c.formula,
        c.inputs is not null as is_derived,
        c.field = any(coalesce(w.columns, '{}')) as is_window,
        c.available_after_s as due_s,
        c.max_staleness_s as stale_s
    from market.contract as c
    left join (
        select p.proargnames as columns
        from pg_catalog.pg_proc as p
        where p.oid = to_regprocedure('feature.window_value()')
    ) as w on true
    where c.feature_set = 'market_1m'
    order by c.ordinal
"""
SETS = """
    select
        c.feature_set,
        s.grain,
        c.field,
        c.unit,
        c.formula,
        c.available_after_s as due_s,
        c.max_staleness_s as stale_s
    from market.contract as c
    inner join market.feature_set as s on c.feature_set = s.feature_set
    order by c.feature_set <> 'market_1m', c.feature_set, c.ordinal
"""
BOUNDS = re.compile(r"in \[(-?[\d.]+), (-?[\d.]+)\]$")
Row = Mapping[str, Any]


def read(connection: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """The fields of market_1m in the contract's order, each described()."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return [described(row) for row in cursor.execute(CONTRACT).fetchall()]


def of_all_sets(connection: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """What the contract says of each field of each set, market_1m's first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(SETS).fetchall()


def described(row: Row) -> dict[str, Any]:
    """A row of CONTRACT with what its unit says of it.

    kind: word, price, amount, points or number. words: of a word, those that the unit names.
    bounds: the least and the largest value, of a number that has them.
    """
    unit, bounds = row["unit"], BOUNDS.search(row["unit"])
    is_word = row["data_type"] == "text"
    return {
        **row,
        "kind": "word" if is_word else _kind(unit),
        "words": unit.split(", ") if is_word else [],
        "bounds": [float(bound) for bound in bounds.groups()] if bounds and not is_word else None,
    }


def _kind(unit: str) -> str:
    if unit == "price":
        return "price"
    if unit.startswith("units"):
        return "amount"
    return "points" if unit.startswith("basis points") else "number"


def lead(contract: Sequence[Row]) -> str:
    """The field that stands for a bar where there is room for one: the last of its own prices.

    Where it has none, its first number; an empty name where it has none either.
    """
    own = [one["field"] for one in contract if one["kind"] == "price" and not one["is_derived"]]
    numbers = [one["field"] for one in contract if one["kind"] != "word"]
    found: list[str] = own[-1:] or numbers[:1] or [""]
    return found[0]


def listed(contract: Sequence[Row]) -> list[str]:
    """For a table: all fields in order, of a bar's own prices the lead alone."""
    return [
        one["field"]
        for one in contract
        if one["kind"] != "price" or one["is_derived"] or one["field"] == lead(contract)
    ]


def compared(contract: Sequence[Row]) -> list[str]:
    """What a restatement is told by: the lead, and what is made of other fields."""
    return [one["field"] for one in contract if one["is_derived"] or one["field"] == lead(contract)]


def columns(table: str, fields: Sequence[str]) -> sql.Composed:
    """The fields as columns of a table's alias, separated by commas."""
    return sql.SQL(", ").join(sql.Identifier(table, field) for field in fields)
