"""Models with other variables or formulas, as a run of dbt would leave them, without the run."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import yaml
from jinja2 import Environment, StrictUndefined

ROOT = Path(__file__).resolve().parents[2]
# other values of each variable of dbt_project.yml, for which the sets reach far enough
VARIABLES: dict[str, list[float]] = {
    "sma_bars": [10, 5, 2],
    "volatility_minutes": [30, 45],
    "volatility_min_returns": [1, 2],
    "regime_minutes": [120, 240],
    "regime_volatile_ratio": [1.1, 3],
    "regime_trend_bars": [5, 10],
    "regime_trend_score": [0.25, 2],
    "range_min_trades_1h": [60],
    "rsi_changes": [7, 3],
    "momentum_sma_bars": [20, 3],
    "volume_sma_bars": [10, 3],
    "atr_sessions": [2, 3],
    "session_volatility_returns": [2, 3],
}
# of each set a field whose formula gets a factor: its model, its text there, and with the factor
FORMULAS = {
    "volume": (
        "int_bar__own",
        "volume,\n        -- a mean of prices",
        "{} * volume as volume,\n        -- a mean of prices",
    ),
    "rsi_14": ("int_momentum__trailing", "100 * (gains", "{} * 100 * (gains"),
    "high": ("int_session__own", "max(high)", "{} * max(high)"),
}
FACTORS: list[float] = [2, 4]


@cache
def as_it_is() -> dict[str, float]:
    """The variables of dbt_project.yml, and the factor 1 of each formula."""
    found: dict[str, float] = yaml.safe_load((ROOT / "dbt_project.yml").read_text())["vars"]
    return found | dict.fromkeys(FORMULAS, 1)


def choices() -> dict[str, list[float]]:
    """The values that each of them may have."""
    others = VARIABLES | dict.fromkeys(FORMULAS, FACTORS)
    return {name: [value, *others[name]] for name, value in as_it_is().items()}


@cache
def _models() -> dict[str, tuple[str, str]]:
    """Schema and text of each model."""
    return {
        path.stem: (path.parent.name.removesuffix("s"), path.read_text())
        for path in (ROOT / "models").glob("*/*.sql")
    }


def models_of(name: str) -> list[str]:
    """The models that read a variable, or have a formula."""
    if name in FORMULAS:
        return [FORMULAS[name][0]]
    reads = re.compile(rf"""var\(["']{name}["']\)""")
    return [model for model, (_, text) in _models().items() if reads.search(text)]


def define(connection: psycopg.Connection[Any], model: str, values: Mapping[str, float]) -> None:
    """Replace a view by its model, with these values of variables and factors of formulas."""
    schema, text = _models()[model]
    for field, (of, plain, with_factor) in FORMULAS.items():
        if of == model and values[field] != 1:
            assert text.count(plain) == 1
            text = text.replace(plain, with_factor.format(values[field]))
    jinja = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701 - it is SQL
    query = jinja.from_string(text).render(
        ref=lambda name: f"{_models()[name][0]}.{name}", var=lambda name: values[name]
    )
    connection.execute(f"create or replace view {schema}.{model} as {query}".encode())
