"""The sets of features of seeds/: what each is read by, and the fields of its feature views."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path

SEEDS = Path(__file__).resolve().parent.parent / "seeds"
CONTRACT = SEEDS / "smartdb_contract.csv"
FIRST = "market_1m"
SNAPSHOT = "_pit_snapshot"
# How long a bar of each grain is; a session is as long as its calendar says.
SPANS = {
    "1 minute": timedelta(minutes=1),
    "5 minutes": timedelta(minutes=5),
    "15 minutes": timedelta(minutes=15),
    "1 hour": timedelta(hours=1),
    "session": None,
}


def snapshot_of(name: str) -> str:
    """The function that answers for the set of that name."""
    return f"{'feature' if name == FIRST else name}{SNAPSHOT}"


def answered_by(snapshot: str) -> str | None:
    """The set that a function of that name answers for; None: it is no set's."""
    if not snapshot.endswith(SNAPSHOT):
        return None
    name = snapshot.removesuffix(SNAPSHOT)
    return FIRST if name == "feature" else name


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """A set, and its lines of the contract in their order. span: of a bar; None, of a session."""

    name: str
    description: str
    span: timedelta | None
    lines: Sequence[dict[str, str]]

    @property
    def snapshot(self) -> str:
        """The function that answers for the set; <snapshot>_all() is of every series."""
        return snapshot_of(self.name)

    @property
    def log(self) -> str:
        """The table of its versions."""
        return f"feature.{'' if self.name == FIRST else f'{self.name}_'}log"

    @cached_property
    def views(self) -> dict[str, tuple[str, ...]]:
        """The fields of each feature view, views and fields in the contract's order."""
        found: dict[str, tuple[str, ...]] = {}
        for line in self.lines:
            found[line["feature_view"]] = (*found.get(line["feature_view"], ()), line["field"])
        return found


def read(contract: Path = CONTRACT, sets: Path = SEEDS / "feature_set.csv") -> list[FeatureSet]:
    """The sets in the order of their file, the first one before the others.

    Errors: ValueError for a view that has fields of two sets, or a line of no set.
    """
    lines = sorted(_lines(contract), key=lambda line: int(line["ordinal"]))
    found = [
        FeatureSet(
            name=one["feature_set"],
            description=one["description"],
            span=SPANS[one["grain"]],
            lines=[line for line in lines if line["feature_set"] == one["feature_set"]],
        )
        for one in sorted(_lines(sets), key=lambda one: one["feature_set"] != FIRST)
    ]
    names = {one.name for one in found}
    for line in lines:
        if line["feature_set"] not in names:
            raise ValueError(
                f"{contract.name}: {line['field']} is of {line['feature_set']!r}, which is no set: "
                f"there are {', '.join(sorted(names))}"
            )
    owners: dict[str, str] = {}
    for one in found:
        for view in one.views:
            if view in owners:
                raise ValueError(
                    f"{contract.name}: the feature view {view} has fields of {owners[view]} and of "
                    f"{one.name}; it belongs to one set: name another in feature_view"
                )
            owners[view] = one.name
    return [one for one in found if one.lines]


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
