"""What a tick must be to count: the first rule it breaks is the reason it is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import polars as pl

from ingest.wire.codec import Record

ACTIONS = ("new", "correction", "cancel")
SIDES = ("buy", "sell", None)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST_US = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000


class Reason(StrEnum):
    """Kinds of fault; market.dead_letter.reason and the dead letter's header `reason`."""

    UNDECODABLE = "undecodable"
    UNKNOWN_ACTION = "unknown_action"
    UNKNOWN_TENANT = "unknown_tenant"
    UNKNOWN_SYMBOL = "unknown_symbol"
    TIME_TOO_EARLY = "time_too_early"
    TIME_IN_FUTURE = "time_in_future"
    NEGATIVE_SEQ = "negative_seq"
    NOT_A_NUMBER = "not_a_number"
    NEGATIVE_PRICE = "negative_price"
    ZERO_SIZE = "zero_size"
    NO_SIDE_QUOTED = "no_side_quoted"
    UNKNOWN_SIDE = "unknown_side"
    UNKNOWN_TRADE = "unknown_trade"
    UNKNOWN_QUOTE = "unknown_quote"


REMEDIES = {
    Reason.UNDECODABLE: "send Avro made with ingest/schemas",
    Reason.UNKNOWN_ACTION: f"use one of {', '.join(ACTIONS)}",
    Reason.UNKNOWN_TENANT: "add it to seeds/tenant.csv and run make migrate",
    Reason.UNKNOWN_SYMBOL: "add it to seeds/instrument.csv and run make migrate",
    Reason.TIME_TOO_EARLY: "times are microseconds since 1970, from 2000-01-01 on: check the unit",
    Reason.TIME_IN_FUTURE: "check the unit and the clocks, or raise FUTURE_TOLERANCE_S",
    Reason.NEGATIVE_SEQ: "number equal times from 0",
    Reason.NOT_A_NUMBER: "send a finite number, or null where there is none",
    Reason.NEGATIVE_PRICE: "send a price above 0",
    Reason.ZERO_SIZE: "send a size above 0 (a quote's may be 0)",
    Reason.NO_SIDE_QUOTED: "send a bid or an ask",
    Reason.UNKNOWN_SIDE: "use buy, sell or null",
    Reason.UNKNOWN_TRADE: "no such trade is current: send the trade first, or correct the key",
    Reason.UNKNOWN_QUOTE: "no such quote is current: send the quote first, or correct the key",
}


