"""The leak check: whether a training set holds anything that was not known at its moments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import psycopg
from feast import FeatureStore
from psycopg import sql

from feast_repo import internals, sets
from feast_repo.receipts import AT, SYMBOL
from feast_repo.sets import snapshot_of
from training import compare
from training.dataset import KNOWN_AT, LABEL, TrainingSet
from training.declaration import Declaration
from training.errors import DatasetError

LEAKAGE = """
    select
        l.field,
        l.training_rows,
        l.leaked_rows
    from feature.{function}(%s::text[], %s::timestamptz[], %s::integer) as l
"""
LATER = """
    select {columns}
    from {function}(
        %s::text[], %s::timestamptz[], feature.for_each(%s::text[], now()), %s::integer
    ) as s
"""


@dataclass(frozen=True)
class Leaks:
    """avoided: rows that a join by event time would have got other values into, by set and field.

    found: what is wrong, a line each; none: nothing is.
    """

    avoided: dict[str, dict[str, int]]
    found: list[str]


def check(
    store: FeatureStore, declaration: Declaration, kept: pd.DataFrame, now: TrainingSet
) -> Leaks:
    """Look for values that only became known later, and for labels that were not known when said.

    kept: the training set that was learned from; now: the same rows as the database knows them to
    have been known. Errors: DatasetError where feature.leakage() cannot be asked.
    """
    avoided: dict[str, dict[str, int]] = {}
    found = []
    question = [kept[SYMBOL].tolist(), [at.to_pydatetime() for at in kept[AT]]]
    with internals.connect(store.config.offline_store) as connection:
        connection.read_only = True
        for name in declaration.sets:
            avoided[name] = _avoided(connection, name, [*question, declaration.tenant_id])
            if avoided[name].get("any"):
                fields = [one.field for one in now.columns if one.feature_set == name]
                later = _later(connection, name, fields, question, declaration.tenant_id)
                found += leaked(kept, now.frame, later, name, fields)
    return Leaks(avoided, [*found, *early_labels(kept, now.frame)])


def leaked(
    kept: pd.DataFrame, then: pd.DataFrame, later: pd.DataFrame, feature_set: str, fields: list[str]
) -> list[str]:
    """A line for each field that holds what became known later in place of what was known; pure."""
    lines = []
    for name in fields:
        column = f"{feature_set}.{name}"
        rows = [
            place
            for place, (is_, was, became) in enumerate(
                zip(kept[column], then[column], later[name], strict=True)
            )
            if compare.bits(is_) != compare.bits(was) and compare.bits(is_) == compare.bits(became)
        ]
        if rows:
            row = kept.iloc[rows[0]]
            lines.append(
                f"{column} holds what became known later in {len(rows):,} rows, the first row "
                f"{rows[0] + 1} ({row[SYMBOL]}, as of {row[AT].isoformat()})"
            )
    return lines


def early_labels(kept: pd.DataFrame, then: pd.DataFrame) -> list[str]:
    """A line where labels were known no later than their features, or later than was said; pure.

    One that is said to be known too early is not purged before a test that it reaches into.
    """
    there = kept[LABEL].notna()
    wrong = {
        "known no later than their features": there & ~(kept[KNOWN_AT] > kept[AT]),
        "known later than the training set says": there & (kept[KNOWN_AT] < then[KNOWN_AT]),
    }
    return [
        f"{int(rows.sum()):,} labels were {what}, the first of row {int(np.argmax(rows)) + 1}"
        for what, rows in wrong.items()
        if rows.any()
    ]


def _avoided(
    connection: psycopg.Connection, feature_set: str, question: list[Any]
) -> dict[str, int]:
    first = feature_set == sets.FIRST
    function = "leakage" if first else f"{feature_set}_leakage"
    query = sql.SQL(LEAKAGE).format(function=sql.Identifier(function))
    try:
        rows = connection.execute(query, question).fetchall()
    except psycopg.Error as error:
        raise DatasetError(
            f"feature.{function}() does not answer: {error.diag.message_primary or error}"
        ) from error
    return {field: leaked_rows for field, _, leaked_rows in rows}


def _later(
    connection: psycopg.Connection,
    feature_set: str,
    fields: list[str],
    question: list[Any],
    tenant_id: int,
) -> pd.DataFrame:
    """What a join by event time gives now."""
    query = sql.SQL(LATER).format(
        columns=sql.SQL(", ").join(sql.Identifier("s", name) for name in fields),
        function=sql.Identifier(snapshot_of(feature_set)),
    )
    symbols, moments = question
    rows = connection.execute(query, [symbols, moments, symbols, tenant_id]).fetchall()
    return pd.DataFrame(rows, columns=fields)
