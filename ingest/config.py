"""Settings of ingest, all from the environment: docs/ingest.md has the table of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from ingest.errors import ConfigError


def _number(env: Mapping[str, str], name: str, default: Any, least: float) -> Any:
    text = env.get(name, str(default))
    try:
        value = type(default)(text)
    except ValueError:
        value = None
    if value is None or not least <= value < float("inf"):
        raise ConfigError(f"{name}={text!r}: set it to a number of at least {least:g}")
    return value


def _database_url() -> str:
    from engine import resolve

    return resolve.start().url


def _bootstrap() -> str:
    from embedded import broker

    running = broker.status()
    if running is None:
        raise ConfigError(
            "no Kafka broker: start the embedded one with `python -m embedded.broker start`, or "
            "set KAFKA_BOOTSTRAP to host:port of one that runs"
        )
    return running.bootstrap


def _registry_url(env: Mapping[str, str]) -> str | None:
    """The registry's URL, with the user and password in it."""
    scheme, found, rest = env.get("SCHEMA_REGISTRY_URL", "").partition("://")
    user, password = env.get("SCHEMA_REGISTRY_USER"), env.get("SCHEMA_REGISTRY_PASSWORD", "")
    if user and found and "@" not in rest:
        rest = f"{quote(user, safe='')}:{quote(password, safe='')}@{rest}"
    return f"{scheme}{found}{rest}" or None


@dataclass(frozen=True)
class Config:
    """What one ingester needs to know; docs/ingest.md has the meanings and units."""

    database_url: str = field(repr=False)  # may hold a password
    kafka_bootstrap: str
    kafka_group: str = "ingest"
    trade_topic: str = "trades"
    quote_topic: str = "quotes"
    partitions: int = 4
    batch_size: int = 10_000
    linger_s: float = 0.1
    future_tolerance_s: float = 5.0
    retry_s: float = 600.0
    poison_ratio: float = 0.9
    poison_run: int = 1000
    schema_registry_url: str | None = field(default=None, repr=False)  # the same

    @property
    def topics(self) -> dict[str, str]:
        """Topic of each kind: {'trade': ..., 'quote': ...}."""
        return {"trade": self.trade_topic, "quote": self.quote_topic}

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Config:
        """Read the environment. Raises ConfigError naming the variable and what it may be."""
        trade = env.get("TRADE_TOPIC", cls.trade_topic)
        quote = env.get("QUOTE_TOPIC", cls.quote_topic)
        if trade == quote:
            raise ConfigError(f"TRADE_TOPIC and QUOTE_TOPIC are both {trade!r}: choose two topics")
        return cls(
            kafka_group=env.get("KAFKA_GROUP", cls.kafka_group),
            trade_topic=trade,
            quote_topic=quote,
            partitions=_number(env, "TOPIC_PARTITIONS", cls.partitions, 1),
            batch_size=_number(env, "BATCH_SIZE", cls.batch_size, 1),
            linger_s=_number(env, "LINGER_S", cls.linger_s, 0.01),
            future_tolerance_s=_number(env, "FUTURE_TOLERANCE_S", cls.future_tolerance_s, 0),
            retry_s=_number(env, "RETRY_S", cls.retry_s, 0),
            poison_ratio=_number(env, "POISON_RATIO", cls.poison_ratio, 0.01),
            poison_run=_number(env, "POISON_RUN", cls.poison_run, 1),
            schema_registry_url=_registry_url(env),
            kafka_bootstrap=env.get("KAFKA_BOOTSTRAP") or _bootstrap(),
            database_url=env.get("DATABASE_URL") or _database_url(),
        )