@dataclass(frozen=True)
class Refusal:
    """Why a tick does not count: the kind of fault, and the bad value with its remedy."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class Known:
    """The tenants and symbols that ticks may name."""

    tenants: frozenset[int]
    symbols: frozenset[str]


def key_of(kind: str, record: Record) -> str:
    """Name a tick in a message: 'trade of ES, tenant 1, ts 2026-03-02T10:00:00+00:00, seq 3'."""
    named = {**record, "ts": moment(record["ts"])}
    return "{} of {symbol!r}, tenant {tenant_id}, ts {ts}, seq {seq}".format(kind, **named)


def moment(micros: int) -> str:
    """Write microseconds since the epoch as ISO 8601, or as they are where no calendar has them."""
    try:
        return (EPOCH + timedelta(microseconds=micros)).isoformat()
    except OverflowError:
        return f"{micros} us"


def refuse(kind: str, record: Record, reason: Reason, what: str) -> Refusal:
    """Build the refusal of a record; what: the bad value, for example 'price=-1.0'."""
    return Refusal(reason, f"{what} in {key_of(kind, record)}: {REMEDIES[reason]}")


def validate(
    kind: str,
    record: Record,
    known: Known,
    now_us: int,
    tolerance_us: int,
) -> Refusal | None:
    """Return why a decoded record must be refused, or None.

    now_us: the ingester's clock; tolerance_us: how far beyond it a time may lie; both in
    microseconds. Of a cancel only the key counts.
    """
    fault = _key_fault(record, known, now_us + tolerance_us)
    if fault is None and record["action"] != "cancel":
        fault = _VALUE_FAULTS[kind](record)
    return None if fault is None else refuse(kind, record, *fault)


def passes(kind: str, known: Known, now_us: int, tolerance_us: int) -> pl.Expr:
    """Say of each row of columns.read whether validate would return None."""
    latest_us = now_us + tolerance_us
    key = (
        pl.col("action").is_in(ACTIONS)
        & pl.col("tenant_id").is_in(list(known.tenants))
        & pl.col("symbol").is_in(list(known.symbols))
        & pl.col("ts").is_between(EARLIEST_US, latest_us)
        & (pl.col("known_at").fill_null(latest_us) <= latest_us)
        & (pl.col("seq") >= 0)
    )
    return key & ((pl.col("action") == "cancel") | _PASSES[kind])


def _finite_and(column: str, rule: pl.Expr) -> pl.Expr:
    return pl.col(column).is_null() | (pl.col(column).is_finite() & rule)


_PASSES = {
    "trade": pl.col("price").is_finite()
    & (pl.col("price") > 0)
    & pl.col("size").is_finite()
    & (pl.col("size") > 0)
    & (pl.col("side").is_null() | pl.col("side").is_in([s for s in SIDES if s is not None])),
    "quote": pl.any_horizontal(pl.col("bid").is_not_null(), pl.col("ask").is_not_null())
    & _finite_and("bid", pl.col("bid") > 0)
    & _finite_and("ask", pl.col("ask") > 0)
    & _finite_and("bid_size", pl.col("bid_size") >= 0)
    & _finite_and("ask_size", pl.col("ask_size") >= 0),
}

Fault = tuple[Reason, str] | None


def _key_fault(record: Record, known: Known, latest_us: int) -> Fault:
    if record["action"] not in ACTIONS:
        return Reason.UNKNOWN_ACTION, f"action={record['action']!r}"
    if record["tenant_id"] not in known.tenants:
        return Reason.UNKNOWN_TENANT, f"tenant_id={record['tenant_id']}"
    if record["symbol"] not in known.symbols:
        return Reason.UNKNOWN_SYMBOL, f"symbol={record['symbol']!r}"
    known_at = record["known_at"]
    if record["ts"] < EARLIEST_US:
        return Reason.TIME_TOO_EARLY, f"ts={moment(record['ts'])}"
    if record["ts"] > latest_us:
        return Reason.TIME_IN_FUTURE, f"ts={moment(record['ts'])}"
    if known_at is not None and known_at > latest_us:
        return Reason.TIME_IN_FUTURE, f"known_at={moment(known_at)}"
    if record["seq"] < 0:
        return Reason.NEGATIVE_SEQ, f"seq={record['seq']}"
    return None


def _trade_fault(record: Record) -> Fault:
    price, size = record["price"], record["size"]
    for name in ("price", "size"):
        if not math.isfinite(record[name]):
            return Reason.NOT_A_NUMBER, f"{name}={record[name]}"
    if price <= 0:
        return Reason.NEGATIVE_PRICE, f"price={price}"
    if size <= 0:
        return Reason.ZERO_SIZE, f"size={size}"
    if record["side"] not in SIDES:
        return Reason.UNKNOWN_SIDE, f"side={record['side']!r}"
    return None


def _quote_fault(record: Record) -> Fault:
    for name in ("bid", "bid_size", "ask", "ask_size"):
        if record[name] is not None and not math.isfinite(record[name]):
            return Reason.NOT_A_NUMBER, f"{name}={record[name]}"
    if record["bid"] is None and record["ask"] is None:
        return Reason.NO_SIDE_QUOTED, "bid=null, ask=null"
    for name in ("bid", "ask"):
        if record[name] is not None and record[name] <= 0:
            return Reason.NEGATIVE_PRICE, f"{name}={record[name]}"
    for name in ("bid_size", "ask_size"):
        if record[name] is not None and record[name] < 0:
            return Reason.ZERO_SIZE, f"{name}={record[name]}"
    return None


_VALUE_FAULTS: dict[str, Callable[[Record], Fault]] = {"trade": _trade_fault, "quote": _quote_fault}
