"""Errors of the ingest package. Every message names the input and the remedy.

IngestError
├── UndecodableError           bytes that are not a message of this project
├── UnencodableError           a record that does not fit its Avro schema
├── SchemaRefusedError         the registry holds schemas that ours cannot follow
├── SchemaUnavailableError     a message's schema cannot be had now: try again later
│   ├── UnknownSchemaError         the registry has no schema of this id
│   └── RegistryUnavailableError   no registry answers, or it refuses the work
├── KafkaUnavailableError      no broker answers, or it refuses a topic
├── DeliveryError              the broker did not take every message
├── OffsetLostError            the broker no longer has the messages that come next
├── DatabaseUnavailableError   the database cannot be reached or refuses the work
├── FencedError                another consumer has taken over the partitions
├── PoisonedStreamError        nothing can be read in a partition
└── StoppedError               asked to stop in the middle of a batch
"""

from embedded.errors import UserError


class IngestError(UserError):
    """Base of everything this package raises on purpose."""


class UndecodableError(IngestError):
    """Bytes that are not a message of this project; its text is the reason."""


class UnencodableError(IngestError):
    """A record that does not fit its Avro schema."""


class SchemaRefusedError(IngestError):
    """The registry holds schemas that ours cannot follow, as it could not read their messages."""


class SchemaUnavailableError(IngestError):
    """A message's schema cannot be had now, which says nothing about the message: try again."""


class UnknownSchemaError(SchemaUnavailableError):
    """The registry has no schema of this id, maybe not yet: registries replicate."""

    def __init__(self, schema_id: int) -> None:
        """schema_id: as in the message's frame."""
        self.schema_id = schema_id
        super().__init__(
            f"no schema has the id {schema_id}: check that SCHEMA_REGISTRY_URL is the registry "
            "that the producer uses"
        )


class RegistryUnavailableError(SchemaUnavailableError):
    """No Schema Registry answers at the address, or it refuses the work."""


class KafkaUnavailableError(IngestError):
    """No broker answers at the address, or it refuses a topic."""

    @classmethod
    def at(cls, bootstrap: str, said: object) -> "KafkaUnavailableError":
        """Build the error for one address; said: the client's own words."""
        return cls(
            f"no Kafka broker answers at {bootstrap} ({said}): start the embedded one with "
            "make up, or set KAFKA_BOOTSTRAP to one that runs"
        )


class DeliveryError(IngestError):
    """The broker did not take every message."""


class OffsetLostError(IngestError):
    """The broker no longer has the messages that come next."""


class DatabaseUnavailableError(IngestError):
    """The database cannot be reached or refuses the work."""


class FencedError(IngestError):
    """Another consumer has taken over the partitions; this one's work was rolled back."""


class PoisonedStreamError(IngestError):
    """Nothing can be read in a partition: the producer is wrong, not single messages."""


class StoppedError(IngestError):
    """Asked to stop in the middle of a batch, which was rolled back."""
