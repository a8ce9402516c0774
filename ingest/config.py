"""Settings of ingest, all from the environment: docs/ingest.md has the table of them.

Reading them starts nothing: what is not given, `python -m ingest` looks up and adds beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any
from urllib.parse import quote

from engine.errors import ConfigError
from engine.settings import Env, number, text
from ingest.kinds import KINDS


@dataclass(frozen=True, kw_only=True)
class StreamConfig:
    """What everyone needs who reads or writes the topics; docs/ingest.md has the meanings."""

    kafka_bootstrap: str
    topics: Mapping[str, str] = field(
        default_factory=lambda: {kind.name: kind.topic for kind in KINDS.values()}
    )
    partitions: int = 4
    future_tolerance_s: float = 5.0
    retry_s: float = 600.0
    schema_registry_url: str | None = field(default=None, repr=False)  # may hold a password

    @classmethod
    def from_env(cls, env: Env) -> StreamConfig:
        """Read a mapping; starts nothing. Raises ConfigError naming the variable and the remedy."""
        return cls(**_stream(env))


@dataclass(frozen=True, kw_only=True)
class Config(StreamConfig):
    """What one ingester needs to know; docs/ingest.md has the meanings and units."""

    database_url: str = field(repr=False)  # may hold a password
    kafka_group: str = "ingest"
    batch_size: int = 10_000
    linger_s: float = 0.1
    poison_ratio: float = 1.0
    poison_run: int = 1000

    @classmethod
    def from_env(cls, env: Env) -> Config:
        """Read a mapping; starts nothing. Raises ConfigError naming the variable and the remedy."""
        return cls(
            **_stream(env),
            kafka_group=text(env, "KAFKA_GROUP", cls.kafka_group),
            batch_size=number(env, "BATCH_SIZE", cls.batch_size, 1),
            linger_s=number(env, "LINGER_S", cls.linger_s, 0.01),
            poison_ratio=number(env, "POISON_RATIO", cls.poison_ratio, 0.01),
            poison_run=number(env, "POISON_RUN", cls.poison_run, 1),
            database_url=_given(
                env, "DATABASE_URL", "no database: set DATABASE_URL, or start one with make up"
            ),
        )


def _stream(env: Env) -> dict[str, Any]:
    tolerance_s = StreamConfig.future_tolerance_s
    return {
        "topics": _topics(env),
        "partitions": number(env, "TOPIC_PARTITIONS", StreamConfig.partitions, 1),
        "future_tolerance_s": number(env, "FUTURE_TOLERANCE_S", tolerance_s, 0),
        "retry_s": number(env, "RETRY_S", StreamConfig.retry_s, 0),
        "schema_registry_url": _registry_url(env),
        "kafka_bootstrap": _given(
            env,
            "KAFKA_BOOTSTRAP",
            "no Kafka broker: start the embedded one with make up, or set KAFKA_BOOTSTRAP to "
            "host:port of one that runs",
        ),
    }


def _topics(env: Env) -> dict[str, str]:
    topics = {kind.name: text(env, kind.setting, kind.topic) for kind in KINDS.values()}
    for one, other in combinations(KINDS.values(), 2):
        if topics[one.name] == topics[other.name]:
            raise ConfigError(
                f"{one.setting} and {other.setting} are both {topics[one.name]!r}: "
                "choose two topics"
            )
    return topics


def _given(env: Env, name: str, otherwise: str) -> str:
    found = text(env, name)
    if not found:
        raise ConfigError(otherwise)
    return found


def _registry_url(env: Env) -> str | None:
    """The registry's URL, with the user and password in it."""
    scheme, found, rest = text(env, "SCHEMA_REGISTRY_URL").partition("://")
    user, password = text(env, "SCHEMA_REGISTRY_USER"), text(env, "SCHEMA_REGISTRY_PASSWORD")
    if user and found and "@" not in rest:
        rest = f"{quote(user, safe='')}:{quote(password, safe='')}@{rest}"
    return f"{scheme}{found}{rest}" or None
