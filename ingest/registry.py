from __future__ import annotations
import json
from typing import Any, Protocol
from ingest.errors import UndecodableError
from ingest.codec import SCHEMA_IDS, SCHEMA_DIR


class SchemaSource(Protocol):
    def writer(self, schema_id: int) -> dict[str, Any]: ...


class FileSchemas:
    def __init__(self):
        self._s = {
            n: json.loads((SCHEMA_DIR / f"{k}.avsc").read_text()) for k, n in SCHEMA_IDS.items()
        }

    def writer(self, schema_id):
        try:
            return self._s[schema_id]
        except KeyError:
            raise UndecodableError(f"schema {schema_id}") from None


FILES = FileSchemas()


def schemas(url):
    return FILES
