"""What a model is: training/models/<name>.toml and, for its label, <name>.sql; read and checked."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from feast_repo import sets
from training.bundle import Column
from training.errors import DeclarationError

MODELS: Final = Path(__file__).resolve().parent / "models"
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
METRICS: Final = ("log_loss", "brier", "auc")
THRESHOLDS: Final = (
    *("psi", "auc_drop", "max_error_rate", "max_latency_ms", "max_disagreement", "min_requests"),
)
# what a declaration may say of a learner beyond its name and seed; all else is fixed
PARAMETERS: Final[Mapping[str, tuple[str, ...]]] = {
    "lightgbm": (
        *("num_iterations", "learning_rate", "num_leaves", "max_depth", "min_data_in_leaf"),
        *("lambda_l1", "lambda_l2", "feature_fraction", "bagging_fraction", "bagging_freq"),
    ),
    "logistic_regression": ("C", "max_iter"),
}
SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "universe": ("tenant_id", "symbols"),
    "features": ("columns", "categories"),
    "label": ("name", "horizon_s"),
    "period": ("newest_rows", "from", "to"),
    "split": ("folds", "embargo_s", "min_train_rows"),
    "learner": ("name", "seed", "parameters"),
    "rule": ("price", "enter_above", "cost_bps"),
    "promotion": ("metric", "margin"),
    "thresholds": THRESHOLDS,
}
OPTIONAL: Final = {"features.categories", "learner.parameters"}


@dataclass(frozen=True)
class Period:
    """Moments to learn from: the newest closed bars, or those from one moment to before another."""

    newest_rows: int
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True)
class Split:
    """Walk-forward: so many tests one after another; embargo: before each of them."""

    folds: int
    embargo: timedelta
    min_train_rows: int


@dataclass(frozen=True)
class Learner:
    """What learns, and with which seed and parameters."""

    name: str
    seed: int
    parameters: Mapping[str, int | float]


@dataclass(frozen=True)
class Rule:
    """Buy above, sell below 1 - enter_above, for the label's horizon; cost_bps: of each trade."""

    price: Column
    enter_above: float
    cost_bps: float


@dataclass(frozen=True)
class Declaration:
    """A model as declared. text, label_sql: the files it was read from, word by word."""

    name: str
    tenant_id: int
    symbols: tuple[str, ...]
    columns: tuple[Column, ...]
    label: str
    label_sql: str
    horizon: timedelta
    period: Period
    split: Split
    learner: Learner
    rule: Rule
    metric: str
    margin: float
    thresholds: Mapping[str, float]
    text: str = field(repr=False)

    @property
    def sets(self) -> tuple[str, ...]:
        """The sets of its features, in the order of its columns."""
        return tuple(dict.fromkeys(column.feature_set for column in self.columns))

    @property
    def feature_service(self) -> str:
        """What Feast calls its features."""
        return f"model_{self.name}"


def names(folder: Path = MODELS) -> list[str]:
    """Models that are declared."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def read(name: str, folder: Path = MODELS) -> Declaration:
    """Read a model's declaration. Errors: DeclarationError for one that is not there, or wrong."""
    if not NAME.fullmatch(name):
        raise DeclarationError(
            f"MODEL={name!r} is no name: use lower-case letters, digits and _, at most 63, as "
            f"{', '.join(names(folder))}"
        )
    try:
        text = (folder / f"{name}.toml").read_text()
    except OSError:
        raise DeclarationError(
            f"no model {name}: training/models/ has {', '.join(names(folder)) or 'none'}; write "
            f"{name}.toml and {name}.sql there"
        ) from None
    try:
        label = (folder / f"{name}.sql").read_text()
    except OSError:
        raise DeclarationError(
            f"{name} has no label: write training/models/{name}.sql, a query that gives place, "
            "value and known_at"
        ) from None
    return parse(name, text, label)


