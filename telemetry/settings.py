"""Which outputs are on: the same variables for every process, docs/telemetry.md has the table."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from engine.errors import ConfigError
from engine.settings import Env, number, text
from telemetry.health import STALL_S

PROTOCOL = "http/protobuf"


@dataclass(frozen=True)
class TelemetryConfig:
    """Which outputs are on; docs/telemetry.md has the meanings and units."""

    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"
    stall_s: float = STALL_S
    otlp_endpoint: str | None = None
    service_name: str = "unknown_service"  # OpenTelemetry's own default

    @property
    def on(self) -> bool:
        """Whether there is any output."""
        return self.metrics_port is not None or self.otlp_endpoint is not None

    @classmethod
    def from_env(
        cls, env: Env, *, service_name: str, metrics_port: int | None = None
    ) -> TelemetryConfig:
        """Read a mapping. Raises ConfigError naming the variable and what it may be.

        service_name, metrics_port: of this process, where the environment does not say.
        """
        port = (
            number(env, "METRICS_PORT", -1, 0, 65_535, what="a port (0 for any free one)")
            if text(env, "METRICS_PORT")
            else metrics_port
        )
        return cls(
            metrics_port=port,
            metrics_host=text(env, "METRICS_HOST", cls.metrics_host),
            stall_s=number(env, "HEALTH_STALL_S", cls.stall_s, 1),
            otlp_endpoint=_endpoint(env),
            service_name=text(env, "OTEL_SERVICE_NAME", service_name),
        )


def _endpoint(env: Env) -> str | None:
    url = text(env, "OTEL_EXPORTER_OTLP_ENDPOINT")
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
    protocol = text(env, "OTEL_EXPORTER_OTLP_PROTOCOL", PROTOCOL)
    if protocol != PROTOCOL:
        raise ConfigError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol!r}: only {PROTOCOL} is spoken here; set it to "
            "that, and the endpoint to the collector's OTLP/HTTP port (4318 by default)"
        )
    return url.rstrip("/")
