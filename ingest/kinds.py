"""The kinds of tick: what each is called from Kafka to the tables, and the rules its values keep.

A new kind is an entry of KINDS, schemas/<name>.avsc and a migration that makes its tables and its
apply function; nothing else names kinds one by one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

SCHEMA_DIR = Path(__file__).resolve().parent / "schemas"
KEY = ("tenant_id", "symbol", "ts", "seq")
COMMON = (*KEY, "action", "known_at")
MINUTE_US = 60_000_000
OHLC = ("open", "high", "low", "close")
# Bounds within which no arithmetic on ticks can overflow, underflow or divide by nothing, and far
# beyond real ones; derived in migrations/0005_create_trade.sql, whose tables check the same.
LEAST, HIGHEST_PRICE, LARGEST_SIZE = 1e-12, 1e12, 1e18
# Avro's types in Polars; one encoding for int and long: what does not fit an int must not be cut
# down to one
TYPES: dict[str, Any] = {
    "int": pl.Int64,
    "long": pl.Int64,
    "float": pl.Float32,
    "double": pl.Float64,
    "string": pl.String,
}

Record = dict[str, Any]


@dataclass(frozen=True)
class Reason:
    """A kind of fault. name: in market.dead_letter.reason and a dead letter's header `reason`."""

    name: str
    remedy: str


NOT_A_NUMBER = Reason("not_a_number", "send a finite number, or null where there is none")
OUT_OF_RANGE = Reason(
    "out_of_range",
    f"send a price that is 0 or {LEAST:g} to {HIGHEST_PRICE:g} away from it, a size of {LEAST:g} "
    f"to {LARGEST_SIZE:g}; a feed's word for no value is null, or no tick",
)
NEGATIVE_PRICE = Reason(
    "negative_price",
    "if this instrument trades at zero or below, set allows_negative_price in its line of "
    "seeds/instrument.csv and run make migrate; else send a price above 0, null for a side that is "
    "not quoted",
)
ZERO_SIZE = Reason("zero_size", "send a size above 0 (a quote's, and a bar's volume, may be 0)")
NO_SIDE_QUOTED = Reason("no_side_quoted", "send a bid or an ask")
UNKNOWN_SIDE = Reason("unknown_side", "use buy, sell or null")
NOT_A_BAR = Reason(
    "not_a_bar", "send a low that is no price's higher, and a high that is no price's lower"
)
NOT_A_MINUTE = Reason(
    "not_a_minute",
    "a bar's ts is the start of its minute, on a whole one: check the clock's unit, whether it is "
    "the bar's start or end (`stamp` of a mapping), and that the bars are of one minute",
)
NOT_ALONE = Reason(
    "not_alone",
    "a minute has one bar of a symbol, of seq 0: a change of it is a correction with a known_at of "
    "its own",
)


@dataclass(frozen=True)
class Rule:
    """What must hold of a tick. The one text serves a whole batch and the reason of one refusal.

    columns: those that a refusal shows. holds: of a row, where false breaks the rule; as in a
    CHECK constraint null breaks none. spares_signed: instruments with allows_negative_price need
    not keep it.
    """

    reason: Reason
    columns: tuple[str, ...]
    holds: pl.Expr
    spares_signed: bool = False


def finite(*names: str) -> tuple[Rule, ...]:
    """Neither NaN nor infinite: a rule for each column."""
    return tuple(Rule(NOT_A_NUMBER, (name,), pl.col(name).is_finite()) for name in names)


def above_zero(reason: Reason, *names: str) -> tuple[Rule, ...]:
    """Above zero: a rule for each column. NaN is above all numbers: ask for finite ones first."""
    return tuple(Rule(reason, (name,), pl.col(name) > 0) for name in names)


def priced(*names: str) -> tuple[Rule, ...]:
    """A price: finite, within bounds, above zero unless the instrument allows others."""
    return (
        *finite(*names),
        *(Rule(OUT_OF_RANGE, (name,), _within(name, HIGHEST_PRICE)) for name in names),
        *(Rule(NEGATIVE_PRICE, (name,), pl.col(name) > 0, spares_signed=True) for name in names),
    )


def not_negative(reason: Reason, *names: str) -> tuple[Rule, ...]:
    """Zero or more: a rule for each column."""
    return tuple(Rule(reason, (name,), pl.col(name) >= 0) for name in names)


def sized(*names: str) -> tuple[Rule, ...]:
    """Within the bounds of a size: a rule for each column. Say first which of them may be 0."""
    return tuple(Rule(OUT_OF_RANGE, (name,), _within(name, LARGEST_SIZE)) for name in names)


