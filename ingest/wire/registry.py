"""Where Avro schemas come from: this package's files, or a Schema Registry (Confluent's API)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from engine.errors import ConfigError
from ingest.errors import (
    RegistryUnavailableError,
    SchemaRefusedError,
    UndecodableError,
    UnknownSchemaError,
)
from ingest.kinds import KINDS

# A new schema must read what any earlier one wrote, as Kafka keeps old messages. FULL would ask
# old consumers to read new messages too, and so forbid every promotion (int to long).
COMPATIBILITY = "BACKWARD_TRANSITIVE"
NO_SUBJECT, NO_SCHEMA, NO_LEVEL, INCOMPATIBLE = 40401, 40403, 40408, 409
ANSWERS = (NO_SUBJECT, NO_SCHEMA, NO_LEVEL, INCOMPATIBLE)
CLIENT: dict[str, Any] = {
    "timeout": 5.0,
    "max.retries": 1,
    "retries.wait.ms": 100,
}

Answer = TypeVar("Answer")


class SchemaSource(Protocol):
    """Knows the schemas that messages are written with."""

    def id_for(self, kind: str, topic: str) -> int:
        """Return the id that a producer frames messages of schemas/<kind>.avsc with.

        Raises SchemaRefusedError, RegistryUnavailableError.
        """
        ...

    def writer(self, schema_id: int) -> dict[str, Any]:
        """Return the Avro schema that messages with this id were written with.

        Raises UnknownSchemaError, RegistryUnavailableError; UndecodableError when it is not Avro.
        """
        ...


class FileSchemas:
    """The schemas of this package, under ids that never change."""

    def id_for(self, kind: str, topic: str) -> int:  # noqa: ARG002 - the same for every topic
        """Return the kind's schema_id."""
        return KINDS[kind].schema_id

    def writer(self, schema_id: int) -> dict[str, Any]:
        """Return the schema of the kind with this id. Raises UnknownSchemaError for others."""
        for kind in KINDS.values():
            if kind.schema_id == schema_id:
                return kind.schema
        raise UnknownSchemaError(schema_id)


FILES = FileSchemas()


class RegistrySchemas:
    """The schemas of a registry; a topic's are in the subject <topic>-value."""

    def __init__(self, url: str) -> None:
        """url: of the registry's Confluent API, with user:password@ where it asks for them.

        Nothing is asked yet. Raises ConfigError.
        """
        # here, because it takes 0.9 s and most have no registry
        from confluent_kafka.schema_registry import SchemaRegistryClient

        self.address, credentials = _without_credentials(url)
        login = {"basic.auth.user.info": credentials} if credentials else {}
        self._client = SchemaRegistryClient({"url": self.address, **CLIENT, **login})

    def id_for(self, kind: str, topic: str) -> int:
        """Return the id of schemas/<kind>.avsc in the topic's subject; registers it when new.

        A subject without a rule of its own gets COMPATIBILITY first. A schema that was registered
        before keeps its id, also after newer ones: old producers go on beside new ones.
        Raises SchemaRefusedError, RegistryUnavailableError.
        """
        from confluent_kafka.schema_registry import Schema
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        subject, schema = f"{topic}-value", Schema(KINDS[kind].schema_text, "AVRO")
        self._set_compatibility(subject)
        try:
            return int(self._ask(lambda: self._client.register_schema(subject, schema)))
        except SchemaRegistryError as error:
            raise SchemaRefusedError(
                f"the registry at {self.address} refuses ingest/schemas/{kind}.avsc for {subject}: "
                f"{_short(error.error_message)}; make the change one that reads what earlier "
                "schemas wrote (give new fields a default), or write to a new topic"
            ) from None

    def _set_compatibility(self, subject: str) -> None:
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        try:
            level = self._ask(lambda: self._client.get_compatibility(subject))
        except SchemaRegistryError:
            level = "NONE"
        if level == "NONE":  # also what Apicurio calls a subject without a rule
            self._ask(lambda: self._client.set_compatibility(subject, COMPATIBILITY))

    def writer(self, schema_id: int) -> dict[str, Any]:
        """Return the schema of an id; the client remembers it.

        Raises UnknownSchemaError, RegistryUnavailableError; UndecodableError when it is not an
        Avro record.
        """
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        try:
            found = self._ask(lambda: self._client.get_schema(schema_id))
        except SchemaRegistryError:
            raise UnknownSchemaError(schema_id) from None
        schema = json.loads(found.schema_str or "null") if found.schema_type == "AVRO" else None
        if not isinstance(schema, dict):
            raise UndecodableError(
                f"schema {schema_id} of {self.address} is no Avro record but {found.schema_type}: "
                "check the producer's serializer"
            )
        return schema

    def _ask(self, call: Callable[[], Answer]) -> Answer:
        """Return what the registry says; SchemaRegistryError is left only for one of ANSWERS."""
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        try:
            return call()
        except SchemaRegistryError as error:
            if error.error_code in ANSWERS:
                raise
            said = f"HTTP {error.http_status_code}, {_short(error.error_message)}"
        except Exception as error:  # whatever its HTTP client raises
            said = f"{type(error).__name__}: {_short(error)}"
        raise RegistryUnavailableError(
            f"no Schema Registry answers at {self.address} ({said}): check that it runs, that "
            "SCHEMA_REGISTRY_URL ends in the path of its Confluent API, and its user and password"
        ) from None


def schemas(url: str | None) -> SchemaSource:
    """Return the registry's schemas, or without a url the files'. Raises ConfigError."""
    return FILES if url is None else RegistrySchemas(url)


def _short(said: object) -> str:
    return " ".join(str(said).split())[:300]


def _without_credentials(url: str) -> tuple[str, str]:
    """(url without its userinfo, 'user:password' or ''): HTTP clients log the urls they call."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError
    except ValueError:  # its text would show the url, and with it a password
        raise ConfigError(
            "SCHEMA_REGISTRY_URL is not one http:// or https:// address; special characters in "
            "its user and password are written as %XX"
        ) from None
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return address, f"{user}:{password}" if user else ""
