"""Mappings: small TOML files that say which columns of a captured file mean what."""

import re
import tomllib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from decimal import InvalidOperation as NotDecimal
from fnmatch import fnmatch
from hashlib import blake2b
from math import floor, isnan
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from ingest.errors import IngestError
from ingest.kinds import KINDS, Record
from ingest.replay.sources import Ragged, Row, Source
from ingest.texts import MOST, quoted
from ingest.validate import EPOCH

BUNDLED = Path(__file__).parent / "mappings"
REPEATS = 1_000_000
# beyond it a number fits no 64 bits, and int() of a large exponent takes minutes
MOST_DIGITS = 40
LONGEST_DATE = 10
REPEATS_KEPT = 200_000
BIGINT = 2**63
NANOSECONDS = {"ns": 1, "us": 1_000, "ms": 1_000_000}
FINER = re.compile(r"[.,]\d{6}(\d{1,3})")
# of the 63 bits of a seq: the nanoseconds that ts has no room for, then the file's own number, or a
# digest of the row and a number among equal rows
NANOSECOND_PLACE = 2**53
DIGEST_BITS = 43
EQUAL_ROWS = 2**10


class MappingError(IngestError):
    """A mapping does not fit; the text names the mapping, the file and the remedy."""


class Unmappable(Exception):
    """One row does not fit the mapping; it is dead-lettered and the others go on."""


class NoTime(ValueError):
    """A date where a moment is wanted."""


class Mapping(BaseModel):
    """What a captured file's columns mean; docs/replay.md describes every key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: str
    format: Literal["dbn", "csv", "parquet"]
    files: tuple[str, ...] = ()
    symbol: str | None = None
    time_unit: Literal["ns", "us", "ms", "iso"] = "iso"
    price_scale: float = Field(default=1.0, gt=0)
    number_repeats: bool = False
    columns: dict[str, str]
    filter: dict[str, str] = {}
    side: dict[str, Literal["buy", "sell", "unknown"]] = {"buy": "buy", "sell": "sell"}
    null_values: dict[str, list[float | str]] = {}

    @field_validator("kind")
    @classmethod
    def _kind_is_one_of_ours(cls, kind: str) -> str:
        if kind not in KINDS:
            raise PydanticCustomError("kind", f"Input should be {' or '.join(map(repr, KINDS))}")
        return kind

    @model_validator(mode="after")
    def _columns_make_a_record(self) -> Self:
        kind = KINDS[self.kind]
        known = {"symbol", "ts", "seq", "known_at", *kind.values}
        required = {"ts", *kind.required}
        if unknown := sorted(set(self.columns) - known):
            raise ValueError(f"[columns] has {', '.join(unknown)}; it may have {_list(known)}")
        if missing := required - set(self.columns):
            raise ValueError(f"[columns] lacks {_list(missing)}")
        if strange := sorted(set(self.null_values) - set(kind.numbers) & set(self.columns)):
            raise ValueError(
                f"[null_values] has {', '.join(strange)}; it may have "
                f"{_list(set(kind.numbers) & set(self.columns))}"
            )
        if kind.either and not set(kind.either) & set(self.columns):
            raise ValueError(f"[columns] has neither {' nor '.join(kind.either)}")
        if (self.symbol is None) == ("symbol" not in self.columns):
            raise ValueError('either say symbol = "..." or give [columns] a symbol')
        return self

    def wanted(self) -> list[str]:
        """Columns which the file must have."""
        return list(dict.fromkeys([*self.columns.values(), *self.filter]))

    def check(self, source: Source) -> None:
        """Raise MappingError, with both lists of columns, unless the file has the wanted ones."""
        missing = [name for name in self.wanted() if name not in source.columns]
        if missing:
            raise MappingError(
                f"{source.path} has no column {_list(missing)}. It has {_list(source.columns)}; "
                f"the mapping {self.name} wants {_list(self.wanted())}. "
                "Give a mapping that fits with --map; docs/replay.md shows how to write one"
            )


def load(path: Path) -> Mapping:
    """Read one mapping; raises MappingError with the file's name and the key at fault."""
    try:
        with path.open("rb") as file:
            return Mapping(name=path.stem, **tomllib.load(file))
    except OSError as error:
        raise MappingError(f"the mapping {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingError(f"the mapping {path} is not TOML: {error}") from None
    except TypeError:
        raise MappingError(f"the mapping {path} has a key `name`; remove it") from None
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'mapping'}: {fault['msg']}"
            for fault in error.errors()
        )
        raise MappingError(f"the mapping {path} is wrong: {faults}. See docs/replay.md") from None


