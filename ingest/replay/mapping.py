"""Mappings: small TOML files that say which columns of a captured file mean what."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from ingest.errors import IngestError
from ingest.kinds import BAR, KINDS, OHLC, Kind
from ingest.replay.sources import Source
from ingest.replay.textfiles import ENCODINGS, Dialect

BUNDLED = Path(__file__).parent / "mappings"
ANYWHERE = ("symbol", "ts", "action", "known_at")
# what tells rows of one ts apart; a minute has one bar
NAMING = ("seq", "id", "original")
SEVERAL = {"ts", "known_at", "id", "original"}
INTERVAL = re.compile(r"([1-9]\d{0,3})([smhdw])")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
COMPRESSED = (".gz", ".zst", ".zip")

# its tables, in the order in which they are written
TABLES = ("columns", "correction", "cancel", "filter", "skip", "side", "action", "null_values")

Names = str | tuple[str, ...]
Words = str | tuple[str, ...]


class MappingError(IngestError):
    """A mapping does not fit; the text names the mapping, the file and the remedy."""


class Mapping(BaseModel):
    """What a captured file's columns mean; docs/replay.md describes every key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: str
    format: Literal["dbn", "csv", "json", "parquet"]
    files: tuple[str, ...] = ()
    layout: tuple[str, ...] = ()
    symbol: str | None = None
    symbol_from_name: str | None = None
    interval: str | None = None
    stamp: Literal["start", "end"] = "start"
    time_unit: Literal["ns", "us", "ms", "s", "iso"] = "iso"
    time_format: str | None = None
    time_zone: str | None = None
    ambiguous: Literal["earlier", "later"] | None = None
    price_scale: float = Field(default=1.0, gt=0)
    size_scale: float = Field(default=1.0, gt=0)
    number_repeats: bool = False
    encoding: ENCODINGS = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    skip_blanks: bool = False
    names: tuple[str, ...] = ()
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " ", "'"] = ""
    columns: dict[str, Names]
    correction: dict[str, Names] = {}
    cancel: dict[str, Names] = {}
    filter: dict[str, Words] = {}
    skip: dict[str, Words] = {}
    side: dict[str, Literal["buy", "sell", "unknown"]] = {"buy": "buy", "sell": "sell"}
    action: dict[str, Literal["new", "correction", "cancel", "skip"]] = {
        "new": "new",
        "correction": "correction",
        "cancel": "cancel",
    }
    null_values: dict[str, list[float | str]] = {}

    @field_validator("kind")
    @classmethod
    def _kind_is_one_of_ours(cls, kind: str) -> str:
        if kind not in KINDS:
            raise PydanticCustomError("kind", f"Input should be {' or '.join(map(repr, KINDS))}")
        return kind

    @field_validator("time_zone")
    @classmethod
    def _zone_is_there(cls, zone: str | None) -> str | None:
        try:
            if zone is not None:
                ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"{zone!r} is no time zone: write its IANA name, such as America/New_York"
            ) from None
        return zone

    @field_validator("symbol_from_name")
    @classmethod
    def _pattern_has_a_group(cls, pattern: str | None) -> str | None:
        try:
            if pattern is not None and re.compile(pattern).groups != 1:
                raise ValueError("it must have one (group), the symbol")
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        return pattern

    @model_validator(mode="after")
    def _columns_make_a_record(self) -> Self:
        kind = self.shape
        known = {*ANYWHERE, *kind.values, *(NAMING if kind is not BAR else ())}
        for table in ("columns", "correction", "cancel"):
            roles: dict[str, Names] = getattr(self, table)
            if unknown := sorted(set(roles) - known):
                raise ValueError(f"[{table}] has {', '.join(unknown)}; it may have {listed(known)}")
            if several := [
                r for r, c in roles.items() if not isinstance(c, str) and r not in SEVERAL
            ]:
                raise ValueError(f"[{table}] has several columns for {listed(several)}: name one")
        if missing := {"ts", *kind.required} - set(self.columns):
            raise ValueError(f"[columns] lacks {listed(missing)}")
        nullable = (set(kind.values) | {"id", "known_at"}) & set(self.columns)
        if strange := sorted(set(self.null_values) - nullable):
            raise ValueError(
                f"[null_values] has {', '.join(strange)}; it may have {listed(nullable)}"
            )
        if kind.either and not set(kind.either) & set(self.columns):
            raise ValueError(f"[columns] has neither {' nor '.join(kind.either)}")
        ways = [self.symbol, self.columns.get("symbol"), self.symbol_from_name]
        if sum(way is not None for way in ways) > 1:
            raise ValueError(
                'either say symbol = "...", or symbol_from_name, or give [columns] a symbol'
            )
        return self

    @model_validator(mode="after")
    def _actions_have_keys(self) -> Self:
        if "action" not in self.columns:
            if self.correction or self.cancel:
                raise ValueError("[correction] and [cancel] need an action in [columns]")
            return self
        if self.shape is not BAR and {"seq", "id"}.isdisjoint(self.columns):
            raise ValueError(
                "[columns] has action, and neither seq nor id: a correction must name its tick"
            )
        for table in (self.correction, self.cancel):
            roles = self.columns | table
            if "original" in roles and "id" not in self.columns:
                raise ValueError("original needs the id of the ticks in [columns]")
            if "original" not in roles and "known_at" not in roles:
                missing = "no known_at" if self.shape is BAR else "neither known_at nor original"
                raise ValueError(
                    f"[columns] has action, and {missing}: the moment at which a correction was "
                    "known cannot be told"
                )
        return self

    @model_validator(mode="after")
    def _clocks_can_be_read(self) -> Self:
        form = self.time_format
        if (self.interval is None) == (self.shape is BAR):
            raise ValueError('a bar, and nothing else, has an interval, such as interval = "1m"')
        if self.interval is not None and not INTERVAL.fullmatch(self.interval):
            raise ValueError(f'interval is {self.interval!r}; write "1s", "5m", "1h", "1d" or "1w"')
        if form is None:
            return self
        if self.time_unit != "iso":
            raise ValueError("give either time_unit or time_format")
        if "%Z" in form or ("%I" in form and "%p" not in form):
            raise ValueError(
                "time_format has %Z or an hour of 12 without %p: write a zone's name as it stands "
                "in the cells and say time_zone"
            )
        moment = datetime(2001, 2, 3, 4, 5, 6)
        try:
            datetime.strptime(moment.strftime(form), form)
        except (ValueError, re.error):
            if "%z" not in form:
                raise ValueError(f"time_format {form!r} is no format of strptime") from None
        if "%z" not in form and self.time_zone is None:
            raise ValueError(
                'time_format has no zone (%z): say time_zone = "...", for example "UTC"'
            )
        if self.shape is not BAR and not re.search("%[HI]|%c|%X", form):
            raise ValueError("time_format has no hour: give the moment, midnight is none")
        return self

    @property
    def shape(self) -> Kind:
        """What its rows become."""
        return KINDS[self.kind]

    @property
    def interval_us(self) -> int:
        """How long its bars are, in microseconds; 0: they are no bars."""
        found = INTERVAL.fullmatch(self.interval or "")
        return int(found[1]) * UNITS[found[2]] * 1_000_000 if found else 0

    def unsent(self) -> str | None:
        """Why rows of this mapping are not sent, though they can be read; None: they are."""
        if self.interval_us == self.shape.takes_us:
            return None
        return (
            f"bars of {self.interval} are not sent, as features are made of one-minute bars: "
            "fetch the vendor's bars of one minute, or its trades or quotes"
        )

    @property
    def dialect(self) -> Dialect:
        """How its files are written, if they are text."""
        return Dialect(self.encoding, self.delimiter, self.skip_blanks, self.names)

    def constant(self, path: Path, symbol: str | None) -> str | None:
        """The symbol of all of a file's rows; None where a column has it. symbol goes first."""
        if symbol or self.symbol:
            return symbol or self.symbol
        if self.symbol_from_name is None:
            return None
        found = re.search(self.symbol_from_name, bare_name(path))
        return found[1] if found else None

    def wanted(self) -> list[str]:
        """Columns which the file must have."""
        return list(dict.fromkeys([*flat(self.columns.values()), *self.filter, *self.skip]))

    def asked(self) -> list[str]:
        """Columns to be read: the wanted ones, and those that only some rows have."""
        more = flat([*self.correction.values(), *self.cancel.values()])
        return list(dict.fromkeys([*self.wanted(), *more]))

    def check(self, source: Source, symbol: str | None = None) -> None:
        """Raise MappingError unless the file has the wanted columns, and all of it makes sense."""
        missing = [name for name in self.wanted() if name not in source.columns]
        # objects need not have all keys
        if missing and (self.format != "json" or len(missing) == len(self.wanted())):
            raise MappingError(
                f"{source.path} has no column {listed(missing)}. It has {listed(source.columns)}; "
                f"the mapping {self.name} wants {listed(self.wanted())}. "
                f"Give a mapping that fits with --map: `python -m ingest inspect {source.path}` "
                "writes one, with `names` where the first line is no header"
            )
        if "symbol" not in self.columns and self.constant(source.path, symbol) is None:
            raise MappingError(
                f"{source.path}: the mapping {self.name} names no symbol for it: say --symbol, "
                'or symbol = "..." in the mapping'
            )
        naive = [name for name in flat(self.columns.values()) if name in source.naive]
        if naive and self.time_zone is None:
            raise MappingError(
                f"{source.path}: column {listed(naive)} is a clock without a zone: say "
                f'time_zone = "..." in the mapping {self.name}, for example "UTC"'
            )
        self._check_bars(source)

    def _check_bars(self, source: Source) -> None:
        lower = {name.strip().lower(): name for name in source.columns}
        if self.shape is BAR or not lower.keys() >= set(OHLC):
            return
        bars = {lower[name] for name in OHLC}
        for role in self.shape.prices:
            if (column := self.columns.get(role)) in bars:
                raise MappingError(
                    f"{source.path} holds bars (open, high, low, close), and the mapping "
                    f"{self.name} makes a {self.kind} of column {column}: {BAR_IS_NO_TICK}"
                )


