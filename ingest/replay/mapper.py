"""Rows of a captured file into records, as its mapping says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

from ingest.kinds import BAR, Record
from ingest.replay import cells
from ingest.replay.cells import Unmappable, bigint
from ingest.replay.mapping import INTERVAL, Mapping, Names, listed
from ingest.replay.sources import Ragged, Row, Source
from ingest.texts import quoted
from ingest.validate import EPOCH

__all__ = ["NoOriginal", "Originals", "Unmappable", "keeper", "mapper"]

REPEATS = 1_000_000
REPEATS_KEPT = 200_000
ORIGINALS_KEPT = 1_000_000
# of the 63 bits of a seq: the nanoseconds that ts has no room for, then the file's own number, or a
# digest of its id, or of the row with a number among equal rows
NANOSECOND_PLACE = 2**53
DIGEST_BITS = 43
EQUAL_ROWS = 2**10
DAYS = {"d": 1, "w": 7}

Number = tuple[str, str | None, float, frozenset[float | str]]


class NoOriginal(Unmappable):
    """A correction or cancel of a tick that was not among the rows before."""


class Originals:
    """The ticks that corrections and cancels may be of, by symbol and id; the newest ones."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._keys: dict[tuple[str, str], tuple[int, int]] = {}

    def note(self, symbol: str, one: str, key: tuple[int, int]) -> None:
        """Remember (ts, seq) of a tick."""
        self._keys[symbol, one] = key
        if len(self._keys) > ORIGINALS_KEPT:
            for old in list(self._keys)[: ORIGINALS_KEPT // 2]:
                del self._keys[old]

    def find(self, symbol: str, one: str) -> tuple[int, int]:
        """Return (ts, seq) of a tick; raises NoOriginal where it is not among them."""
        try:
            return self._keys[symbol, one]
        except KeyError:
            raise NoOriginal(
                f"original is {quoted(one)}, an id that no row before this one has (of the last "
                f"{ORIGINALS_KEPT // 2:,} at least): replay the file with the original along"
            ) from None


@dataclass(frozen=True)
class Plan:
    """Where rows of one action have their values: by role the column."""

    action: str
    columns: dict[str, Names]
    clocks: dict[str, cells.Clock]
    numbers: list[Number]
    words: list[tuple[str, str | None]]
    of: Callable[[Row], str] | None = field(default=None)
    id: Callable[[Row], str] | None = field(default=None)


def mapper(
    mapping: Mapping,
    source: Source,
    tenant_id: int,
    symbol: str | None = None,
    originals: Originals | None = None,
) -> Callable[[Row], Record | None]:
    """map(row) -> record, or None for a row that filter, skip or action leave out.

    Clocks are microseconds, rounded down; nanoseconds stay in seq. known_at is the capture clock,
    ts where there is none, of a bar its end, and never before that. originals: what corrections
    find their ticks by, shared by files. map raises Unmappable for a row that cannot be read.
    """
    kind = mapping.shape
    constant = mapping.constant(source.path, symbol)
    symbol_column = str(mapping.columns.get("symbol", ""))
    keeps = keeper(mapping) if mapping.filter or mapping.skip else None
    action_column = _one(mapping.columns.get("action"))
    plans = {
        "new": _plan(mapping, source, "new", {}),
        "correction": _plan(mapping, source, "correction", mapping.correction),
        "cancel": _plan(mapping, source, "cancel", mapping.cancel),
    }
    known = originals or Originals()
    remembers = any(plan.of for plan in plans.values())
    number = cells.plain_text(mapping.decimal, mapping.thousands)
    numbered = _numbered(mapping)
    spans = _spans(mapping)

    def map_row(row: Row) -> Record | None:
        if isinstance(row, Ragged):
            raise Unmappable(f"the row does not have the header's {len(source.columns)} fields")
        if keeps is not None and not keeps(row):
            return None
        action = "new" if action_column is None else _action(mapping, row[action_column])
        plan = plans.get(action)
        if plan is None:
            return None
        ts, nanoseconds = _moment(plan, "ts", row)
        captured = end = ts
        if spans is not None:
            ts, captured = spans(ts)
            end = captured
        record: Record = {
            "tenant_id": tenant_id,
            "symbol": constant or cells.symbol(row[symbol_column]),
            "ts": ts,
        }
        for role, column, scale, none in plan.numbers:
            value = None if column is None else cells.number(role, row[column], none, number)
            if value is not None:
                value /= scale
            elif role in kind.required:
                if plan.action != "cancel":
                    raise Unmappable(f"{role} is empty")
                value = 0.0  # which nobody looks at
            record[role] = value
        for role, column in plan.words:
            record[role] = None if column is None else _word(mapping, role, row[column])
        if spans is not None:
            record["seq"] = 0  # a minute has one
        elif plan.of is None:
            record["seq"] = numbered(plan, record, nanoseconds, row)
        else:
            record["ts"], record["seq"] = known.find(record["symbol"], plan.of(row))
        if remembers and plan.id is not None and (one := plan.id(row)):
            known.note(record["symbol"], one, (record["ts"], record["seq"]))
        record["action"] = plan.action
        if "known_at" in plan.clocks:
            captured, _ = _moment(plan, "known_at", row)
        record["known_at"] = max(captured, record["ts"] if spans is None else end)
        return record

    return map_row


def keeper(mapping: Mapping) -> Callable[[Row], bool]:
    """Return what says of a row whether filter and skip let it through."""
    kept = [(name, _words(words)) for name, words in mapping.filter.items()]
    skipped = [(name, _words(words)) for name, words in mapping.skip.items()]

    def keeps(row: Row) -> bool:
        # a line of JSON need not have them all
        return all(str(row.get(name)) in words for name, words in kept) and not any(
            str(row.get(name)) in words for name, words in skipped
        )

    return keeps


def _plan(mapping: Mapping, source: Source, action: str, own: dict[str, Names]) -> Plan:
    kind = mapping.shape
    columns = mapping.columns | own
    of = columns.get("original") if action != "new" else None
    # a cancel has no values
    valued = {} if action == "cancel" else columns
    numbers = [
        (
            role,
            _one(valued.get(role)),
            mapping.price_scale
            if role in kind.prices
            else mapping.size_scale
            if _sized(role)
            else 1.0,
            frozenset(mapping.null_values.get(role, [])),
        )
        for role in kind.numbers
    ]
    words = [(role, _one(valued.get(role))) for role in kind.values if role not in kind.numbers]
    clocks = {
        role: _clock(mapping, source, columns[role])
        for role in ("ts", "known_at")
        if role in columns
    }
    own_id = columns.get("id")
    none = frozenset(map(str, mapping.null_values.get("id", [])))
    return Plan(
        action,
        columns,
        clocks,
        numbers,
        words,
        None if of is None else _text(of, frozenset()),
        None if own_id is None else _text(own_id, none),
    )


def _sized(role: str) -> bool:
    return role.endswith("size") or role == "volume"


def _one(column: Names | None) -> str | None:
    return column if column is None or isinstance(column, str) else column[0]


def _words(words: str | tuple[str, ...]) -> frozenset[str]:
    return frozenset({words} if isinstance(words, str) else words)


def _text(columns: Names, none: frozenset[str]) -> Callable[[Row], str]:
    """What a row is called by, of one column or of several; "" where it has no name."""
    names = (columns,) if isinstance(columns, str) else columns

    def text(row: Row) -> str:
        parts = ["" if row[name] is None else str(row[name]).strip() for name in names]
        return "" if parts[-1] in none or not parts[-1] else "\x1f".join(parts)

    return text


def _clock(mapping: Mapping, source: Source, column: Names) -> cells.Clock:
    local = cells.localiser(mapping.time_zone, mapping.ambiguous)
    if isinstance(column, str) and column in source.clocks:
        naive = column in source.naive and mapping.time_zone != "UTC"
        return cells.typed_clock(source.clocks[column], local if naive else None)
    if mapping.time_format is None and mapping.time_unit != "iso":
        return cells.numeric_clock(mapping.time_unit)
    return cells.text_clock(mapping.time_format, local, dates=mapping.shape is BAR)


def _moment(plan: Plan, role: str, row: Row) -> tuple[int, int]:
    """Microseconds since 1970, and the nanoseconds beyond them."""
    column = plan.columns[role]
    cell = row[column] if isinstance(column, str) else cells.joined(row[name] for name in column)
    micros, nanoseconds = divmod(cells.read(plan.clocks[role], role, cell), 1000)
    return bigint(role, micros), nanoseconds


def _numbered(mapping: Mapping) -> Callable[[Plan, Record, int, Row], int]:
    """Return what tells a row from others of its microsecond, in any file that has it."""
    kind = mapping.shape
    repeats = Repeats()

    def numbered(plan: Plan, record: Record, nanoseconds: int, row: Row) -> int:
        at = record["symbol"], record["ts"]
        column = _one(plan.columns.get("seq"))
        if column is not None:
            seq = bigint("seq", _seq(row[column]))
            if mapping.number_repeats:
                return bigint("seq", seq * REPEATS + repeats.number((*at, seq)))
            if nanoseconds and seq >= NANOSECOND_PLACE:
                raise Unmappable(f"seq is {seq}: with a ts in nanoseconds it must be below 2^53")
        elif plan.id is not None and (one := plan.id(row)):
            seq = _digest(one.encode("utf-8", "surrogatepass"), 53)
        else:
            values = repr([record[name] for name in kind.values]).encode()
            digest = _digest(values, DIGEST_BITS)
            repeat = repeats.number((*at, nanoseconds, digest))
            if repeat >= EQUAL_ROWS:
                raise Unmappable(
                    f"more than {EQUAL_ROWS:,} equal rows at one ts; give [columns] a seq or an id"
                )
            seq = digest * EQUAL_ROWS + repeat
        return nanoseconds * NANOSECOND_PLACE + seq if seq >= 0 else seq

    return numbered


def _seq(value: Any) -> int:
    try:
        return cells.read(cells.integer, "seq", value)
    except Unmappable as error:
        if isinstance(value, str) and value:
            raise Unmappable(f"{error}: a text that names a tick is an `id`") from None
        raise


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


def _digest(value: bytes, bits: int) -> int:
    return int.from_bytes(blake2b(value, digest_size=8).digest()) >> (64 - bits)


def _word(mapping: Mapping, role: str, value: Any) -> str | None:
    if value is None or value == "" or value in mapping.null_values.get(role, []):
        return None
    if role != "side":
        return cells.text(role, value)
    try:
        side = mapping.side[str(value)]
    except KeyError:
        raise Unmappable(
            f"side is {quoted(value)}; [side] knows {listed([*mapping.side])}"
        ) from None
    return None if side == "unknown" else side


def _action(mapping: Mapping, value: Any) -> str:
    try:
        return mapping.action[str(value)]
    except KeyError:
        raise Unmappable(
            f"action is {quoted(str(value))}; [action] knows {listed([*mapping.action])}"
        ) from None


def _spans(mapping: Mapping) -> Callable[[int], tuple[int, int]] | None:
    """Return what gives start and end of a bar by its stamp, in microseconds; None: no bar.

    A day ends at the next midnight of the mapping's zone.
    """
    found = INTERVAL.fullmatch(mapping.interval or "")
    if found is None:
        return None
    count, unit = int(found[1]), found[2]
    sign = -1 if mapping.stamp == "end" else 1
    zone = ZoneInfo(mapping.time_zone) if mapping.time_zone else UTC
    days = timedelta(days=sign * count * DAYS.get(unit, 0))

    def spans(stamp: int) -> tuple[int, int]:
        if unit not in DAYS:
            other = stamp + sign * mapping.interval_us
        else:
            try:
                # on the wall: a day on which the clock is changed has 23 or 25 hours
                there = (EPOCH + timedelta(microseconds=stamp)).astimezone(zone) + days
                other = (there.astimezone(UTC) - EPOCH) // timedelta.resolution
            except OverflowError:
                raise Unmappable(f"ts is {stamp} us, beyond the calendar") from None
        return (stamp, other) if sign > 0 else (other, stamp)

    return spans
