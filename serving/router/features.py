"""Rows of features as they are online, by what the contract says of their age, for a model.

A row is refused, not scored, where a set of its features is not online, has no bar that is recent
enough, or is of a moment longer ago than its oldest field may be: then nobody pushes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feast_repo import sets
from feast_repo.api.errors import Refused
from feast_repo.api.read import NO_TIME, NOT_FOUND, Catalog, Plan, Reader, Row
from training.bundle import Column, Matrix

BUCKET: Final = "bucket"
NAN: Final = float("nan")


def stale_s(lines: Iterable[sets.FeatureSet]) -> dict[tuple[str, str], float]:
    """The contract's max_staleness_s by set and field."""
    return {
        (one.name, line["field"]): float(line["max_staleness_s"])
        for one in lines
        for line in one.lines
    }


@dataclass(frozen=True)
class Wanted:
    """What is read for all versions of a model that are asked at once.

    plan: of the reader. places: where each column is among the plan's names. buckets: where the
    bar's start of each set is, which is NULL without a recent one. stale_s: how old the moment of
    each set may be, in seconds.
    """

    plan: Plan
    places: Mapping[tuple[str, str], int]
    buckets: Mapping[str, int]
    stale_s: Mapping[str, float]

    @classmethod
    def of(
        cls,
        columns: Iterable[Column],
        catalog: Catalog,
        ages: Mapping[tuple[str, str], float],
    ) -> Wanted:
        """What columns need. Errors: Refused 503 for a field that the registry has not."""
        views = {
            (of, field): view
            for view, of in catalog.sets.items()
            for field in catalog.views.get(view, ())
        }
        keys = list(dict.fromkeys((column.feature_set, column.field) for column in columns))
        read_sets = list(dict.fromkeys(of for of, _ in keys))
        wanted = [*((of, BUCKET) for of in read_sets), *keys]
        missing = [f"{of}.{field}" for of, field in wanted if (of, field) not in views]
        if missing:
            raise Refused(
                503,
                "registry",
                f"Feast's registry has no {', '.join(missing)}, which the model reads: run "
                "`make feast`, and wait a minute",
                retry_after_s=60,
            )
        features = [f"{views[key]}:{key[1]}" for key in wanted]
        plan = catalog.plan(None, features, True, False)
        # the plan's names are in the order of its views
        place = {name: n for n, name in enumerate(plan.names)}
        at = {key: place[f"{views[key]}__{key[1]}"] for key in wanted}
        return cls(
            plan=plan,
            places={key: at[key] for key in keys},
            buckets={of: at[of, BUCKET] for of in read_sets},
            stale_s={
                of: min(ages.get(key, float("inf")) for key in keys if key[0] == of)
                for of in read_sets
            },
        )


@dataclass(frozen=True)
class Online:
    """What is online of some rows: columns of values by the places of Wanted.

    moments: of each set, as text, of each row. problems: of each set why a row has none of its
    features; None: it has.
    """

    values: Sequence[Sequence[Any]]
    moments: Mapping[str, Sequence[str]]
    problems: Mapping[str, Sequence[str | None]]


async def read(reader: Reader, wanted: Wanted, rows: Sequence[Row], now: float) -> Online:
    """Read rows; now: in seconds since 1970. Errors: Refused 503: the online store is away."""
    answer = await reader.read(wanted.plan, rows)
    columns = answer["results"][2:]
    moments: dict[str, Sequence[str]] = {}
    problems: dict[str, Sequence[str | None]] = {}
    for of, place in wanted.buckets.items():
        moments[of] = columns[place]["event_timestamps"]
        read_of = [
            columns[at]["event_timestamps"]
            for (feature_set, _), at in wanted.places.items()
            if feature_set == of
        ]
        oldest = now - wanted.stale_s[of]
        problems[of] = [
            _problem(of, status, value, at, {one[n] for one in read_of}, oldest)
            for n, (status, value, at) in enumerate(
                zip(columns[place]["statuses"], columns[place]["values"], moments[of], strict=True)
            )
        ]
    return Online([column["values"] for column in columns], moments, problems)


def _problem(
    of: str, status: str, bucket: Any, at: str, others: set[str], oldest: float
) -> str | None:
    if status == NOT_FOUND or at == NO_TIME or NO_TIME in others:
        return f"missing: {of} is not online"
    if others != {at}:
        return f"missing: {of} is online of several moments, and being written"
    if _seconds(at) < oldest:
        return f"stale: {of} is online as of {at}, and nothing was pushed since"
    if bucket is None:
        return f"stale: {of} has no bar that is recent enough as of {at}"
    return None


@lru_cache(maxsize=10_000)
def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


class Encoder:
    """Rows as the numbers of one version."""

    def __init__(self, columns: Sequence[Column]) -> None:
        """columns: of its card."""
        self.columns = tuple(columns)
        self.sets = tuple(dict.fromkeys(column.feature_set for column in columns))

    def refused(self, online: Online, places: Sequence[int]) -> dict[int, str]:
        """Of the rows at places, those that must not be scored, and why."""
        found = {}
        for place in places:
            for of in self.sets:
                if (problem := online.problems[of][place]) is not None:
                    found[place] = problem
                    break
        return found

    def encode(
        self, wanted: Wanted, online: Online, places: Sequence[int]
    ) -> tuple[Matrix, dict[int, str]]:
        """The rows at places as numbers, and those that have a value the model does not know."""
        matrix = np.empty((len(places), len(self.columns)))
        wrong: dict[int, str] = {}
        for number, column in enumerate(self.columns):
            values = online.values[wanted.places[column.feature_set, column.field]]
            for n, place in enumerate(places):
                value = values[place]
                if type(value) is float and not column.categories:
                    matrix[n, number] = value
                    continue
                try:
                    matrix[n, number] = column.number(value)
                except ValueError as error:
                    wrong[place] = f"unknown: {error}"
                    matrix[n, number] = NAN
        return matrix, wrong

    def check(self, given: Matrix) -> None:
        """Refuse rows of other columns or categories. Errors: Refused 422."""
        names = ", ".join(column.name for column in self.columns)
        if given.shape[1] != len(self.columns):
            raise Refused(
                422,
                "features",
                f"features have {given.shape[1]} columns, and the model takes "
                f"{len(self.columns)}: {names}",
            )
        for number, column in enumerate(self.columns):
            if not column.categories:
                continue
            values: NDArray[np.float64] = given[:, number]
            known = np.isnan(values) | np.isin(values, np.arange(len(column.categories)))
            if not known.all():
                raise Refused(
                    422,
                    "features",
                    f"{column.name} is {values[~known][0]:g}: send the place of its value, from 0, "
                    f"among {', '.join(column.categories)}, or null",
                )