BAR_IS_NO_TICK = (
    "stamped at its start, it would be known before it ended, and its volume traded at one price. "
    'Say kind = "bar" and its interval, and give the instrument bars_from bar in '
    "seeds/instrument.csv"
)


def bare_name(path: Path) -> str:
    """The file's name without the ending of a compression."""
    return path.stem if path.suffix.lower() in COMPRESSED else path.name


def flat(columns: Iterable[Names]) -> list[str]:
    """Column names, single ones and those of lists."""
    return [name for c in columns for name in ((c,) if isinstance(c, str) else c)]


def listed(names: Any) -> str:
    """Names for a text, those of a set in their order."""
    return ", ".join(sorted(names) if isinstance(names, set) else names)


def load(path: Path) -> Mapping:
    """Read one mapping; raises MappingError with the file's name and the key at fault."""
    try:
        with path.open("rb") as file:
            return made(path.stem, tomllib.load(file))
    except OSError as error:
        raise MappingError(f"the mapping {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MappingError(f"the mapping {path} is not TOML: {error}") from None
    except ValueError as error:
        raise MappingError(f"the mapping {path} is wrong: {error}. See docs/replay.md") from None


def made(name: str, keys: dict[str, Any]) -> Mapping:
    """Build a mapping; raises ValueError that names the keys at fault."""
    if "name" in keys:
        raise ValueError("it has a key `name`; remove it")
    try:
        return Mapping(name=name, **keys)
    except ValidationError as error:
        raise ValueError("; ".join(_fault(fault) for fault in error.errors())) from None


def _fault(fault: Any) -> str:
    where = ".".join(
        str(part) for part in fault["loc"] if part not in ("str", "float", "tuple[str, ...]")
    )
    said = fault["msg"].removeprefix("Value error, ")
    return f"{where}: {said}" if where else said


def bundled() -> list[Mapping]:
    """The mappings that come with the project."""
    return [load(path) for path in sorted(BUNDLED.glob("*.toml"))]


def choose(path: Path, mappings: list[Mapping]) -> Mapping:
    """The one mapping whose `files` pattern fits the file's name; MappingError otherwise."""
    fitting = [one for one in mappings if any(fnmatch(path.name, glob) for glob in one.files)]
    if len(fitting) == 1:
        return fitting[0]
    shown = "; ".join(
        f"{one.name} ({', '.join(one.files)})" for one in fitting or mappings if one.files
    )
    if fitting:
        raise MappingError(
            f"several mappings fit the name {path.name}: {shown}. Choose one with --map FILE.toml"
        )
    raise MappingError(
        f"no mapping fits the name {path.name}: `python -m ingest inspect {path}` writes one, give "
        f"it with --map FILE.toml. Names that fit: {shown}"
    )
