"""What a guessed mapping still lacks: what the cells say of clocks, sides, actions and marks."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from math import gcd
from typing import Any

from ingest.kinds import BAR, KINDS
from ingest.replay.clocks import ClockForm, clock_form, date_form, fits, time_form
from ingest.replay.guess import Asked, InspectError
from ingest.replay.mapper import Unmappable, mapper
from ingest.replay.mapping import UNITS, Mapping, flat, listed, made
from ingest.replay.sniff import Sniffed, marks
from ingest.texts import plain, quoted

SURE_SIDES = {
    **dict.fromkeys(("buy", "b", "bought", "buyer"), "buy"),
    **dict.fromkeys(("sell", "s", "sold", "seller"), "sell"),
}
MAKER = {"isbuyermaker", "buyermaker", "m"}
ACTION_WORDS = {
    **dict.fromkeys(("new", "n", "t", "insert", "normal", "regular", *KINDS), "new"),
    **dict.fromkeys(("correction", "correct", "corrected", "c", "amend", "amended"), "correction"),
    **dict.fromkeys(("cancel", "canceled", "cancelled", "x", "bust", "busted"), "cancel"),
}
NULLS = ("null", "NULL", "None", "NA", "N/A", "n/a", "-", "--", "\\N", "#N/A")
MOST_WORDS = 12
SCALES = {"8": 1e9, "16": 1e16}


def complete(keys: dict[str, Any], found: Sniffed, asked: Asked) -> Mapping:
    """Fill in what the cells say, and ask for what they do not. Raises InspectError."""
    path = found.source.path
    numbers = [c for r, c in keys["columns"].items() if r in KINDS[keys["kind"]].numbers]
    if found.format == "csv":
        decimal, thousands = marks(found, numbers, asked.decimal)
        keys |= {"decimal": decimal, "thousands": thousands}
    _scales(keys, found)
    _clock(keys, found, asked)
    _sides(keys, found, asked)
    _actions(keys, found, asked)
    _nulls(keys, found)
    try:
        if keys["kind"] == BAR.name:
            keys["interval"] = asked.interval or _interval(keys, found)
        _symbol(keys, found, asked)
        own = {k: v for k, v in keys.items() if v != Mapping.model_fields[k].default}
        mapping = made(path.stem, own)
    except ValueError as error:
        raise InspectError(f"{path}: no mapping can be made of this: {error}") from None
    mapping.check(found.source)
    return mapping


def _scales(keys: dict[str, Any], found: Sniffed) -> None:
    """Whole numbers are scaled as the vendor's layout says; numbers with a point are not."""
    width = (found.source.said or {}).get("fixed_size_bytes", "")
    for key, suffixes in (("price_scale", None), ("size_scale", ("size", "volume"))):
        if key not in keys:
            continue
        shape = KINDS[keys["kind"]]
        roles = (
            shape.prices if suffixes is None else [r for r in shape.numbers if r.endswith(suffixes)]
        )
        cells = [c for r in roles if r in keys["columns"] for c in found.cells(keys["columns"][r])]
        if any("." in str(cell) for cell in cells):
            keys[key] = 1.0
        elif width in SCALES:
            keys[key] = SCALES[width]
        if keys[key] != 1.0:
            found.why.append(f"{key} {keys[key]:g}: whole numbers, as the layout says")


def _clock(keys: dict[str, Any], found: Sniffed, asked: Asked) -> None:
    """Set unit, form and zone by the cells of ts; ask for a zone that none names."""
    column = keys["columns"].get("ts")
    if column is None:
        raise InspectError(
            f"{found.source.path}: no column of {listed(found.source.columns)} is a clock by its "
            "name and cells: say --column ts=NAME"
        )
    path = found.source.path
    if isinstance(column, str) and column in found.source.clocks:
        keys.pop("time_unit", None)
        zoned = column not in found.source.naive
        found.why.append(
            f"ts is column {column}, a Parquet time" + ("" if zoned else " without zone")
        )
        return _zone(keys, found, asked, zoned=zoned)
    form = _form(keys, found, asked, column)
    for key in ("time_unit", "time_format"):
        keys.pop(key, None)
    if form.form:
        keys["time_format"] = form.form
    elif form.unit != "iso":
        keys["time_unit"] = form.unit
    sample = found.cells(flat([keys["columns"]["ts"]])[0])[0]
    how = form.form or {"iso": "ISO 8601"}.get(form.unit, f"{form.unit} since 1970")
    found.why.append(
        f"ts is {listed(flat([keys['columns']['ts']]))}: {how} ({quoted(plain(str(sample)))})"
    )
    if form.also:
        raise InspectError(
            f"{path}: ts is {quoted(sample)}, which {form.form} and {form.also} both read: say "
            f"which with --time-format '{form.form}' or '{form.also}'"
        )
    if form.dates and keys["kind"] != BAR.name:
        raise InspectError(
            f"{path}: ts is {quoted(sample)}, a date without a time, which no {keys['kind']} has: "
            "say which column has the time with --column ts=DATE,TIME"
        )
    ends = form.form.rstrip()
    if ends.endswith((" UTC", " GMT")) or (ends.endswith("Z") and not ends.endswith("%Z")):
        keys["time_zone"] = "UTC"
        return None
    return _zone(keys, found, asked, zoned=form.zoned)


