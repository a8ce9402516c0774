"""Errors of the ingest package. Every message names the input and the remedy.

IngestError
├── ConfigError                a setting has a value that cannot be used
├── UndecodableError           bytes that are not a message of this project
├── UnencodableError           a record that does not fit its Avro schema
├── KafkaUnavailableError      no broker answers, or it refuses a topic
├── DeliveryError              the broker did not take every message
├── OffsetLostError            the broker no longer has the messages that come next
├── DatabaseUnavailableError   the database cannot be reached or refuses the work
├── FencedError                another consumer has taken over the partitions
├── PoisonedStreamError        nearly all messages of a topic are refused
├── SchemaUnavailableError     the schema of a message cannot be had now
└── StoppedError               asked to stop in the middle of a batch
"""


class IngestError(Exception):
    """Base of everything this package raises on purpose."""


class ConfigError(IngestError):
    """A setting has a value that cannot be used."""


class UndecodableError(IngestError):
    """Bytes that are not a message of this project; its text is the reason."""


class UnencodableError(IngestError):
    """A record that does not fit its Avro schema."""


class KafkaUnavailableError(IngestError):
    """No broker answers at the address, or it refuses a topic."""

    @classmethod
    def at(cls, bootstrap: str, said: object) -> "KafkaUnavailableError":
        """Build the error for one address; said: the client's own words."""
        return cls(
            f"no Kafka broker answers at {bootstrap} ({said}): start the embedded one with "
            "`python -m embedded.broker start`, or set KAFKA_BOOTSTRAP to one that runs"
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
    """Nearly all messages of a topic are refused: the producer is wrong, not single messages."""


class SchemaUnavailableError(IngestError):
    """The schema of a message cannot be had now; later it may be there."""


class StoppedError(IngestError):
    """Asked to stop in the middle of a batch, which was rolled back."""
