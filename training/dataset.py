"""Training sets: rows as they were known at their moments, with labels and receipts.

Features come through Feast's store of this project, feature_pit_snapshot() underneath; the label is
the model's own SQL, which says of each row from when it could be known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
import psycopg
from feast import FeatureStore
from numpy.typing import NDArray
from psycopg import sql

from feast_repo import internals, sets
from feast_repo.receipts import AT, SYMBOL, TENANT, Receipts, with_receipts
from training import digest, split
from training.bundle import Bundle, Column, Matrix
from training.declaration import Declaration
from training.errors import DatasetError, DeclarationError
from training.split import Fold

KNOWN_AT: Final = "label_known_at"
LABEL: Final = "label"
MOMENTS: Final = """
    select distinct
        %(tenant_id)s::bigint as tenant_id,
        l.symbol,
        l.known_at as event_timestamp
    from {log} as l
    where
        l.cause = 'close'
        and l.tenant_id = %(tenant_id)s
        and l.symbol = any(%(symbols)s::text[])
        and l.known_at >= coalesce(%(since)s::timestamptz, '-infinity')
        and l.known_at < coalesce(%(until)s::timestamptz, 'infinity')
        and l.known_at <= %(known_as_of)s::timestamptz - %(horizon)s::interval
    order by l.known_at desc, l.symbol
    limit %(rows)s
"""
CLOCK: Final = "select c.published_at from feature.clock as c"
DEFINITIONS: Final = """
    select
        c.feature_set,
        d.hash
    from feature.current_definition as c
    inner join feature.definition as d on c.definition = d.definition
    where c.feature_set = any(%s::text[])