def bundled() -> list[Mapping]:
    """The mappings that come with the project."""
    return [load(path) for path in sorted(BUNDLED.glob("*.toml"))]


def choose(path: Path, mappings: list[Mapping]) -> Mapping:
    """The one mapping whose `files` pattern fits the file's name; MappingError otherwise."""
    fitting = [one for one in mappings if any(fnmatch(path.name, glob) for glob in one.files)]
    if len(fitting) == 1:
        return fitting[0]
    listed = "; ".join(f"{one.name} ({', '.join(one.files)})" for one in fitting or mappings)
    found = "several mappings fit" if fitting else "no mapping fits"
    raise MappingError(f"{found} the name {path.name}: {listed}. Choose one with --map FILE.toml")


def mapper(
    mapping: Mapping, source: Source, tenant_id: int, symbol: str | None = None
) -> Callable[[Row], Record | None]:
    """map(row) -> record, or None for a row the filter leaves out.

    Clocks are microseconds, rounded down; nanoseconds stay in seq. known_at is the capture clock,
    ts where there is none, and never before ts. map raises Unmappable for a row that cannot be
    read.
    """
    columns = mapping.columns
    constant = symbol or mapping.symbol
    symbol_column = columns.get("symbol", "")
    clocks = {
        role: _clock(source.clocks.get(columns[role], mapping.time_unit))
        for role in ("ts", "known_at")
        if role in columns
    }
    kind = KINDS[mapping.kind]
    numbers = [
        (
            role,
            columns.get(role),
            mapping.price_scale if role in kind.prices else 1.0,
            frozenset(mapping.null_values.get(role, [])),
        )
        for role in kind.numbers
    ]
    words = [(role, columns.get(role)) for role in kind.values if role not in kind.numbers]
    filters = list(mapping.filter.items())
    repeats = Repeats()

    def numbered(record: Record, nanoseconds: int, seq: int | None) -> int:
        """Return what tells the row from others of its microsecond, in any file that has it."""
        at = record["symbol"], record["ts"]
        if seq is None:
            digest = _digest([record[name] for name in kind.values])
            number = repeats.number((*at, nanoseconds, digest))
            if number >= EQUAL_ROWS:
                raise Unmappable(
                    f"more than {EQUAL_ROWS:,} equal rows at one ts; give [columns] a seq"
                )
            seq = digest * EQUAL_ROWS + number
        elif mapping.number_repeats:
            return _bigint("seq", seq * REPEATS + repeats.number((*at, seq)))
        elif nanoseconds and seq >= NANOSECOND_PLACE:
            raise Unmappable(f"seq is {seq}: with a ts in nanoseconds it must be below 2^53")
        return nanoseconds * NANOSECOND_PLACE + seq if seq >= 0 else seq

    def map_row(row: Row) -> Record | None:
        if isinstance(row, Ragged):
            raise Unmappable(f"the row does not have the header's {len(source.columns)} fields")
        if any(str(row[name]) != value for name, value in filters):
            return None
        ts, nanoseconds = _moment(clocks["ts"], "ts", row[columns["ts"]])
        seq = None
        record: Record = {
            "tenant_id": tenant_id,
            "symbol": constant or _symbol(row[symbol_column]),
            "ts": ts,
        }
        if "seq" in columns:
            seq = _bigint("seq", _read(_integer, "seq", row[columns["seq"]]))
        for role, column, scale, null_values in numbers:
            value = None if column is None else _number(role, row[column], null_values)
            if value is not None:
                value /= scale
            elif role in kind.required:
                raise Unmappable(f"{role} is empty")
            record[role] = value
        for role, column in words:
            record[role] = None if column is None else _word(mapping, role, row[column])
        record["seq"] = numbered(record, nanoseconds, seq)
        record["action"] = "new"
        captured = ts
        if "known_at" in clocks:
            captured, _ = _moment(clocks["known_at"], "known_at", row[columns["known_at"]])
        record["known_at"] = max(captured, ts)
        return record

    return map_row