def _form(keys: dict[str, Any], found: Sniffed, asked: Asked, column: Any) -> ClockForm:
    if asked.form:
        return ClockForm("iso", asked.form, "%z" in asked.form)
    if asked.unit:
        return ClockForm(asked.unit, zoned=asked.unit != "iso")
    several = flat([column])
    cells = found.cells(several[0])
    form, day = clock_form(cells), date_form(cells)
    if len(several) == 1:
        told = keys.get("time_format", "")
        if told and fits(told, cells):
            return ClockForm("iso", told, "%z" in told)
        if form is not None and not form.dates:
            return form
        if form is None and day is None and (date := _date_beside(found, column)):
            return _form(keys, found, asked, [date, column])
        beside = None if keys["kind"] == BAR.name or day is None else _time_beside(found, column)
        if beside is None and (form or day):
            return form or day or ClockForm("iso")
    else:
        beside = several[1], time_form(found.cells(several[1]))
    if day is not None and beside is not None and beside[1]:
        keys["columns"]["ts"] = [several[0], beside[0]]
        first, also = f"{day.form} {beside[1]}", day.also and f"{day.also} {beside[1]}"
        return ClockForm("iso", first, also=also)
    sample = next(iter(cells), "")
    raise InspectError(
        f"{found.source.path}: ts is {quoted(sample)}, no clock that is known: say --time-format "
        "(of strptime), --unit, or another --column ts=NAME"
    )


def _date_beside(found: Sniffed, hour: str) -> str | None:
    """The nearest column of dates to one of times; None where there are no dates or times."""
    if not time_form(found.cells(hour)):
        return None
    names = found.source.columns
    near = sorted(names, key=lambda name: abs(names.index(name) - names.index(hour)))
    return next((name for name in near if date_form(found.cells(name))), None)


def _time_beside(found: Sniffed, date: str) -> tuple[str, str] | None:
    names = found.source.columns
    at = names.index(date)
    for name in (*names[at + 1 :], *names[:at]):
        if form := time_form(found.cells(name)):
            return name, form
    return None


def _zone(keys: dict[str, Any], found: Sniffed, asked: Asked, *, zoned: bool) -> None:
    if asked.ambiguous:
        keys["ambiguous"] = asked.ambiguous
    if asked.zone and (not zoned or keys["kind"] == BAR.name):
        keys["time_zone"] = asked.zone
    elif keys.get("time_zone"):
        found.why.append(f"its zone is {keys['time_zone']}, as the vendor says")
    elif not zoned:
        raise InspectError(
            f"{found.source.path}: the clock of column {listed(flat([keys['columns']['ts']]))} "
            "names no zone: say it with --zone, for example --zone UTC or --zone America/New_York"
        )


def _sides(keys: dict[str, Any], found: Sniffed, asked: Asked) -> None:
    column = keys["columns"].get("side")
    if column is None:
        keys.pop("side", None)
        return
    words = [word for word, _ in Counter(map(str, found.cells(column))).most_common()]
    sides = dict(keys.get("side", {}))
    maker = re.sub(r"[^a-z0-9]", "", column.lower()) in MAKER
    for word in words:
        if word in sides or len(sides) > MOST_WORDS:
            continue
        if maker and word.lower() in ("true", "false", "1", "0"):
            sides[word] = "sell" if word.lower() in ("true", "1") else "buy"
        else:
            sides[word] = SURE_SIDES.get(word.lower(), "unknown")
        if sides[word] == "unknown" and word not in asked.side:
            found.why.append(f"side {quoted(word)} is stored as none: --side {word}=buy says else")
    keys["side"] = sides | asked.side
    found.why.append(
        "side is " + column + ": " + ", ".join(f"{w} = {s}" for w, s in keys["side"].items())
    )


