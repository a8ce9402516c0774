"""What Feast knows: entities, feature views and services of the contract's fields.

`feast apply` reads this file. Which fields there are, their types, units, formulas and views come
from the contract, seeds/smartdb_contract.csv: a line there is all that a new one needs here.
"""

import csv
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from feast import Entity, FeatureService, FeatureView, Field
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import (
    PostgreSQLSource,
)
from feast.types import Float64, PrimitiveFeastType, String, UnixTimestamp
from feast.value_type import ValueType

from feast_repo.ratio import ratio_view

CONTRACT = Path(__file__).resolve().parent.parent / "seeds" / "smartdb_contract.csv"
TYPES: dict[str, PrimitiveFeastType] = {"double precision": Float64, "text": String}

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

# The offline store answers from feature_pit_snapshot(); table and column are what it reads.
feature_log = PostgreSQLSource(
    name="feature_pit_snapshot",
    table="feature.log",
    timestamp_field="known_at",
    description="The bitemporal log, read as it was known at each row's event timestamp.",
)
bucket = Field(
    name="bucket",
    dtype=UnixTimestamp,
    description="Start of the bar that all values belong to; NULL: none that is recent enough.",
)


def contract_lines(path: Path = CONTRACT) -> list[dict[str, str]]:
    """The contract's lines by the names of their columns, in its order."""
    with path.open(newline="", encoding="utf-8") as file:
        return sorted(csv.DictReader(file), key=lambda line: int(line["ordinal"]))


def contract_fields(path: Path = CONTRACT) -> dict[str, Field]:
    """The contract's fields by name, in its order. Errors: ValueError for a type of no feature."""
    fields = {}
    for line in contract_lines(path):
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
    """The fields of each feature view, views and fields in the contract's order."""
    views: dict[str, tuple[str, ...]] = {}
    for line in contract_lines(path):
        views[line["feature_view"]] = (*views.get(line["feature_view"], ()), line["field"])
    return views


def feature_views(path: Path = CONTRACT) -> dict[str, FeatureView]:
    """The contract's feature views by name; the first one has the bucket, too."""
    fields = contract_fields(path)
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
            source=feature_log,
            # how old a value may be is the contract's max_staleness_s, which the snapshot applies
            ttl=timedelta(0),
            description=f"The latest closed bar: {', '.join(names)}.",
        )
        for place, (name, names) in enumerate(contract_views(path).items())
    }


def services(views: Mapping[str, FeatureView], ratios: Any) -> list[FeatureService]:
    """What is asked for by one name; ratios: of ratio_view()."""
    found = [
        FeatureService(
            name="market_v1",
            features=list(views.values()),
            description="All fields of the contract and the bar they belong to.",
        )
    ]
    if ratios is not None:
        found.append(
            FeatureService(
                name="market_ratios_v1",
                features=[*views.values(), ratios],
                description="market_v1 and the ratios.",
            )
        )
    return found


def objects(path: Path = CONTRACT) -> list[Any]:
    """All that is registered for a contract."""
    views = feature_views(path)
    ratios = ratio_view(views)
    ratios_too = [] if ratios is None else [ratios]
    return [tenant, instrument, *views.values(), *ratios_too, *services(views, ratios)]


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
