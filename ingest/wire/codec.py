"""Messages on the wire: Avro after Confluent's five bytes (zero, then the schema's id)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any

import fastavro
import numpy as np
from fastavro.schema import to_parsing_canonical_form

from ingest.errors import UndecodableError, UnencodableError
from ingest.kinds import KINDS, Kind, Record
from ingest.texts import cut
from ingest.wire.registry import FILES, SchemaSource


def _without_logical_types(schema: Any) -> Any:
    """The same bytes on the wire, but times stay integers: no datetime for each tick."""
    if isinstance(schema, dict):
        return {k: _without_logical_types(v) for k, v in schema.items() if k != "logicalType"}
    if isinstance(schema, list):
        return [_without_logical_types(part) for part in schema]
    return schema


def _logical_types(schema: Any) -> dict[str, set[str]]:
    """Logical types of each field: the units of its times."""
    found = {}
    for field in schema.get("fields", []):
        parts = field["type"] if isinstance(field["type"], list) else [field["type"]]
        found[field["name"]] = {
            part["logicalType"]
            for part in parts
            if isinstance(part, dict) and "logicalType" in part
        }
    return found


_read = fastavro.schemaless_reader


@dataclass(frozen=True)
class _Ours:
    """A kind's schema as it is needed here: parsed, to be compared, and its frame."""

    name: str
    frame: bytes
    parsed: Any
    canonical: str
    units: dict[str, set[str]]


@cache
def _ours(kind: Kind) -> _Ours:
    plain = _without_logical_types(kind.schema)
    return _Ours(
        plain["name"],
        b"\0" + kind.schema_id.to_bytes(4, "big"),
        fastavro.parse_schema(plain),
        to_parsing_canonical_form(plain),
        _logical_types(kind.schema),
    )


# (writer's schema, our schema or None when they are the same, which is read faster)
_PAIRS: dict[tuple[SchemaSource, str, bytes], tuple[Any, Any, tuple[str, ...]]] = {}


def encode(kind: str, record: Record, schema_id: int | None = None) -> bytes:
    """Return the message for a record of schemas/<kind>.avsc; times in microseconds since 1970.

    kind: of KINDS. Fields with a default may be absent. schema_id: what its schema is called
    where the reader looks; without it FileSchemas' id. Raises UnencodableError.
    """
    ours = _ours(KINDS[kind])
    out = BytesIO()
    out.write(ours.frame if schema_id is None else b"\0" + schema_id.to_bytes(4, "big"))
    try:
        fastavro.schemaless_writer(out, ours.parsed, record)
    except (TypeError, ValueError, KeyError, OverflowError, AttributeError) as error:
        raise UnencodableError(
            f"{record} is not a {kind}: {error}; see ingest/schemas/{kind}.avsc"
        ) from None
    return out.getvalue()


def decode(kind: str, payload: bytes | None, source: SchemaSource = FILES) -> Record:
    """Return the record of a message, all fields present, times in microseconds since 1970.

    source: knows the schema it was written with, which is resolved to schemas/<kind>.avsc by
    Avro's rules: fields we do not have are left out, missing ones take their default, int becomes
    long, float the double that is written alike. Raises UndecodableError with the reason for
    bytes that cannot be such a record, and what source raises when it cannot tell for now:
    UnknownSchemaError, RegistryUnavailableError.
    """
    if not payload:
        raise UndecodableError(f"empty message: send a {kind} in Avro")
    frame = payload[:5]
    writer, ours, singles = writer_of(kind, frame, source)
    stream = BytesIO(payload)
    stream.seek(5)
    try:
        record: Record = _read(stream, writer, ours)  # type: ignore[assignment]
    except Exception as error:  # whatever foreign bytes make Avro raise
        raise UndecodableError(
            f"{len(payload)} bytes are not a {kind} of schema {int.from_bytes(frame[1:], 'big')} "
            f"({type(error).__name__}: {_said(error)}): cut short or made by another schema"
        ) from None
    if stream.tell() != len(payload):
        raise UndecodableError(
            f"{len(payload) - stream.tell()} bytes after the end of the {kind}: "
            "made by another schema"
        )
    for name in singles:
        if record[name] is not None:
            record[name] = shortest(record[name])
    return record


def shortest(single: float) -> float:
    """The number that was meant by one of single precision: 4800.1, not 4800.10009765625."""
    return float(str(np.float32(single)))


def _said(error: Exception) -> str:
    """Return its text without the address of our buffer, so that equal faults read alike."""
    return re.sub(r"<_io\.BytesIO object at 0x[0-9a-f]+>", "the message", str(error))[:300]


def schema_id_of(payload: bytes | None) -> int | None:
    """Return the schema id that a message says it was written with; None when it says none."""
    frame = (payload or b"")[:5]
    if len(frame) < 5 or frame[0] != 0 or frame[1] > 0x7F:  # an id has 31 bits
        return None
    return int.from_bytes(frame[1:], "big")


def writer_of(kind: str, frame: bytes, source: SchemaSource) -> tuple[Any, Any, tuple[str, ...]]:
    """Return the schema that messages which begin so were written with, and ours if it differs.

    And the fields of ours that they have in single precision. frame: their first five bytes.
    Raises as decode.
    """
    at = source, kind, frame
    return _PAIRS.get(at) or _PAIRS.setdefault(at, _pair(kind, frame, source))


def _pair(kind: str, frame: bytes, source: SchemaSource) -> tuple[Any, Any, tuple[str, ...]]:
    ours = _ours(KINDS[kind])
    if source is FILES and frame != ours.frame:
        raise UndecodableError(
            f"starts with {frame.hex()}, not {ours.frame.hex()} (zero and the id of schema "
            f"{kind}): check the producer's serializer and topic"
        )
    schema_id = schema_id_of(frame)
    if schema_id is None:
        raise UndecodableError(
            f"starts with {frame.hex()}, not with zero and a schema's id: "
            "check the producer's serializer and topic"
        )
    written = source.writer(schema_id)
    try:
        plain = _without_logical_types(written)
        writer = fastavro.parse_schema(plain)
        same = to_parsing_canonical_form(plain) == ours.canonical
        units = _logical_types(written)
    except Exception as error:  # a schema can be wrong in many ways
        raise UndecodableError(
            f"schema {schema_id} is no Avro ({type(error).__name__}: {str(error)[:300]})"
        ) from None
    if plain.get("name", "").rpartition(".")[2] != ours.name:
        raise UndecodableError(
            f"schema {schema_id} is of {cut(str(plain.get('name', 'no record')))}, not of a "
            f"{kind}: check the producer's topic"
        )
    for name, unit in ours.units.items():
        theirs = units.get(name)
        # Avro's rules would take milliseconds for microseconds
        if theirs and theirs != unit:
            raise UndecodableError(
                f"schema {schema_id} has {name} in {', '.join(sorted(theirs))}, "
                f"ingest/schemas/{kind}.avsc in {', '.join(unit) or 'no logical type'}"
            )
    singles = tuple(
        field["name"]
        for field in plain["fields"]
        if "float" in (field["type"] if isinstance(field["type"], list) else [field["type"]])
        and field["name"] in KINDS[kind].columns
    )
    return writer, None if same else ours.parsed, singles