def parse(name: str, text: str, label_sql: str) -> Declaration:
    """A declaration of the text of its two files. Errors: DeclarationError."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DeclarationError(f"{name}.toml is no TOML: {error}") from error
    asked = _Asked(name, given)
    asked.check_names()
    columns = _columns(asked)
    learner = asked.text("learner", "name")
    if learner not in PARAMETERS:
        raise asked.wrong("learner", "name", f"use one of {', '.join(PARAMETERS)}")
    if not label_sql.strip():
        raise DeclarationError(f"{name}.sql is empty: write the label's query there")
    return Declaration(
        name=name,
        tenant_id=int(asked.number("universe", "tenant_id", 1, 2**31 - 1, whole=True)),
        symbols=_symbols(asked),
        columns=columns,
        label=asked.text("label", "name"),
        label_sql=label_sql,
        horizon=timedelta(seconds=asked.number("label", "horizon_s", 1, 30 * 86_400)),
        period=_period(asked),
        split=Split(
            folds=int(asked.number("split", "folds", 1, 100, whole=True)),
            embargo=timedelta(seconds=asked.number("split", "embargo_s", 0, 30 * 86_400)),
            min_train_rows=int(asked.number("split", "min_train_rows", 10, 10**9, whole=True)),
        ),
        learner=Learner(
            name=learner,
            seed=int(asked.number("learner", "seed", 0, 2**31 - 1, whole=True)),
            parameters=_parameters(asked, learner),
        ),
        rule=Rule(
            price=_column(asked, "rule", "price", asked.text("rule", "price"), {}),
            enter_above=asked.number("rule", "enter_above", 0.5, 1),
            cost_bps=asked.number("rule", "cost_bps", 0, 10_000),
        ),
        metric=_one_of(asked, "promotion", "metric", METRICS),
        margin=asked.number("promotion", "margin", 0, 1_000),
        thresholds={one: asked.number("thresholds", one, 0, 10**9) for one in THRESHOLDS},
        text=text,
    )


@dataclass(frozen=True)
class _Asked:
    """A file's sections, and what is wrong with them."""

    name: str
    given: Mapping[str, Any]

    def check_names(self) -> None:
        unknown = [section for section in self.given if section not in SECTIONS]
        for section, wanted in SECTIONS.items():
            found = self.given.get(section, {})
            if not isinstance(found, dict):
                raise DeclarationError(f"{self.name}.toml: {section} is no section: [{section}]")
            unknown += [f"{section}.{key}" for key in found if key not in wanted]
        if unknown:
            raise DeclarationError(
                f"{self.name}.toml: nobody reads {', '.join(unknown)}; a model has "
                + "; ".join(f"[{one}] {', '.join(keys)}" for one, keys in SECTIONS.items())
            )

    def value(self, section: str, key: str) -> Any:
        found = self.given.get(section, {})
        if key not in found and f"{section}.{key}" not in OPTIONAL:
            raise DeclarationError(f"{self.name}.toml lacks {key} in [{section}]")
        return found.get(key, {})

    def wrong(self, section: str, key: str, remedy: str) -> DeclarationError:
        value = self.given.get(section, {}).get(key)
        return DeclarationError(f"{self.name}.toml: {section}.{key} is {value!r}; {remedy}")

    def text(self, section: str, key: str) -> str:
        value = self.value(section, key)
        if not isinstance(value, str) or not value:
            raise self.wrong(section, key, "write a text")
        return value

    def number(
        self, section: str, key: str, least: float, most: float, *, whole: bool = False
    ) -> float:
        value = self.value(section, key)
        kind: Any = int if whole else int | float
        if isinstance(value, bool) or not isinstance(value, kind):
            raise self.wrong(section, key, f"write {'a whole number' if whole else 'a number'}")
        if not (math.isfinite(value) and least <= value <= most):
            raise self.wrong(section, key, f"write a number from {least:g} to {most:g}")
        return float(value)


def _one_of(asked: _Asked, section: str, key: str, choices: tuple[str, ...]) -> str:
    value = asked.text(section, key)
    if value not in choices:
        raise asked.wrong(section, key, f"use one of {', '.join(choices)}")
    return value


