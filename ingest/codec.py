"""Messages on the wire: Avro after Confluent's five bytes (zero, then the schema's id)."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro

from ingest.errors import UndecodableError, UnencodableError

Record = dict[str, Any]

SCHEMA_DIR = Path(__file__).resolve().parent / "schemas"
SCHEMA_IDS = {"trade": 1, "quote": 2}
KINDS = tuple(SCHEMA_IDS)


def _without_logical_types(schema: Any) -> Any:
    """The same bytes on the wire, but times stay integers: no datetime for each tick."""
    if isinstance(schema, dict):
        return {k: _without_logical_types(v) for k, v in schema.items() if k != "logicalType"}
    if isinstance(schema, list):
        return [_without_logical_types(part) for part in schema]
    return schema


def _load(kind: str) -> Any:
    schema = json.loads((SCHEMA_DIR / f"{kind}.avsc").read_text())
    return fastavro.parse_schema(_without_logical_types(schema))


_SCHEMAS = {kind: _load(kind) for kind in KINDS}
_FRAMES = {kind: b"\0" + number.to_bytes(4, "big") for kind, number in SCHEMA_IDS.items()}


def encode(kind: str, record: Record) -> bytes:
    """Return the message for a record of schemas/<kind>.avsc; times in microseconds since 1970.

    kind: trade or quote. Fields with a default may be absent. Raises UnencodableError.
    """
    out = BytesIO()
    out.write(_FRAMES[kind])
    try:
        fastavro.schemaless_writer(out, _SCHEMAS[kind], record)
    except (TypeError, ValueError, KeyError, OverflowError, AttributeError) as error:
        raise UnencodableError(
            f"{record} is not a {kind}: {error}; see ingest/schemas/{kind}.avsc"
        ) from None
    return out.getvalue()


def decode(kind: str, payload: bytes | None) -> Record:
    """Return the record of a message, all fields present, times in microseconds since 1970.

    Raises UndecodableError with the reason for bytes that encode did not make.
    """
    if not payload:
        raise UndecodableError(f"empty message: send a {kind} in Avro")
    frame = _FRAMES[kind]
    if payload[:5] != frame:
        raise UndecodableError(
            f"starts with {payload[:5].hex()}, not {frame.hex()} (zero and the id of schema "
            f"{kind}): check the producer's serializer and topic"
        )
    source = BytesIO(payload)
    source.seek(5)
    try:
        record: Record = fastavro.schemaless_reader(source, _SCHEMAS[kind], None)  # type: ignore[assignment]
    except Exception as error:  # whatever foreign bytes make Avro raise
        raise UndecodableError(
            f"{len(payload)} bytes are not a {kind} of schema {SCHEMA_IDS[kind]} "
            f"({type(error).__name__}: {error}): cut short or made by another schema"
        ) from None
    if source.tell() != len(payload):
        raise UndecodableError(
            f"{len(payload) - source.tell()} bytes after the end of the {kind}: "
            "made by another schema"
        )
    return record
