"""What a tick must be to count: the first rule it breaks is the reason it is refused."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import polars as pl

from ingest.kinds import KEY, KINDS, Reason, Record, Rule
from ingest.texts import plain, quoted

ACTIONS = ("new", "correction", "cancel")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST_US = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
TIMES = ("ts", "known_at")

UNDECODABLE = Reason("undecodable", "send Avro made with ingest/schemas")
UNKNOWN_ACTION = Reason("unknown_action", f"use one of {', '.join(ACTIONS)}")
UNKNOWN_TENANT = Reason("unknown_tenant", "add it to seeds/tenant.csv and run make migrate")
UNKNOWN_SYMBOL = Reason("unknown_symbol", "add it to seeds/instrument.csv and run make migrate")
TIME_TOO_EARLY = Reason(
    "time_too_early", "times are microseconds since 1970, from 2000-01-01 on: check the unit"
)
BEYOND_RETENTION = Reason(
    "beyond_retention",
    "the retention of its table in market.policy_setting would delete it soon: raise it or delete "
    "its row, call market.apply_policies(), then replay the letter",
)
TIME_IN_FUTURE = Reason(
    "time_in_future",
    "check the unit and the clocks, or raise FUTURE_TOLERANCE_S; a bar is sent once it has ended",
)
KNOWN_BEFORE_END = Reason(
    "known_before_end",
    "a bar is known at its end, a minute after ts, at the earliest: send that or a later known_at, "
    "or null, which is the ingester's clock",
)
CONFLICT = Reason(
    "conflict",
    "two ticks need two keys, a change of one is a correction with a known_at of its own, a change "
    "of its ts a cancel and a new tick",
)
NEGATIVE_SEQ = Reason("negative_seq", "number equal times from 0")


@dataclass(frozen=True)
class Refusal:
    """Why a tick does not count: a Reason's name, and the bad value with its remedy.

    tenant_id, symbol: whose tick it was, where its bytes say so.
    """

    reason: str
    message: str
    tenant_id: int | None = None
    symbol: str | None = None


@dataclass(frozen=True)
class Known:
    """The tenants and symbols that ticks may name; signed: symbols that allow negative prices.

    earliest_us: by kind, the first time that is kept, where a retention deletes what is older.
    """

    tenants: frozenset[int]
    symbols: frozenset[str]
    signed: frozenset[str] = frozenset()
    earliest_us: Mapping[str, int] = field(default_factory=dict)


def key_rules(kind: str, known: Known, latest_us: int) -> tuple[Rule, ...]:
    """Return the rules of a tick's key. latest_us: the last time it may have, microseconds."""
    kept_us = known.earliest_us.get(kind, EARLIEST_US)
    own = KINDS[kind]
    takes_us = own.takes_us
    ended = pl.col("known_at") >= pl.col("ts") + takes_us
    return (
        Rule(UNKNOWN_ACTION, ("action",), pl.col("action").is_in(ACTIONS)),
        Rule(UNKNOWN_TENANT, ("tenant_id",), pl.col("tenant_id").is_in(list(known.tenants))),
        Rule(UNKNOWN_SYMBOL, ("symbol",), pl.col("symbol").is_in(list(known.symbols))),
        Rule(TIME_TOO_EARLY, ("ts",), pl.col("ts") >= EARLIEST_US),
        Rule(BEYOND_RETENTION, ("ts",), pl.col("ts") >= kept_us),
        Rule(TIME_IN_FUTURE, ("ts",), pl.col("ts") <= latest_us - takes_us),
        Rule(TIME_IN_FUTURE, ("known_at",), pl.col("known_at") <= latest_us),
        Rule(NEGATIVE_SEQ, ("seq",), pl.col("seq") >= 0),
        *own.key_rules,
        *([Rule(KNOWN_BEFORE_END, ("ts", "known_at"), ended)] if takes_us else []),
    )


