"""A mapping for a file that was sniffed: by a vendor's layout, else by names and cells."""

from __future__ import annotations

import re
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ingest.errors import IngestError
from ingest.kinds import BAR, KINDS, OHLC
from ingest.replay.bars import bar_columns
from ingest.replay.clocks import clock_form, date_form
from ingest.replay.mapping import ANYWHERE, NAMING, Mapping, listed
from ingest.replay.sniff import Sniffed
from ingest.replay.vendors import CLOSE, vendor

ROLES = {
    "ts": "timestamp time ts datetime tsevent eventtime tradetime exchangetimestamp exchtime "
    "transacttime opentime windowstart gmttime timeutc utctime tradedatetime t date",
    "known_at": "localtimestamp tsrecv receivedat received recvtime receivetime capturetime "
    "knownat arrival arrivaltime tsinit siptimestamp",
    "symbol": "symbol ticker instrument pair sym ric product productid security code market",
    "seq": "seq sequence seqnum sequencenumber seqno tradeid id tradeno number aggtradeid",
    "action": "action correction status update msgtype messagetype event eventtype",
    "price": "price px tradeprice last lastprice p rate",
    "size": "size qty quantity amount volume vol lastsize tradesize shares lots s v q",
    "side": "side aggressor aggressorside takerside direction tradeside buysell isbuyermaker "
    "buyermaker m",
    "bid": "bid bidprice bidpx bestbid bestbidprice b bp",
    "ask": "ask askprice askpx bestask bestaskprice offer ofr a ap",
    "bid_size": "bidsize bidqty bidvolume bidamount bidsz bestbidsize bestbidqty bs",
    "ask_size": "asksize askqty askvolume askamount asksz bestasksize bestaskqty offersize as",
    **{role: f"{role} {role}price {role[0]}" for role in OHLC},
    "volume": "volume vol v qty totalvolume",
    "vwap": "vwap vw",
}
MOST_WORDS = 12


class InspectError(IngestError):
    """A file does not say all that a mapping needs; the text names the option that does."""


@dataclass
class Asked:
    """What the options say, which goes before all guesses."""

    kind: str | None = None
    zone: str | None = None
    symbol: str | None = None
    unit: str | None = None
    form: str | None = None
    decimal: str | None = None
    interval: str | None = None
    ambiguous: str | None = None
    columns: dict[str, Any] = field(default_factory=dict)
    side: dict[str, str] = field(default_factory=dict)
    action: dict[str, str] = field(default_factory=dict)


def guess(found: Sniffed, asked: Asked) -> dict[str, Any]:
    """Keys of a mapping for the file; found.why is added to. Raises InspectError, SourceError."""
    keys = vendor(found, asked.kind) or _by_names(found, asked)
    keys["format"] = found.format
    for key in ("encoding", "delimiter", "skip_blanks"):
        value = getattr(found.dialect, key)
        if value != Mapping.model_fields[key].default:
            keys[key] = value
        else:
            keys.pop(key, None)
    keys["columns"] |= {r: c for r, c in asked.columns.items() if c}
    for role, column in asked.columns.items():
        if not column:
            keys["columns"].pop(role, None)
    return keys


def _by_names(found: Sniffed, asked: Asked) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if found.dialect.names:
        columns = _by_cells(found)
    else:
        folded = {
            re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(found.source.columns)
        }
        for role, names in ROLES.items():
            hit = next((folded[name] for name in names.split() if name in folded), None)
            if hit is not None:
                columns[role] = hit
    columns |= {r: c for r, c in asked.columns.items() if c}
    kind = asked.kind or _kind(columns)
    if kind is None or kind not in KINDS:
        raise InspectError(
            f"{found.source.path}: its columns ({listed(found.source.columns)}) are not those of a "
            f"{', '.join(KINDS)}: name them, for example --column price=NAME --column size=NAME"
        )
    roles = {*ANYWHERE, *KINDS[kind].values, *(NAMING if kind != BAR.name else ())}
    columns = {role: column for role, column in columns.items() if role in roles}
    _one_role_each(columns)
    if (column := columns.get("seq")) and not _whole(found, column):
        columns["id"] = columns.pop("seq")
    keys: dict[str, Any] = {"kind": kind, "columns": columns}
    if found.dialect.names:
        keys["names"] = list(found.dialect.names)
    return keys


def _kind(columns: Table[str, Any]) -> str | None:
    if columns.keys() >= set(OHLC):
        return BAR.name
    for kind in KINDS.values():
        if kind.required <= columns.keys() and (
            not kind.either or not set(kind.either).isdisjoint(columns)
        ):
            return kind.name
    return None


def _one_role_each(columns: dict[str, Any]) -> None:
    used: dict[Any, str] = {}
    for role in list(columns):
        if columns[role] in used:
            del columns[role]
        else:
            used[columns[role]] = role


def _whole(found: Sniffed, column: str) -> bool:
    return all(re.fullmatch(r"\d{1,18}", str(cell).strip()) for cell in found.cells(column))


def _by_cells(found: Sniffed) -> dict[str, Any]:
    """Roles of nameless columns: a clock, then four of a bar, or two that are close, or two."""
    columns: dict[str, Any] = {}
    names = found.source.columns
    for name in names:
        if clock_form(found.cells(name)) or date_form(found.cells(name)):
            columns["ts"] = name
            break
    rest = [name for name in names if name != columns.get("ts") and _numeric(found, name)]
    bars = bar_columns(names, found.rows)
    words = [n for n in names if n not in rest and n != columns.get("ts") and _constant(found, n)]
    if words:
        columns["symbol"] = words[0]
    if bars:
        after = names[names.index(bars[-1]) + 1 :]
        return (
            columns
            | dict(zip(OHLC, bars, strict=True))
            | dict(zip(("volume",), after, strict=False))
        )
    for one, other in pairwise(rest):
        pairs = [*zip(map(_float, found.cells(one)), map(_float, found.cells(other)), strict=False)]
        if pairs and all(a and b and abs(a - b) <= CLOSE * max(a, b) for a, b in pairs):
            low, high = (
                (one, other)
                if sum(a for a, _ in pairs) <= sum(b for _, b in pairs)
                else (other, one)
            )
            return columns | {"bid": low, "ask": high}
    decimals = [n for n in rest if any("." in str(c) or "," in str(c) for c in found.cells(n))]
    price = next(iter(decimals or rest), None)
    if price is not None and rest.index(price) + 1 < len(rest):
        columns |= {"price": price, "size": rest[rest.index(price) + 1]}
    return columns


def _constant(found: Sniffed, name: str) -> bool:
    texts = {str(cell) for cell in found.cells(name)}
    return 0 < len(texts) <= MOST_WORDS and all(re.search("[A-Za-z]{2}", text) for text in texts)


def _float(cell: object) -> float:
    try:
        return float(str(cell).replace(",", "."))
    except ValueError:
        return float("nan")


def _numeric(found: Sniffed, name: str) -> bool:
    cells = found.cells(name)
    return bool(cells) and all(_float(cell) == _float(cell) for cell in cells)
