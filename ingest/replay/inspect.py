"""Find out what a captured file is, and write its mapping: python -m ingest inspect FILE..."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path
from textwrap import wrap
from typing import Any

from engine.reference import SEEDS
from engine.settings import ENVIRONMENT, Env
from ingest.errors import IngestError
from ingest.kinds import BAR, KINDS, QUOTE, TRADE, Record
from ingest.replay.check import instrument_line
from ingest.replay.files import expanded
from ingest.replay.fill import complete
from ingest.replay.guess import Asked, InspectError, guess
from ingest.replay.mapper import Unmappable, mapper
from ingest.replay.mapping import TABLES, Mapping
from ingest.replay.sniff import Sniffed, sniff
from ingest.replay.sources import DamagedFile, open_source
from ingest.texts import plain
from ingest.validate import EPOCH

SHOWN = 10
WIDTH = 80
MOST_ROWS = 200_000


def main(argv: list[str], env: Env = ENVIRONMENT) -> int:
    """Say what the files are and write their mapping; returns 0, raises IngestError."""
    del env  # nothing of it is needed to look at a file
    options = _options(argv)
    paths = expanded(options.files)
    found = sniff(paths[0])
    asked = _asked(options)
    try:
        keys = guess(found, asked)
        mapping = complete(keys, found, asked)
    except IngestError:
        _say(paths[0], found)
        raise
    _say(paths[0], found)
    records, refused = _records(mapping, found)
    if not records:
        raise InspectError(
            f"{paths[0]}: not one of its first rows becomes a {mapping.kind}"
            + (f", the first: {refused[0]}" if refused else ": the mapping leaves all of them out")
            + "; name the columns with --column ROLE=NAME"
        )
    symbols = {record["symbol"] for record in records}
    alone = f" of {plain(min(symbols))}" if len(symbols) == 1 else ""
    print(f"\nthe first {mapping.kind}s{alone}, as they would be stored")
    print("\n".join(table(mapping, records[:SHOWN])))
    if refused:
        print(f"{len(refused):,} of the first rows cannot be read: {refused[0]}")
    for path in paths[1:]:
        mapping.check(open_source(path, mapping.format, mapping.dialect), options.symbol)
    _write(mapping, keys, options, paths[0])
    _instruments(mapping, records, paths)
    return 0


def table(mapping: Mapping, records: Sequence[Record]) -> list[str]:
    """Lines of at most 80 columns: moment, values, and what is not the same in all rows.

    known: how long after ts, or after a bar's start, it was known.
    """
    columns: dict[str, list[str]] = {"ts (UTC)": _shortened([_moment(r["ts"]) for r in records])}
    if len({r["symbol"] for r in records}) > 1:
        columns["symbol"] = [plain(r["symbol"]) for r in records]
    for role in mapping.shape.values:
        if any(r[role] is not None for r in records):
            columns[role] = [_cell(r[role]) for r in records]
    if any(r["action"] != "new" for r in records):
        columns["action"] = [r["action"] for r in records]
    if any(r["known_at"] != r["ts"] for r in records):
        columns["known"] = [_later(r["known_at"] - r["ts"]) for r in records]
    rows = [list(columns), *map(list, zip(*columns.values(), strict=True))]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    while sum(widths) + 2 * len(widths) > WIDTH:
        widest = max(range(1, len(widths)), key=lambda at: widths[at])
        widths[widest] -= 1
    return [
        "  " + "  ".join(_fit(c, w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _later(micros: int) -> str:
    if abs(micros) < 60_000_000:
        return f"+{micros / 1e6:.6g}s"
    return f"+{timedelta(microseconds=micros - micros % 1_000_000)}"


def _fit(cell: str, width: int) -> str:
    return cell.ljust(width) if len(cell) <= width else cell[: width - 1] + "…"


def _moment(micros: int) -> str:
    try:
        return (EPOCH + timedelta(microseconds=micros)).strftime("%Y-%m-%d %H:%M:%S.%f")
    except OverflowError:
        return f"{micros} us"


def _shortened(moments: list[str]) -> list[str]:
    """Without the zeros at which all of them end."""
    for end in (".000000", "000"):
        if all(moment.endswith(end) for moment in moments):
            return [moment.removesuffix(end) for moment in moments]
    return moments


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _say(path: Path, found: Sniffed) -> None:
    """Print what was seen and why, once."""
    print(plain(path.name))
    for line in found.why:
        for at, part in enumerate(wrap(line, WIDTH - 4, break_on_hyphens=False)):
            print(("    " if at else "  - ") + part)


def _records(mapping: Mapping, found: Sniffed) -> tuple[list[Record], list[str]]:
    """The first rows as records, and why others are none; ten at least where so many are found."""
    source = open_source(found.source.path, mapping.format, mapping.dialect)
    map_row = mapper(mapping, source, 1)
    records: list[Record] = []
    refused: list[str] = []
    rows = (row for batch in source.batches(mapping.asked()) for row in batch.rows)
    try:
        for number, row in enumerate(islice(rows, MOST_ROWS), 1):
            if number > len(found.rows) and len(records) >= SHOWN:
                break
            try:
                record = map_row(row)
            except Unmappable as error:
                refused.append(f"row {number}: {error}")
                continue
            if record is not None:
                records.append(record)
    except DamagedFile as damage:
        print(f"  - {damage}")
    return records, refused


def toml(keys: dict[str, Any]) -> str:
    """Write a mapping's keys as TOML, without those that are as the default."""
    lines, tables = [], []
    for key, value in keys.items():
        default = Mapping.model_fields[key].default
        if key not in TABLES and value != default and value is not None:
            lines.append(f"{key} = {_toml(value)}")
    for key in TABLES:
        if keys.get(key):
            tables += ["", f"[{key}]", *(f"{_key(k)} = {_toml(v)}" for k, v in keys[key].items())]
    return "\n".join([*lines, *tables]) + "\n"


