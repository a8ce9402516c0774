"""What Feast knows: entities, feature views and services of the contract's fields.

`feast apply` reads this file. Which fields there are, of which sets, their types, units, formulas
and views come from the contract, seeds/smartdb_contract.csv: a line there is all that a new one
needs here.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from feast import Entity, FeatureService, FeatureView, Field
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import (
    PostgreSQLSource,
)
from feast.types import Float64, PrimitiveFeastType, String, UnixTimestamp
from feast.value_type import ValueType

from feast_repo import sets
from feast_repo.ratio import ratio_view
from feast_repo.sets import CONTRACT, FIRST, FeatureSet

TYPES: dict[str, PrimitiveFeastType] = {"double precision": Float64, "text": String}
# The tag of the contract's own feature views, which push writes; of others over a log it does not.
OF_SET = "feature_set"
# The tag that says how old the oldest of a view's fields may be, in seconds.
STALE_S = "max_staleness_s"

tenant = Entity(
    name="tenant",
    join_keys=["tenant_id"],
    value_type=ValueType.INT64,
    description="Owner of the data; part of every key, so that no two tenants share one.",
)
instrument = Entity(
    name="instrument",
    join_keys=["symbol"],
    value_type=ValueType.STRING,
    description="Symbol of market.instrument.",
)

bucket = Field(
    name="bucket",
    dtype=UnixTimestamp,
    description="Start of the bar that all values belong to; NULL: none that is recent enough.",
)


def log_of(one: FeatureSet) -> PostgreSQLSource:
    """A set's source; the offline store answers from its snapshot, table and column are the log."""
    return _source(one.snapshot, one.log)


@cache
def _source(name: str, table: str) -> PostgreSQLSource:
    # one object: `feast apply` refuses a second one of the name, equal or not, where all is local
    return PostgreSQLSource(
        name=name,
        table=table,
        timestamp_field="known_at",
        description="The bitemporal log, read as it was known at each row's event timestamp.",
    )


def contract_fields(path: Path = CONTRACT, feature_set: str = FIRST) -> dict[str, Field]:
    """The fields of a set by name, in the contract's order.

    Errors: ValueError for a type of no feature, or as sets.read().
    """
    (found,) = (one for one in sets.read(path) if one.name == feature_set)
    return _fields(found, path)


def _fields(one: FeatureSet, path: Path) -> dict[str, Field]:
    fields = {}
    for line in one.lines:
        if line["data_type"] not in TYPES:
            raise ValueError(
                f"{path.name}: {line['field']} is of the type {line['data_type']!r}; a feature can "
                f"be {' or '.join(TYPES)}"
            )
        fields[line["field"]] = Field(
            name=line["field"],
            dtype=TYPES[line["data_type"]],
            description=line["formula"],
            tags={"unit": line["unit"], "null_when": line["null_when"]},
        )
    return fields


def contract_views(path: Path = CONTRACT) -> dict[str, tuple[str, ...]]:
    """The fields of each feature view of all sets, in the contract's order."""
    return {name: held for one in sets.read(path) for name, held in one.views.items()}


def feature_views(path: Path = CONTRACT) -> dict[str, dict[str, FeatureView]]:
    """The contract's feature views by set and name; the first of each set has the bucket, too."""
    return {one.name: _views(one, path) for one in sets.read(path)}


def _views(one: FeatureSet, path: Path) -> dict[str, FeatureView]:
    fields = _fields(one, path)
    stale_s = {line["field"]: int(line["max_staleness_s"]) for line in one.lines}
    source = log_of(one)
    return {
        name: FeatureView(
            name=name,
            entities=[tenant, instrument],
            schema=[
                Field(name="tenant_id", dtype=PrimitiveFeastType.INT64),
                Field(name="symbol", dtype=String),
                *([] if place else [bucket]),
                *(fields[held] for held in names),
            ],
            source=source,
            # how old a value may be is the contract's max_staleness_s, which the snapshot applies
            ttl=timedelta(0),
            description=f"The latest closed bar: {', '.join(names)}.",
            tags={OF_SET: one.name, STALE_S: str(max(stale_s[held] for held in names))},
        )
        for place, (name, names) in enumerate(one.views.items())
    }


def services(
    views: Mapping[str, Mapping[str, FeatureView]], ratios: Any, path: Path = CONTRACT
) -> list[FeatureService]:
    """What is asked for by one name; views: of feature_views(), ratios: of ratio_view()."""
    market: list[Any] = list(views.get(FIRST, {}).values())
    found = [
        FeatureService(
            name="market_v1",
            features=market,
            description=f"All fields of {FIRST} and the bar they belong to.",
        )
    ]
    if ratios is not None:
        found.append(
            FeatureService(
                name="market_ratios_v1",
                features=[*market, ratios],
                description="market_v1 and the ratios.",
            )
        )
    for one in sets.read(path):
        found.append(
            FeatureService(
                name=one.name,
                features=list(views[one.name].values()),
                description=f"All fields of the set. {one.description}",
            )
        )
    return found


def objects(path: Path = CONTRACT) -> list[Any]:
    """All that is registered for a contract.

    Errors: ValueError for two things of one name, a type of no feature, or as sets.read().
    """
    views = feature_views(path)
    ratios = ratio_view(views.get(FIRST, {}))
    found = [
        tenant,
        instrument,
        *(view for of_set in views.values() for view in of_set.values()),
        *([] if ratios is None else [ratios]),
        *services(views, ratios, path),
    ]
    twice = [name for name, times in Counter(one.name for one in found).items() if times > 1]
    if twice:
        raise ValueError(
            f"{path.name}: {', '.join(twice)} is there twice among the names of entities, feature "
            "views, sets and services: name another feature_view or feature_set"
        )
    return found


# Of a view of one's own over a set's log, by the name of the set.
LOGS = {one.name: log_of(one) for one in sets.read()}
feature_log = LOGS[FIRST]
VIEWS = contract_views()
OBJECTS = objects()
_BY_NAME = {one.name: one for one in OBJECTS}


def __dir__() -> list[str]:
    """Feast looks through a module by this: what is made of the contract is in it by its name."""
    return [*globals(), *_BY_NAME]


def __getattr__(name: str) -> Any:
    """What is registered by its name, say the feature view `bar`."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise AttributeError(f"the contract has no feature view {name}") from None