def _within(name: str, most: float) -> pl.Expr:
    return (pl.col(name) == 0) | pl.col(name).abs().is_between(LEAST, most)


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind of tick.

    schema_id: of its schema where no registry gives ids; it never changes. topic: where its ticks
    are, unless `setting` names another one. prices: the columns in
    the instrument's currency. rules: of its values, the first one broken is the reason of a
    refusal; a cancel's values are not looked at. either: columns of which one must be there.
    key_rules: of its key, beside those that every kind keeps; cancels keep them, too. takes_us:
    microseconds from ts until it has happened: it can be known from then on, and is none before.
    """

    name: str
    schema_id: int
    topic: str
    prices: tuple[str, ...]
    rules: tuple[Rule, ...]
    either: tuple[str, ...] = ()
    key_rules: tuple[Rule, ...] = ()
    takes_us: int = 0

    @cached_property
    def schema_text(self) -> str:
        """schemas/<name>.avsc."""
        return (SCHEMA_DIR / f"{self.name}.avsc").read_text()

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The Avro schema; not to be changed."""
        schema: dict[str, Any] = json.loads(self.schema_text)
        return schema

    @property
    def fields(self) -> list[dict[str, Any]]:
        """The schema's fields."""
        fields: list[dict[str, Any]] = self.schema["fields"]
        return fields

    @cached_property
    def columns(self) -> dict[str, Any]:
        """Polars type of each field, in the schema's order."""
        return {field["name"]: TYPES[_own(field)[0]] for field in self.fields}

    @cached_property
    def values(self) -> tuple[str, ...]:
        """The fields that not every kind has: the values of a tick, in its table's order."""
        return tuple(name for name in self.columns if name not in COMMON)

    @cached_property
    def required(self) -> frozenset[str]:
        """The values that may not be null."""
        return frozenset(
            f["name"] for f in self.fields if f["name"] in self.values and not _own(f)[1]
        )

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """The values that are numbers; the others are words."""
        return tuple(name for name in self.values if self.columns[name] != pl.String)

    @property
    def setting(self) -> str:
        """The variable that names its topic."""
        return f"{self.name.upper()}_TOPIC"

    @property
    def table(self) -> str:
        """The table of current ticks."""
        return f"market.{self.name}"

    @property
    def superseded(self) -> str:
        """The table of ticks that were corrected or cancelled."""
        return f"market.{self.name}_superseded"

    @property
    def events(self) -> str:
        """The table of the events of ticks that were corrected or cancelled."""
        return f"market.{self.name}_event"

    @property
    def incoming(self) -> str:
        """The temporary table that `apply` reads."""
        return f"incoming_{self.name}"

    @property
    def apply(self) -> str:
        """The function that knows corrections, cancels and what repeats."""
        return f"market.apply_{self.name}s"


def primitive(field: dict[str, Any]) -> tuple[str, bool] | None:
    """(primitive type, nullable) of a schema's field; None for one of another form."""
    kind = field["type"]
    nullable = isinstance(kind, list)
    if isinstance(kind, list):
        if len(kind) != 2 or kind[0] != "null":
            return None
        kind = kind[1]
    if isinstance(kind, dict):
        kind = kind["type"]
    return (kind, nullable) if kind in TYPES else None


def _own(field: dict[str, Any]) -> tuple[str, bool]:
    known = primitive(field)
    assert known is not None, f"{field['name']}: use a type of kinds.TYPES"  # noqa: S101 - ours
    return known


TRADE = Kind(
    "trade",
    schema_id=1,
    topic="trades",
    prices=("price",),
    rules=(
        *priced("price"),
        *finite("size"),
        *above_zero(ZERO_SIZE, "size"),
        *sized("size"),
        Rule(UNKNOWN_SIDE, ("side",), pl.col("side").is_in(["buy", "sell"])),
    ),
)
QUOTE = Kind(
    "quote",
    schema_id=2,
    topic="quotes",
    prices=("bid", "ask"),
    either=("bid", "ask"),
    rules=(
        Rule(NO_SIDE_QUOTED, ("bid", "ask"), pl.any_horizontal(pl.col("bid", "ask").is_not_null())),
        *priced("bid", "ask"),
        *finite("bid_size", "ask_size"),
        *not_negative(ZERO_SIZE, "bid_size", "ask_size"),
        *sized("bid_size", "ask_size"),
    ),
)
BAR = Kind(
    "bar",
    schema_id=3,
    topic="bars",
    prices=(*OHLC, "vwap"),
    rules=(
        *priced(*OHLC),
        Rule(
            NOT_A_BAR,
            OHLC,
            (pl.col("low") <= pl.min_horizontal("open", "close"))
            & (pl.max_horizontal("open", "close") <= pl.col("high")),
        ),
        *finite("volume"),
        *not_negative(ZERO_SIZE, "volume"),
        *sized("volume"),
        # anywhere: vendors leave odd lots out of high and low, and not out of vwap
        *priced("vwap"),
    ),
    key_rules=(
        Rule(NOT_A_MINUTE, ("ts",), pl.col("ts") % MINUTE_US == 0),
        Rule(NOT_ALONE, ("seq",), pl.col("seq") == 0),
    ),
    takes_us=MINUTE_US,
)
KINDS = {kind.name: kind for kind in (TRADE, QUOTE, BAR)}