class Repeats:
    """Numbers what comes again: 0, 1, 2, ... in the order of the file."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._numbers: dict[Any, int] = {}

    def number(self, key: Any) -> int:
        """Return how often the key has come before, lately."""
        number = self._numbers[key] = self._numbers.get(key, -1) + 1
        if len(self._numbers) > REPEATS_KEPT:
            # repeats stand close together in a feed; the older half cannot come again
            for old in list(self._numbers)[: REPEATS_KEPT // 2]:
                del self._numbers[old]
        return number


def _digest(values: list[Any]) -> int:
    digest = blake2b(repr(values).encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> (64 - DIGEST_BITS)


def _list(names: Any) -> str:
    return ", ".join(sorted(names) if isinstance(names, set) else names)


def _symbol(value: Any) -> str:
    if value is None or str(value).strip() == "":
        raise Unmappable("symbol is empty; --symbol gives one to all rows")
    symbol = str(value)
    if len(symbol) > MOST:
        raise Unmappable(f"symbol is {quoted(symbol)}, which names no instrument")
    return symbol


def _word(mapping: Mapping, role: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    if role != "side":
        return str(value)
    try:
        side = mapping.side[str(value)]
    except KeyError:
        raise Unmappable(
            f"side is {quoted(value)}; [side] knows {_list(list(mapping.side))}"
        ) from None
    return None if side == "unknown" else side


def _number(role: str, value: Any, null_values: frozenset[float | str]) -> float | None:
    """The number; None where there is none: empty, NaN, or one of the feed's words for that."""
    if value is None or value == "" or (isinstance(value, str) and value in null_values):
        return None
    try:
        number = float(_plain_number(value))
    except (TypeError, ValueError, OverflowError):
        raise Unmappable(f"{role} is {quoted(value)}, not a number") from None
    return None if isnan(number) or number in null_values else number


def _moment(clock: Callable[[Any], int], role: str, value: Any) -> tuple[int, int]:
    """Microseconds since 1970, and the nanoseconds beyond them."""
    micros, nanoseconds = divmod(_read(clock, role, value), 1000)
    return _bigint(role, micros), nanoseconds


def _read(convert: Callable[[Any], int], role: str, value: Any) -> int:
    if value is None or value == "":
        raise Unmappable(f"{role} is empty")
    try:
        return convert(value)
    except NoTime:
        raise Unmappable(
            f"{role} is {quoted(value)}, a date without a time: give the moment, midnight is none"
        ) from None
    except (TypeError, ValueError, OverflowError, NotDecimal):
        raise Unmappable(f"{role} is {quoted(value)}, which the mapping cannot read") from None


def _bigint(role: str, value: int) -> int:
    if not -BIGINT <= value < BIGINT:
        raise Unmappable(f"{role} is {quoted(value)}, beyond 64 bits")
    return value


def _plain_number(value: Any) -> Any:
    """Refuse what Python would take for a number and no feed means as one: True, 1_000."""
    if isinstance(value, bool) or (isinstance(value, str | bytes) and "_" in str(value)):
        raise ValueError
    return value


def _decimal(value: Any) -> Decimal:
    number = Decimal(str(_plain_number(value)))
    if not number.is_finite() or abs(number.adjusted()) > MOST_DIGITS:
        raise ValueError
    return number


def _integer(value: Any) -> int:
    if type(value) is int:
        return value
    number = _decimal(value)
    if number != number.to_integral_value():
        raise ValueError
    return int(number)


def _clock(unit: str) -> Callable[[Any], int]:
    """Nanoseconds since 1970 of a value in that unit."""
    if unit == "iso":
        return _iso
    nanoseconds = NANOSECONDS[unit]

    def clock(value: Any) -> int:
        if type(value) is int:
            return value * nanoseconds
        return floor(_decimal(value) * nanoseconds)

    return clock


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _iso(value: Any) -> int:
    text = str(value).strip()
    if len(text) <= LONGEST_DATE and _is_date(text):
        raise NoTime
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    finer = FINER.search(text)
    nanoseconds = int(finer[1].ljust(3, "0")) if finer else 0
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000 + nanoseconds
