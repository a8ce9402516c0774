"""What Feast knows: entities, feature views and services of the contract's eleven fields.

`feast apply` reads this file. Names, types, units and formulas come from the contract,
seeds/smartdb_contract.csv; the views below say only which field is in which view.
"""

import csv
from datetime import timedelta
from pathlib import Path
from typing import Any

from feast import Entity, FeatureService, FeatureView, Field
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import (
    PostgreSQLSource,
)
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, PrimitiveFeastType, String, UnixTimestamp
from feast.value_type import ValueType

CONTRACT = Path(__file__).resolve().parent.parent / "seeds" / "smartdb_contract.csv"
TYPES: dict[str, PrimitiveFeastType] = {"double precision": Float64, "text": String}
VIEWS = {
    "bar": ("open", "high", "low", "close", "volume", "vwap"),
    "signal": ("sma_20", "volatility_1h", "regime_tag"),
    "liquidity": ("spread_bps", "order_imbalance"),
}

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


def contract_fields(path: Path = CONTRACT) -> dict[str, Field]:
    """The contract's fields by name, in its order. Errors: ValueError where VIEWS differs."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    fields = {
        row["field"]: Field(
            name=row["field"],
            dtype=TYPES[row["data_type"]],
            description=row["formula"],
            tags={"unit": row["unit"], "null_when": row["null_when"]},
        )
        for row in rows
    }
    placed = [name for names in VIEWS.values() for name in names]
    if sorted(placed) != sorted(fields):
        differing = sorted(set(placed) ^ set(fields)) or sorted(placed)
        raise ValueError(
            f"{path.name} and the feature views of feast_repo/definitions.py differ in "
            f"{', '.join(differing)}: give every field of the contract one view in VIEWS"
        )
    return fields


def _view(name: str, schema: list[Field], description: str) -> FeatureView:
    return FeatureView(
        name=name,
        entities=[tenant, instrument],
        schema=[
            Field(name="tenant_id", dtype=PrimitiveFeastType.INT64),
            Field(name="symbol", dtype=String),
            *schema,
        ],
        source=feature_log,
        # how old a value may be is the contract's max_staleness_s, which the snapshot applies
        ttl=timedelta(0),
        description=description,
    )


_FIELDS = contract_fields()
_BUCKET = Field(
    name="bucket",
    dtype=UnixTimestamp,
    description="Start of the bar that all values belong to; NULL: none that is recent enough.",
)
bar = _view(
    "bar", [_BUCKET, *(_FIELDS[name] for name in VIEWS["bar"])], "The latest closed bar: prices."
)
signal = _view(
    "signal", [_FIELDS[name] for name in VIEWS["signal"]], "The latest closed bar: windows."
)
liquidity = _view(
    "liquidity", [_FIELDS[name] for name in VIEWS["liquidity"]], "The latest closed bar: quotes."
)


@on_demand_feature_view(  # type: ignore[untyped-decorator]
    sources=[bar, signal],
    schema=[
        Field(name="close_to_vwap", dtype=Float64),
        Field(name="close_to_sma_20", dtype=Float64),
        Field(name="range_bps", dtype=Float64),
    ],
    mode="python",
    # Feast compares these fields with those it infers, so that they can carry no description
    description="Of the latest closed bar: close / vwap - 1 and close / sma_20 - 1, fractions; "
    "range_bps, (high - low) / close in basis points. NULL of NULL.",
)
def ratio(inputs: dict[str, list[Any]]) -> dict[str, list[float | None]]:
    """Compute the ratios value by value, so that offline and online do the same arithmetic."""

    # Feast stores this function as text: it can use nothing of this module
    def each(function: "object", *names: str) -> list[float | None]:
        return [
            None if any(v is None or v != v for v in values) else function(*values)  # type: ignore[operator]
            for values in zip(*(inputs[name] for name in names), strict=True)
        ]

    return {
        "close_to_vwap": each(lambda close, vwap: close / vwap - 1, "close", "vwap"),
        "close_to_sma_20": each(lambda close, sma: close / sma - 1, "close", "sma_20"),
        "range_bps": each(
            lambda high, low, close: (high - low) / close * 10_000, "high", "low", "close"
        ),
    }


market_v1 = FeatureService(
    name="market_v1",
    features=[bar, signal, liquidity],
    description="The contract's eleven fields and the bar they belong to.",
)
market_ratios_v1 = FeatureService(
    name="market_ratios_v1",
    features=[bar, signal, liquidity, ratio],
    description="market_v1 and the ratios.",
)

OBJECTS = [tenant, instrument, bar, signal, liquidity, ratio, market_v1, market_ratios_v1]
