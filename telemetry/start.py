"""Start a process's telemetry: the hooks that are off, or those with the outputs asked for.

telemetry/otel.py costs time and memory, and is imported only when an output is on.
"""

from __future__ import annotations

from collections.abc import Iterable

from telemetry.hooks import ApiTelemetry, PushTelemetry, RouterTelemetry, Telemetry
from telemetry.settings import TelemetryConfig


def ingest(
    config: TelemetryConfig,
    group: str = "ingest",
    kinds: Iterable[str] = (),
    reasons: Iterable[str] = (),
) -> Telemetry:
    """Start ingest's outputs. Raises ConfigError when the endpoint cannot listen.

    group: the consumer group, an attribute of messaging.* metrics and spans. kinds, reasons: of
    ticks, and for which messages are refused: each has a series from the start.
    """
    if not config.on:
        return Telemetry()
    from telemetry.otel import OtelTelemetry

    return OtelTelemetry(config, group, kinds, reasons)


def push(config: TelemetryConfig) -> PushTelemetry:
    """Start the push's outputs. Raises ConfigError when the endpoint cannot listen."""
    if not config.on:
        return PushTelemetry()
    from telemetry.otel import OtelPush

    return OtelPush(config)


def api(config: TelemetryConfig) -> ApiTelemetry:
    """Start the feature API's outputs. Raises ConfigError when the endpoint cannot listen."""
    if not config.on:
        return ApiTelemetry()
    from telemetry.otel import OtelApi

    return OtelApi(config)


def router(config: TelemetryConfig) -> RouterTelemetry:
    """Start the model router's outputs. Raises ConfigError when the endpoint cannot listen."""
    if not config.on:
        return RouterTelemetry()
    from telemetry.otel import OtelRouter

    return OtelRouter(config)
