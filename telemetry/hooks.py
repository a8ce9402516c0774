"""What operators see of ingest: metrics, traces and health. Off unless asked for, free when off.

docs/ingest.md has the settings. This module needs nothing beyond the standard library:
telemetry/otel.py holds what costs time and memory, and is imported only when an output is on.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ingest.errors import ConfigError
from telemetry.health import STALL_S, Health

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ages = Sequence[float] | npt.NDArray[np.float64]

PROTOCOL = "http/protobuf"


@dataclass(frozen=True)
class TelemetryConfig:
    """Which outputs are on; docs/ingest.md has the meanings and units."""

    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"
    stall_s: float = STALL_S
    otlp_endpoint: str | None = None
    service_name: str = "ingest"

    @property
    def on(self) -> bool:
        """Whether there is any output."""
        return self.metrics_port is not None or self.otlp_endpoint is not None

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> TelemetryConfig:
        """Read the environment. Raises ConfigError naming the variable and what it may be."""
        return cls(
            metrics_port=_port(env),
            metrics_host=env.get("METRICS_HOST") or cls.metrics_host,
            stall_s=_stall_s(env),
            otlp_endpoint=_endpoint(env),
            service_name=env.get("OTEL_SERVICE_NAME") or cls.service_name,
        )


def _port(env: Mapping[str, str]) -> int | None:
    text = env.get("METRICS_PORT", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text) <= 65_535):
        raise ConfigError(f"METRICS_PORT={text!r}: set it to a port from 1 to 65535, or 0 for any")
    return int(text)


def _stall_s(env: Mapping[str, str]) -> float:
    text = env.get("HEALTH_STALL_S") or str(STALL_S)
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value < float("inf"):
        raise ConfigError(f"HEALTH_STALL_S={text!r}: set it to a number of at least 1")
    return value


def _endpoint(env: Mapping[str, str]) -> str | None:
    url = env.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    if not url:
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT={url!r}: set it to the base URL of an OTLP/HTTP "
            "collector, for example http://localhost:4318"
        )
    protocol = env.get("OTEL_EXPORTER_OTLP_PROTOCOL") or PROTOCOL
    if protocol != PROTOCOL:
        raise ConfigError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol!r}: only {PROTOCOL} is spoken here; set it to "
            "that, and the endpoint to the collector's OTLP/HTTP port (4318 by default)"
        )
    return url.rstrip("/")


class Span:
    """A piece of work in a trace; this one records nothing."""

    def set(self, **attributes: str | float) -> None:
        """Add attributes that are known only at the end; names as for Telemetry.span."""

    def __enter__(self) -> Span:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the span; an exception marks it as failed and goes on."""


NO_SPAN = Span()


class Telemetry:
    """The hooks that ingest calls. This class is the one that is off: they do nothing.

    No hook raises, blocks on the network or changes what is ingested. They are called by one
    thread, the main loop's.
    """

    on = False
    port: int | None = None

    def __init__(self, health: Health | None = None) -> None:
        """health: what the main loop tells of itself; its methods are hooks too."""
        self.health = health or Health()

    @staticmethod
    def from_config(config: TelemetryConfig, group: str = "ingest") -> Telemetry:
        """Start the outputs that the configuration asks for; none: return the one that is off.

        group: the consumer group, an attribute of messaging.* metrics and spans.
        Raises ConfigError when the endpoint cannot listen.
        """
        if not config.on:
            return Telemetry()
        from telemetry.otel import OtelTelemetry

        return OtelTelemetry(config, group)

    def batch(
        self,
        kind_rows: Mapping[str, int],
        duplicates: int,
        dead_letters: Mapping[str, int],
        bytes_: int,
        seconds: float,
        event_ages: Ages = (),
    ) -> None:
        """Count a batch; call it after its commit.

        kind_rows: rows applied, by kind; duplicates: messages stored before; dead_letters: messages
        refused, by reason; the three together are the batch's messages. bytes_: size of their
        values. seconds: from the first message at hand to the commit. event_ages: time of commit
        minus ts of each row applied, in seconds, finite; a ts ahead of the clock counts as 0.
        Making the ages costs time: make them only when `on`.
        """

    def lag(self, topic: str, partition: int, messages_behind: int) -> None:
        """Set how many messages of the partition are not committed to the database yet."""

    def revoked(self, topic: str, partition: int) -> None:
        """Forget the partition's lag and pause: another consumer reports them from now on."""

    def retry(self, what: str) -> None:
        """Count one more attempt after a failure of what: database, kafka or registry."""

    def paused(self, topic: str, partition: int, reason: str) -> None:
        """Show the partition as not consumed for now; reason: one of a few fixed words."""

    def resumed(self, topic: str, partition: int) -> None:
        """Show the partition as consumed again."""

    def span(
        self,
        name: str,  # noqa: ARG002 - the off one
        *,
        since_ns: int | None = None,  # noqa: ARG002
        **attributes: str | float,  # noqa: ARG002
    ) -> Span:
        """Open a span: `with telemetry.span("write", kind="trade", rows=10):`; spans nest.

        name: batch, consume, decode, write or commit. since_ns: when it began, in nanoseconds since
        1970, if before now: so a poll that brought nothing needs no span. attributes: messages,
        topic and partition get their names of the conventions, any other becomes ingest.<name>.
        """
        return NO_SPAN

    def close(self) -> None:
        """Push what is left and stop the endpoint; takes 2 seconds at most."""
