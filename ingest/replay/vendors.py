"""Which of the shipped mappings a file is laid out by."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ingest.kinds import BAR, Record
from ingest.replay.clocks import clock_form
from ingest.replay.mapper import Unmappable, keeper, mapper
from ingest.replay.mapping import BUNDLED, Mapping, bundled, made
from ingest.replay.sniff import Sniffed
from ingest.replay.sources import Ragged, Source
from ingest.validate import EARLIEST_US

# of a quote, and of no trade, two neighbours are this close: a bid and an ask
CLOSE = 0.02
MOST_ROWS = 50


def vendor(found: Sniffed, kind: str | None) -> dict[str, Any] | None:
    """The keys of the shipped mapping whose layout the file has; None where none fits."""
    ranked = []
    for one in bundled():
        if not one.layout or (kind and one.kind != kind):
            continue
        rank = _named_fit(one, found) if not found.dialect.names else _nameless_fit(one, found)
        if rank is not None:
            ranked.append((rank, one))
    if not ranked:
        return None
    rank, best = max(ranked, key=lambda one: one[0])
    keys = best.model_dump(exclude_unset=True, exclude={"name", "files", "layout"})
    keys["columns"] = dict(keys["columns"])
    if found.dialect.names:
        keys["names"] = list(best.layout)
        found.source, found.rows = _renamed(found, best.layout)
    keeps = keeper(best)
    kept = [row for row in found.rows if not isinstance(row, Ragged) and keeps(row)]
    # what is left out says nothing about clocks and words
    found.rows = kept or found.rows
    if "symbol" in keys["columns"] and keys["columns"]["symbol"] not in found.source.columns:
        del keys["columns"]["symbol"]
    head = (BUNDLED / f"{best.name}.toml").read_text().splitlines()
    words = " ".join(line.lstrip("# ") for line in head if line.startswith("#"))
    found.why.append(f"laid out as {best.name}: {words}")
    others = {one.kind for at, one in ranked if one.kind != best.kind and at[0] >= rank[0]}
    for other in sorted(others):
        found.why.append(f"it holds {other}s too: --kind {other} maps those")
    return keys


Rank = tuple[int, bool, int, bool]


def _named_fit(one: Mapping, found: Sniffed) -> Rank | None:
    if one.names:
        return None  # its files have no header: its names are ours, and anybody's
    columns = set(found.source.columns)
    needed = set(one.wanted()) - {str(one.columns.get("symbol"))}
    layout = set(one.layout)
    shared = layout & columns
    if found.format == "json":
        needed -= {name for name in needed if name in layout}
    if not needed <= columns or len(shared) < 0.8 * len(layout):
        return None
    if found.format in ("csv", "parquet") and len(columns - layout - {"symbol"}) > len(layout) // 2:
        return None
    keeps = keeper(one)
    rows = [row for row in found.rows if not isinstance(row, Ragged)]
    kept = sum(keeps(row) for row in rows)
    return len(shared), kept == len(rows), len(one.filter), _name_fits(one, found.source.path)


def _nameless_fit(one: Mapping, found: Sniffed) -> Rank | None:
    """Whether the cells make sensible records under a vendor's column names."""
    if one.format != "csv" or len(one.layout) != len(found.source.columns):
        return None
    source, rows = _renamed(found, one.layout)
    rows = [row for row in rows if not isinstance(row, Ragged)][:MOST_ROWS]
    keys = one.model_dump(exclude_unset=True, exclude={"name"})
    if "time_format" not in keys:
        form = clock_form([row[str(one.columns["ts"])] for row in rows])
        if form is None or form.form or (form.unit == "iso") != (one.time_unit == "iso"):
            return None
        keys["time_unit"] = form.unit
    map_row = mapper(made("x", keys), source, 1, "X")
    good: list[Record] = []
    for row in rows:
        try:
            record = map_row(row)
        except Unmappable:
            return None
        if record is not None:
            good.append(record)
    if not good or not all(record["ts"] >= EARLIEST_US for record in good):
        return None
    prices = one.shape.prices
    amounts = [role for role in ("size", "volume") if role in one.columns]
    if _alike(good, prices[0], amounts[0] if amounts else "") or not _sensible(one, good):
        return None
    return len(one.layout), True, len(one.filter), _name_fits(one, found.source.path)


def _sensible(one: Mapping, good: list[Record]) -> bool:
    prices = [role for role in one.shape.prices if role in one.columns]
    if not all(record[role] is not None and record[role] > 0 for record in good for role in prices):
        return False
    if one.shape is BAR:
        return all(
            r["low"] <= min(r["open"], r["close"]) <= max(r["open"], r["close"]) <= r["high"]
            for r in good
        )
    return len(prices) < 2 or _alike(good, prices[0], prices[1])


def _alike(records: list[Record], one: str, other: str) -> bool:
    """Whether two values lie close together in all records: a bid and an ask, no size."""
    if not other:
        return False
    pairs = [(record[one], record[other]) for record in records]
    return all(a and b and abs(a - b) <= CLOSE * max(abs(a), abs(b)) for a, b in pairs)


def _name_fits(one: Mapping, path: Path) -> bool:
    named = one.symbol_from_name is not None and one.constant(path, None) is not None
    return named or any(fnmatch(path.name, glob) for glob in one.files)


def _renamed(found: Sniffed, names: tuple[str, ...]) -> tuple[Source, list[Any]]:
    old = found.source.columns
    source = Source(found.source.path, names, {}, found.source.batches)
    rows: list[Any] = [
        row
        if isinstance(row, Ragged)
        else {new: row[name] for new, name in zip(names, old, strict=True)}
        for row in found.rows
    ]
    return source, rows
