"""Many Avro messages at once: into columns by Polars, one by one only where that fails."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from io import BytesIO

import polars as pl

from ingest.errors import UndecodableError
from ingest.kinds import KINDS, TYPES, Record, primitive
from ingest.wire.codec import decode, writer_of
from ingest.wire.registry import SchemaSource

FRAME = 5
ONE_BY_ONE = 16
PARTS = 8
MARK = "_mark"
MARK_SIZE = 16
SYNC = bytes(16)

# what Avro's schema resolution makes of a writer's type where the reader has another one
PROMOTED = {
    "int": {"int", "long", "float", "double"},
    "long": {"long", "float", "double"},
    "float": {"float", "double"},
    "double": {"double"},
    "string": {"string"},
}


class Plan:
    """How to read the messages of one writer's schema as one block of an Avro file."""

    def __init__(self, head: bytes, columns: list[pl.Expr]) -> None:
        """head: of the file; columns: those of our schema, in its order."""
        self._head = head
        self._columns = columns

    @classmethod
    def of(cls, kind: str, writer: Record) -> Plan | None:
        """Plan for a kind and a writer's schema; None when its messages are read one by one."""
        own = KINDS[kind]
        name = own.schema["name"]
        if writer.get("type") != "record" or writer["name"].rpartition(".")[2] != name:
            return None
        written = {f["name"]: primitive(f) for f in writer["fields"]}
        if None in written.values():
            return None
        columns = []
        for field in own.fields:
            name, ours, theirs = field["name"], primitive(field), written.get(field["name"])
            assert ours is not None  # noqa: S101 - of our own schemas
            if theirs is None:
                if "default" not in field:
                    return None
                column = pl.lit(field["default"])
            elif ours[0] not in PROMOTED[theirs[0]] or (theirs[1] and not ours[1]):
                return None
            else:
                column = pl.col(name)
                if theirs[0] == "float":
                    column = column.cast(pl.String)  # the number that was meant: codec.shortest
            columns.append(column.cast(TYPES[ours[0]]).alias(name))
        # without defaults and logical types, which Polars does not take
        plain = [
            {"name": f["name"], "type": ["null", wire] if t[1] else wire}
            for f in writer["fields"]
            if (t := primitive(f)) and (wire := "long" if t[0] == "int" else t[0])
        ]
        schema = {
            "type": "record",
            "name": kind,
            "fields": [*plain, {"name": MARK, "type": "bytes"}],
        }
        text = json.dumps(schema).encode()
        name = b"avro.schema"
        head = b"Obj\x01" + b"".join(
            [_long(1), _long(len(name)), name, _long(len(text)), text, _long(0), SYNC]
        )
        return cls(head, columns)

    def read(self, payloads: Sequence[bytes | None]) -> pl.DataFrame | None:
        """Read all, or None when one of them is not of this schema.

        Nothing in a file separates records, so bytes too many or too few could shift into the
        next one: a mark that no producer can guess follows each and must come out again.
        """
        mark = secrets.token_bytes(MARK_SIZE)
        end = _long(MARK_SIZE) + mark
        block = end.join([payload[FRAME:] for payload in payloads if payload]) + end
        file = b"".join([self._head, _long(len(payloads)), _long(len(block)), block, SYNC])
        try:
            frame = pl.read_avro(BytesIO(file))
        except (Exception, pl.exceptions.PanicException):  # whatever foreign bytes make it raise
            return None
        if frame.height != len(payloads):
            return None
        if not frame.select((pl.col(MARK) == pl.lit(mark)).fill_null(False).all()).item():
            return None
        return frame.select(self._columns)


def _long(number: int) -> bytes:
    """Avro's encoding of a non-negative long: zigzag, then seven bits a byte."""
    number <<= 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def read(
    kind: str, payloads: Sequence[bytes | None], source: SchemaSource
) -> tuple[pl.DataFrame, list[int], dict[int, UndecodableError]]:
    """Decode messages that begin with the same five bytes: the records, their places, the faults.

    The columns are those of schemas/<kind>.avsc, times in microseconds since 1970; row i was
    payloads[places[i]]. A fault is found where codec.decode finds one. Raises as source.writer.
    """
    plan = _plan(kind, payloads[0], source)
    frames: list[pl.DataFrame] = []
    places: list[int] = []
    faults: dict[int, UndecodableError] = {}
    _sift(plan, kind, payloads, range(len(payloads)), source, frames, places, faults)
    if not frames:
        return pl.DataFrame(schema=KINDS[kind].columns), places, faults
    return pl.concat(frames), places, faults


_PLANS: dict[tuple[SchemaSource, str, bytes], Plan | None] = {}


def _plan(kind: str, payload: bytes | None, source: SchemaSource) -> Plan | None:
    """Return how to read what begins like this payload; None: one by one."""
    key = source, kind, (payload or b"")[:FRAME]
    if key not in _PLANS:
        try:
            _PLANS[key] = Plan.of(kind, writer_of(kind, key[2], source)[0])
        except UndecodableError:
            return None
    return _PLANS[key]


def _sift(
    plan: Plan | None,
    kind: str,
    payloads: Sequence[bytes | None],
    at: range,
    source: SchemaSource,
    frames: list[pl.DataFrame],
    places: list[int],
    faults: dict[int, UndecodableError],
) -> None:
    """Read what can be read at once, and look closer where something cannot."""
    whole = plan.read(payloads[at.start : at.stop]) if plan is not None else None
    if whole is not None:
        frames.append(whole)
        places.extend(at)
    elif plan is not None and len(at) > ONE_BY_ONE:
        step = -(-len(at) // PARTS)
        for start in range(at.start, at.stop, step):
            part = range(start, min(start + step, at.stop))
            _sift(plan, kind, payloads, part, source, frames, places, faults)
    else:
        records: list[Record] = []
        for place in at:
            try:
                records.append(decode(kind, payloads[place], source))
                places.append(place)
            except UndecodableError as error:
                faults[place] = error
        if records:
            frames.append(pl.DataFrame(records, schema=KINDS[kind].columns, orient="row"))