"""
EPOCH: Final = pd.Timestamp(0, tz="UTC")


@dataclass(frozen=True)
class TrainingSet:
    """Rows to learn from, in order of time. frame: keys, AT, a column per feature, label, KNOWN_AT.

    matrix: the features as numbers; known_as_of: the last publish when it was read.
    """

    columns: tuple[Column, ...]
    label: str
    frame: pd.DataFrame
    matrix: Matrix
    receipts: Receipts
    definitions: Mapping[str, str]
    known_as_of: datetime

    @property
    def labels(self) -> NDArray[np.float64]:
        """1 or 0 of each row."""
        found: NDArray[np.float64] = self.frame[LABEL].to_numpy(np.float64)
        return found

    @property
    def moments_us(self) -> NDArray[np.int64]:
        """as_of of each row, in microseconds since 1970 UTC."""
        return microseconds(self.frame[AT])

    @property
    def known_us(self) -> NDArray[np.int64]:
        """From when each label was known, in the same."""
        return microseconds(self.frame[KNOWN_AT])

    @property
    def digest(self) -> str:
        """SHA-256 of rows, features and labels, to the bit: training.digest.digest()."""
        keys = list(zip(self.frame[TENANT].tolist(), self.frame[SYMBOL].tolist(), strict=True))
        return digest.digest(
            self.columns,
            self.label,
            keys,
            self.moments_us,
            self.matrix,
            self.labels,
            self.known_us,
        )

    def folds(self, declaration: Declaration) -> list[Fold]:
        """Its walk-forward tests. Errors: DatasetError."""
        return split.walk_forward(
            self.moments_us,
            self.known_us,
            declaration.split.folds,
            declaration.split.embargo // timedelta(microseconds=1),
            declaration.split.min_train_rows,
        )


def read(
    store: FeatureStore, declaration: Declaration, pairs: pd.DataFrame | None = None
) -> TrainingSet:
    """The training set of a declaration, or the same of pairs that a run kept (keys and AT).

    Without pairs, rows whose label is not to be had are left out. Errors: DatasetError where there
    are no rows, a symbol that nobody knows, or a label that fails; DeclarationError where the
    database's contract lacks a field.
    """
    with internals.connect(store.config.offline_store) as connection:
        connection.read_only = True
        known_as_of: datetime = _one(connection, CLOCK)
        asked = _pairs(connection, declaration, known_as_of) if pairs is None else pairs
        label, known_at = labels(connection, declaration, asked)
        definitions: dict[str, str] = dict(
            connection.execute(DEFINITIONS, [list(declaration.sets)]).fetchall()
        )
    frame = asked[[TENANT, SYMBOL, AT]].reset_index(drop=True)
    frame = frame.assign(**{LABEL: label, KNOWN_AT: known_at})
    if pairs is None:
        frame = frame[frame[LABEL].notna()].reset_index(drop=True)
    if frame.empty:
        raise DatasetError(
            f"{declaration.name}: no closed bar of {', '.join(declaration.symbols)} of tenant "
            f"{declaration.tenant_id} has a label: bring ticks in (make demo), or declare another "
            "universe or period"
        )
    values, receipts = features(store, declaration.columns, frame[[TENANT, SYMBOL, AT]])
    frame = pd.concat([frame[[TENANT, SYMBOL, AT]], values, frame[[LABEL, KNOWN_AT]]], axis=1)
    return TrainingSet(
        columns=declaration.columns,
        label=declaration.label,
        frame=frame,
        matrix=encoded(declaration.columns, values),
        receipts=receipts,
        definitions=definitions,
        known_as_of=known_as_of,
    )


def encoded(columns: Sequence[Column], features: pd.DataFrame) -> Matrix:
    """Features as numbers. Errors: DatasetError for a text that is no category."""
    rows = [[none(value) for value in row] for row in features.itertuples(index=False, name=None)]
    try:
        return Bundle({}, tuple(columns), None).encode(rows)
    except ValueError as error:
        raise DatasetError(f"a row cannot be learned from: {error}") from error


def none(value: Any) -> Any:
    """A value of a frame; None for NULL, which pandas has several for."""
    return None if value is None or value is pd.NaT or value != value else value


def labels(
    connection: psycopg.Connection, declaration: Declaration, pairs: pd.DataFrame
) -> tuple[NDArray[np.float64], pd.Series]:
    """The label of each pair, NaN where it is not to be had, and from when it was known.

    Errors: DatasetError for a query that fails, or gives anything but a 0, a 1 or NULL for each
    place, known after its as_of and no later than the last publish.
    """
    question = [
        pairs[SYMBOL].tolist(),
        [at.to_pydatetime() for at in pairs[AT]],
        declaration.tenant_id,
    ]
    where = f"the label of {declaration.name} (training/models/{declaration.name}.sql)"
    try:
        cursor = psycopg.RawCursor(connection)
        rows = cursor.execute(declaration.label_sql.encode(), question).fetchall()
        given = [one.name for one in cursor.description or []]
    except psycopg.Error as error:
        raise DatasetError(f"{where} fails: {_said(error)}") from error
    if sorted(given) != ["known_at", "place", "value"]:
        raise DatasetError(f"{where} gives {', '.join(given)}: it must give place, value, known_at")
    order = [given.index(name) for name in ("place", "value", "known_at")]
    found = sorted((tuple(row[place] for place in order) for row in rows), key=lambda row: row[0])
    if [row[0] for row in found] != list(range(1, len(pairs) + 1)):
        raise DatasetError(
            f"{where} gives {len(found)} rows for {len(pairs)} pairs: it must give each place from "
            "1 on once"
        )
    for place, value, known_at in found:
        if value is None:
            continue
        at = question[1][place - 1]
        if value not in (0, 1):
            raise DatasetError(f"{where} is {value!r} at place {place}: it must be 0, 1 or NULL")
        if known_at is None or known_at <= at:
            raise DatasetError(
                f"{where} at place {place}, as of {at.isoformat()}, was known at "
                f"{known_at.isoformat() if known_at else 'no time'}: a label is known after its "
                "features, or it is one of them"
            )
    values = np.array([math.nan if value is None else float(value) for _, value, _ in found])
    times = pd.Series(pd.to_datetime([row[2] for row in found], utc=True), name=KNOWN_AT)
    return values, times


def prices(
    store: FeatureStore, declaration: Declaration, frame: pd.DataFrame
) -> NDArray[np.float64]:
    """What was earned by holding from each row's moment for the horizon, as a fraction.

    Both prices of the rule are those known then; NaN where one is not.
    """
    column = declaration.rule.price
    keys = frame[[TENANT, SYMBOL, AT]]
    later = keys.assign(**{AT: keys[AT] + declaration.horizon})
    now, then = (
        features(store, (column,), asked, receipts=False)[0].iloc[:, 0].to_numpy(np.float64)
        for asked in (keys, later)
    )
    with np.errstate(all="ignore"):
        return np.where(now > 0, then / now - 1, np.nan)


def references(columns: Sequence[Column]) -> dict[str, tuple[str, str]]:
    """The feature view and the field of each column, by its name."""
    found: dict[str, tuple[str, str]] = {}
    for one in sets.read():
        for view, fields in one.views.items():
            found |= {f"{one.name}.{name}": (view, name) for name in fields}
    return {column.name: found[column.name] for column in columns}


def microseconds(times: pd.Series) -> NDArray[np.int64]:
    """Times as microseconds since 1970 UTC."""
    found: NDArray[np.int64] = ((times - EPOCH) // pd.Timedelta(1, "us")).to_numpy(np.int64)
    return found


def _pairs(
    connection: psycopg.Connection, declaration: Declaration, known_as_of: datetime
) -> pd.DataFrame:
    """The moments at which a bar closed, with the symbol that it is of, in order."""
    log = next(one.log for one in sets.read() if one.name == declaration.sets[0])
    query = sql.SQL(MOMENTS).format(log=sql.Identifier(*log.split(".")))
    rows = connection.execute(
        query,
        {
            "tenant_id": declaration.tenant_id,
            "symbols": list(declaration.symbols),
            "since": declaration.period.since,
            "until": declaration.period.until,
            "known_as_of": known_as_of,
            "horizon": declaration.horizon,
            "rows": declaration.period.newest_rows,
        },
    ).fetchall()
    frame = pd.DataFrame(rows, columns=[TENANT, SYMBOL, AT])
    missing = sorted(set(declaration.symbols) - set(frame[SYMBOL]))
    if missing and len(missing) < len(declaration.symbols):
        known = connection.execute(
            "select s.symbol from feature.series as s where s.tenant_id = %s",
            [declaration.tenant_id],
        ).fetchall()
        strangers = sorted(set(missing) - {symbol for (symbol,) in known})
        if strangers:
            raise DatasetError(
                f"{declaration.name}: tenant {declaration.tenant_id} has no {', '.join(strangers)}:"
                " declare symbols of its own"
            )
    frame[AT] = pd.to_datetime(frame[AT], utc=True)
    return frame.sort_values([AT, SYMBOL], ignore_index=True)


def features(
    store: FeatureStore, columns: Sequence[Column], keys: pd.DataFrame, *, receipts: bool = True
) -> tuple[pd.DataFrame, Receipts]:
    """A column for each feature by its name, and the receipts of their sets."""
    views = references(columns)
    job = store.get_historical_features(
        keys, [f"{view}:{name}" for view, name in views.values()], full_feature_names=True
    )
    try:
        frame, found = with_receipts(job) if receipts else (job.to_df(), {})
    except psycopg.errors.UndefinedColumn as error:
        raise DeclarationError(
            f"the database has no such field: {_said(error)}. Run make migrate and make dbt, which "
            "bring it what seeds/smartdb_contract.csv has"
        ) from error
    except psycopg.Error as error:
        raise DatasetError(f"the features cannot be read: {_said(error)}") from error
    named = {f"{view}__{name}": column for column, (view, name) in views.items()}
    return frame[list(named)].rename(columns=named).reset_index(drop=True), found


def _one(connection: psycopg.Connection, query: str) -> Any:
    row: Any = connection.execute(query.encode()).fetchone()
    return row[0]


def _said(error: psycopg.Error) -> str:
    hint = f" {error.diag.message_hint}" if error.diag.message_hint else ""
    return f"{error.diag.message_primary or error}.{hint}"
