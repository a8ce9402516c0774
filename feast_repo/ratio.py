"""Ratios of features: what a user of the features defines over them.

Which fields it takes is its own choice, and the only such choice in this package.
"""

from collections.abc import Mapping
from typing import Any

from feast import FeatureView, Field
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64

INPUTS = ("high", "low", "close", "vwap", "sma_20")


def ratio_view(views: Mapping[str, FeatureView]) -> Any:
    """The on-demand view over those of one set; None where the set lacks an input."""
    held = {field.name: view for view in views.values() for field in view.features}
    if not held.keys() >= set(INPUTS):
        return None

    @on_demand_feature_view(  # type: ignore[untyped-decorator]
        sources=list({held[name].name: held[name] for name in INPUTS}.values()),
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

    return ratio