def reasons() -> dict[str, Reason]:
    """Return all reasons of refusals by name: of bytes, of keys, of each kind."""
    nothing = Known(frozenset(), frozenset())
    rules = [
        rule for name, kind in KINDS.items() for rule in (*key_rules(name, nothing, 0), *kind.rules)
    ]
    found = [UNDECODABLE, CONFLICT, *(rule.reason for rule in rules)]
    return {reason.name: reason for reason in found}


def moment(micros: int) -> str:
    """Write microseconds since the epoch as ISO 8601, or as they are where no calendar has them."""
    try:
        return (EPOCH + timedelta(microseconds=micros)).isoformat()
    except OverflowError:
        return f"{micros} us"


def passes(kind: str, known: Known, now_us: int, tolerance_us: int) -> pl.Expr:
    """Say of each row of columns.read whether it counts: whether it keeps every rule.

    now_us: the ingester's clock; tolerance_us: how far beyond it a time may lie; both in
    microseconds. Of a cancel only the key counts.
    """
    key = _all([rule.holds for rule in key_rules(kind, known, now_us + tolerance_us)])
    values = (pl.col("action") == "cancel") | _all(_values_hold(kind, known))
    return (key & values).fill_null(True)


def refusals(
    kind: str, rows: pl.DataFrame, known: Known, now_us: int, tolerance_us: int
) -> list[Refusal]:
    """Return why each of these rows is refused; none of them passes. Arguments as for passes."""
    of_key = key_rules(kind, known, now_us + tolerance_us)
    of_values = KINDS[kind].rules
    counts = pl.col("action") != "cancel"
    broken = [~rule.holds for rule in of_key]
    broken += [counts & ~holds for holds in _values_hold(kind, known)]
    first = pl.coalesce(pl.when(one).then(pl.lit(at)) for at, one in enumerate(broken))
    rules = (*of_key, *of_values)
    places = rows.select(first.alias("rule")).to_series()
    return [
        refuse(kind, record, rules[at].reason, shown(record, rules[at].columns))
        for record, at in zip(rows.iter_rows(named=True), places, strict=True)
    ]


def validate(
    kind: str, record: Record, known: Known, now_us: int, tolerance_us: int
) -> Refusal | None:
    """Return why a decoded record must be refused, or None. Arguments as for passes."""
    row = pl.DataFrame([record], schema=KINDS[kind].columns, orient="row")
    if row.select(passes(kind, known, now_us, tolerance_us)).item():
        return None
    return refusals(kind, row, known, now_us, tolerance_us)[0]


def refuse(kind: str, record: Record, reason: Reason, what: str) -> Refusal:
    """Build the refusal of a record; what: the bad value, for example 'price=-1.0'."""
    text = f"{what} in {key_of(kind, record)}: {reason.remedy}"
    return Refusal(reason.name, text, record["tenant_id"], plain(record["symbol"]))


def key_of(kind: str, record: Record) -> str:
    """Name a tick in a message: 'trade of ES, tenant 1, ts 2026-03-02T10:00:00+00:00, seq 3'."""
    tenant_id, symbol, ts, seq = (record[name] for name in KEY)
    return f"{kind} of {quoted(symbol)}, tenant {tenant_id}, ts {moment(ts)}, seq {seq}"


def _values_hold(kind: str, known: Known) -> list[pl.Expr]:
    """Whether a row keeps each rule of its kind, in their order."""
    if not known.signed:
        return [rule.holds for rule in KINDS[kind].rules]
    is_signed = pl.col("symbol").is_in(list(known.signed))
    return [
        rule.holds | is_signed if rule.spares_signed else rule.holds for rule in KINDS[kind].rules
    ]


def _all(hold: list[pl.Expr]) -> pl.Expr:
    return reduce(operator.and_, hold)


def shown(record: Record, columns: tuple[str, ...]) -> str:
    """Write some fields of a record: 'price=-1.0, side=null'."""
    return ", ".join(f"{name}={_value(name, record[name])}" for name in columns)


def _value(name: str, value: Any) -> str:
    if value is None:
        return "null"
    if name in TIMES:
        return moment(value)
    return quoted(value) if isinstance(value, str) else str(value)