def _key(key: str) -> str:
    plain_key = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if plain_key else json.dumps(key)


def _toml(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.17g}" if value % 1 else f"{value:.1f}"
    return json.dumps(str(value)).replace("\x7f", "\\u007f")


def _write(mapping: Mapping, keys: dict[str, Any], options: argparse.Namespace, path: Path) -> None:
    out: Path = options.out or Path(f"{path.name.split('.')[0]}.toml")
    words = [f"# {plain(path.name)}, as `python -m ingest inspect` took it"]
    order = ("kind", "format", "symbol", "symbol_from_name", "interval", "stamp")
    written = {k: keys[k] for k in order if k in keys} | keys
    text = "\n".join(words) + "\n" + toml(written)
    if out.exists() and not options.force and out.read_text(errors="replace") != text:
        raise InspectError(
            f"{out} is there already: name another --out, or replace it with --force"
        )
    try:
        out.write_text(text)
    except OSError as error:
        raise InspectError(
            f"{out} cannot be written: {error.strerror}; name another --out"
        ) from None
    print(f"\nthe mapping is in {out}")
    if why := mapping.unsent():
        print("\n".join(wrap(f"`replay` refuses it: {why}", WIDTH)))
    else:
        files = " ".join(options.files)
        print(f"send it: python -m ingest replay {files} --map {out}")


def _instruments(mapping: Mapping, records: list[Record], paths: list[Path]) -> None:
    """Print a line for each symbol that seeds/instrument.csv does not have."""
    symbols = {record["symbol"] for record in records}
    symbols |= {name for path in paths if (name := mapping.constant(path, None))}
    with (SEEDS / "instrument.csv").open() as file:
        there = {line["symbol"] for line in csv.DictReader(file)}
    unknown = sorted(symbols - there)
    bars_from = (mapping.shape if mapping.shape in (QUOTE, BAR) else TRADE).name
    if unknown:
        print(
            "\nadd to seeds/instrument.csv, with the true venue, asset class, currency and\n"
            "calendar, and run make migrate:"
        )
        if bars_from == QUOTE.name:
            print("(quote: bars are of the mids; write trade if you load its trades, too)")
        if bars_from == BAR.name:
            print("(bar: features are made of these; write trade if you load its trades instead)")
    for symbol in unknown:
        of = [record for record in records if record["symbol"] == symbol]
        print(instrument_line(symbol, _tick_size(mapping, of or records), bars_from))


def _tick_size(mapping: Mapping, records: list[Record]) -> str:
    """A unit of the last decimal that a price has."""
    prices = [record[role] for record in records for role in mapping.shape.prices]
    digits = [repr(price).partition(".")[2] for price in prices if price]
    return f"{10 ** -max((len(d) for d in digits if d != '0' and 'e' not in d), default=0):.12g}"


def _asked(options: argparse.Namespace) -> Asked:
    return Asked(
        options.kind,
        options.zone,
        options.symbol,
        options.unit,
        options.time_format,
        options.decimal,
        options.interval,
        options.ambiguous,
        {r: tuple(c.split(",")) if "," in c else c for r, c in options.column},
        dict(options.side),
        dict(options.action),
    )


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.rpartition("=") if text.count("=") > 1 else text.partition("=")
    if not sign or not name:
        raise argparse.ArgumentTypeError(f"{text!r}: say NAME=VALUE")
    return name, value


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ingest inspect", description=__doc__)
    add: Callable[..., Any] = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="files of one form, folders and patterns")
    add("--kind", choices=[*KINDS], help="what its rows are, where it holds several")
    add("--symbol", help="symbol of all rows, where no column and no name says it")
    add("--zone", help="time zone of a clock that names none, for example America/New_York")
    add("--ambiguous", choices=["earlier", "later"], help="a time that a clock set back has twice")
    add("--unit", choices=["ns", "us", "ms", "s", "iso"], help="unit of the clock")
    add("--time-format", help="form of the clock, as Python's strptime has it")
    add("--decimal", choices=[".", ","], help="the mark of decimals, where both fit")
    add("--interval", help="length of a bar: 1s, 5m, 1h, 1d")
    add(
        "--column",
        type=_pair,
        action="append",
        default=[],
        metavar="ROLE=NAME",
        help="ts=DATE,TIME",
    )
    add(
        "--side",
        type=_pair,
        action="append",
        default=[],
        metavar="WORD=buy",
        help="or =sell, =unknown",
    )
    add(
        "--action",
        type=_pair,
        action="append",
        default=[],
        metavar="WORD=cancel",
        help="or =new, =correction, =skip",
    )
    add("--out", type=Path, help="where the mapping goes (default: NAME.toml here)")
    add("--force", action="store_true", help="replace a mapping that is there")
    return parser.parse_args(argv)