def _actions(keys: dict[str, Any], found: Sniffed, asked: Asked) -> None:
    column = keys["columns"].get("action")
    if column is None:
        keys.pop("action", None)
        return
    words = [word for word, _ in Counter(map(str, found.cells(column))).most_common()]
    actions = dict(keys.get("action", {})) | asked.action
    for word in words:
        if word not in actions and word.lower() in ACTION_WORDS:
            actions[word] = ACTION_WORDS[word.lower()]
    unknown = [word for word in words if word not in actions and not _left_out(keys, column, word)]
    clocked = "known_at" in keys["columns"] or "original" in str(
        keys.get("cancel", "") or keys.get("correction", "")
    )
    named = keys["kind"] == BAR.name or not {"seq", "id"}.isdisjoint(keys["columns"])
    if unknown or not (clocked and named):
        del keys["columns"]["action"]
        keys.pop("action", None)
        reason = (
            f"its word {quoted(unknown[0])} is not known"
            if unknown
            else ("no column says when a correction was known, or which tick it is of")
        )
        found.why.append(
            f"column {column} is not taken for an action: {reason} (--action WORD=cancel)"
        )
        return
    keys["action"] = actions
    found.why.append(
        "action is " + column + ": " + ", ".join(f"{w} = {a}" for w, a in actions.items())
    )


def _left_out(keys: dict[str, Any], column: str, word: str) -> bool:
    kept = keys.get("filter", {}).get(column)
    return kept is not None and word not in ({kept} if isinstance(kept, str) else kept)


def _nulls(keys: dict[str, Any], found: Sniffed) -> None:
    shape = KINDS[keys["kind"]]
    for role in shape.numbers:
        column = keys["columns"].get(role)
        words = sorted(set(map(str, found.cells(column))) & set(NULLS)) if column else []
        if words:
            nulls = keys.setdefault("null_values", {})
            nulls[role] = [*dict.fromkeys([*nulls.get(role, []), *words])]
            found.why.append(f"{role} has no value where it says {listed(words)}")


def _interval(keys: dict[str, Any], found: Sniffed) -> str:
    """The bars' length: what the file says, else what all distances of their stamps are made of."""
    said = re.search(r"ohlcv-(1[smhd])", (found.source.said or {}).get("schema", ""))
    if said:
        return said[1]
    draft = made("x", _values(keys) | {"interval": "1s", "symbol": "X"})
    map_row = mapper(draft, found.source, 1, "X")
    stamps = set()
    for row in found.rows:
        try:
            record = map_row(row)
        except Unmappable:
            continue
        if record is not None:
            stamps.add(record["ts"])
    apart = [b - a for a, b in pairwise(sorted(stamps))]
    least = min(apart, default=0) // 1_000_000
    if least < UNITS["d"] // 2:
        # minutes in which nothing was traded may lack; days are of 23 hours, too
        least = gcd(*apart) // 1_000_000
    for unit in reversed(UNITS):
        # a day on which the clock is set forward has an hour less
        count = round(least / UNITS[unit])
        if count and abs(least - count * UNITS[unit]) <= (3600 if unit in "dw" else 0):
            found.why.append(f"bars of {count}{unit}, by the distances between them")
            return f"{count}{unit}"
    raise InspectError(f"{found.source.path}: how long a bar is cannot be told: say --interval 1m")


def _values(keys: dict[str, Any]) -> dict[str, Any]:
    values = {k: v for k, v in keys.items() if k != "symbol_from_name"}
    return values | {"columns": {r: c for r, c in keys["columns"].items() if r != "symbol"}}


def _symbol(keys: dict[str, Any], found: Sniffed, asked: Asked) -> None:
    path = found.source.path
    if asked.symbol:
        keys["columns"].pop("symbol", None)
        keys.pop("symbol_from_name", None)
        keys["symbol"] = asked.symbol
    elif "symbol" in keys["columns"]:
        found.why.append(f"symbol is column {keys['columns']['symbol']}")
    elif said := (found.source.said or {}).get("instrument_id"):
        keys["symbol"] = said
        found.why.append(f"symbol {said}, by the file's metadata")
    elif keys.get("symbol_from_name") and (
        name := made(
            "x",
            {"kind": keys["kind"], "format": "csv", "columns": keys["columns"]}
            | {k: keys[k] for k in ("symbol_from_name", "interval") if k in keys},
        ).constant(path, None)
    ):
        found.why.append(f"symbol {name}, by the file's name")
    elif not keys.get("symbol"):
        raise InspectError(f"{path}: neither a column nor the name says the symbol: say --symbol")