def _symbols(asked: _Asked) -> tuple[str, ...]:
    found = asked.value("universe", "symbols")
    if (
        not isinstance(found, list)
        or not found
        or not all(isinstance(one, str) and one for one in found)
        or len(set(found)) < len(found)
    ):
        raise asked.wrong("universe", "symbols", "list each symbol once")
    return tuple(found)


def _columns(asked: _Asked) -> tuple[Column, ...]:
    listed = asked.value("features", "columns")
    if not isinstance(listed, list) or not listed or not all(isinstance(o, str) for o in listed):
        raise asked.wrong("features", "columns", 'list them as "market_1m.close"')
    twice = sorted({one for one in listed if listed.count(one) > 1})
    if twice:
        raise DeclarationError(f"{asked.name}.toml names {', '.join(twice)} twice")
    categories = asked.value("features", "categories")
    if not isinstance(categories, dict):
        raise asked.wrong("features", "categories", 'write "<set>.<field>" = ["a", "b"]')
    strangers = sorted(set(categories) - set(listed))
    if strangers:
        raise DeclarationError(
            f"{asked.name}.toml: categories of {', '.join(strangers)}, which is no column"
        )
    return tuple(_column(asked, "features", "columns", one, categories) for one in listed)


def _column(
    asked: _Asked, section: str, key: str, written: str, categories: Mapping[str, Any]
) -> Column:
    """A field of the contract. categories: of texts, by the column's name."""
    feature_set, _, name = written.partition(".")
    contract = {one.name: {line["field"]: line for line in one.lines} for one in sets.read()}
    if feature_set not in contract:
        raise asked.wrong(
            section, key, f"{written!r} is of no set: there are {', '.join(sorted(contract))}"
        )
    if name not in contract[feature_set]:
        raise asked.wrong(
            section,
            key,
            f"{feature_set} has no field {name!r}: it has {', '.join(contract[feature_set])}",
        )
    is_text = contract[feature_set][name]["data_type"] == "text"
    values = categories.get(written)
    if is_text and (
        not isinstance(values, list)
        or not values
        or not all(isinstance(one, str) for one in values)
        or len(set(values)) < len(values)
    ):
        raise DeclarationError(
            f"{asked.name}.toml: {written} is a text: list each of its values once in "
            "[features.categories]"
        )
    if not is_text and values is not None:
        raise DeclarationError(f"{asked.name}.toml: {written} is a number, it has no categories")
    return Column(feature_set, name, tuple(values or ()))


def _period(asked: _Asked) -> Period:
    found = asked.value("period", "newest_rows") if "newest_rows" in _section(asked) else None
    since, until = (_moment(asked, key) for key in ("from", "to"))
    if found is None and (since is None or until is None):
        raise DeclarationError(
            f"{asked.name}.toml: [period] says newest_rows, or from and to, or all three"
        )
    if since is not None and until is not None and since >= until:
        raise asked.wrong("period", "to", f"it is not after from, {since.isoformat()}")
    most = 100_000_000
    rows = most if found is None else asked.number("period", "newest_rows", 10, most, whole=True)
    return Period(int(rows), since, until)


def _section(asked: _Asked) -> Mapping[str, Any]:
    found: Mapping[str, Any] = asked.given.get("period", {})
    return found


def _moment(asked: _Asked, key: str) -> datetime | None:
    value = _section(asked).get(key)
    if value is None:
        return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise asked.wrong("period", key, "write a moment with its zone, as 2026-11-26T00:00:00Z")
    return value.astimezone(UTC)


def _parameters(asked: _Asked, learner: str) -> Mapping[str, int | float]:
    found = asked.value("learner", "parameters")
    if not isinstance(found, dict):
        raise asked.wrong("learner", "parameters", "write [learner.parameters]")
    for key, value in found.items():
        if key not in PARAMETERS[learner]:
            raise DeclarationError(
                f"{asked.name}.toml: {learner} takes {', '.join(PARAMETERS[learner])}, not {key}; "
                "what makes it deterministic is fixed"
            )
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise DeclarationError(
                f"{asked.name}.toml: learner.parameters.{key} is {value!r}; write a number"
            )
    return found
