"""The hooks of telemetry/hooks.py with OpenTelemetry, one class for each process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind

from telemetry import metrics
from telemetry.health import Health
from telemetry.hooks import (
    NO_SPAN,
    ApiTelemetry,
    Hooks,
    PublishingHooks,
    PushTelemetry,
    RouterTelemetry,
    Telemetry,
)
from telemetry.latency import Latency
from telemetry.outputs import Attributes, Observe, Outputs
from telemetry.publishing import Publishing
from telemetry.settings import TelemetryConfig

if TYPE_CHECKING:
    from telemetry.hooks import Ages

KAFKA = {"messaging.system": "kafka"}
POSTGRESQL = {"db.system.name": "postgresql"}
SPAN_KINDS: dict[str, tuple[SpanKind, dict[str, str]]] = {
    "batch": (SpanKind.CONSUMER, KAFKA | {"messaging.operation.type": "process"}),
    "write": (SpanKind.CLIENT, POSTGRESQL),
    "push": (SpanKind.INTERNAL, {}),
}
ATTRIBUTES = {
    "messages": "messaging.batch.message_count",
    "topic": "messaging.destination.name",
    "partition": "messaging.destination.partition.id",
}
Values = list[tuple[float, Attributes]]


def _named(attributes: Attributes) -> dict[str, str | float]:
    named = {ATTRIBUTES.get(name, f"ingest.{name}"): value for name, value in attributes.items()}
    if "partition" in attributes:
        named[ATTRIBUTES["partition"]] = str(attributes["partition"])  # the conventions say string
    return named


def _partition(topic: str, partition: int) -> dict[str, str]:
    return {ATTRIBUTES["topic"]: topic, ATTRIBUTES["partition"]: str(partition)}


class _On(Hooks):
    """What the four share: spans, the port and the end."""

    on = True
    _out: Outputs

    def _started(self, outputs: Outputs) -> None:
        self._out = outputs
        self.port = outputs.port

    def span(
        self, name: str, *, since_ns: int | None = None, **attributes: str | float
    ) -> AbstractContextManager[object]:
        if not self._out.traces:
            return NO_SPAN
        kind, fixed = SPAN_KINDS[name]
        return self._out.span(name, kind, {**fixed, **_named(attributes)}, since_ns)

    def close(self) -> None:
        self._out.close()


class _Publishing(_On, PublishingHooks):
    """What three of them share: the database's publishes and jobs."""

    _publishing: Publishing | None = None

    def _gauges(
        self, about: tuple[metrics.Metric, metrics.Metric]
    ) -> dict[metrics.Metric, Observe]:
        age, failing = about
        return {age: self._observe_age, failing: self._observe_failing}

    def publishing(self, url: str) -> None:
        self._publishing = Publishing(url)

    def close(self) -> None:
        if self._publishing is not None:
            self._publishing.close()
        super().close()

    def _observe_age(self) -> Values:
        age_s = self._publishing.age() if self._publishing else None
        return [] if age_s is None else [(age_s, {})]

    def _observe_failing(self) -> Values:
        number = self._publishing.failing() if self._publishing else None
        return [] if number is None else [(number, {})]


class OtelTelemetry(_Publishing, Telemetry):
    """Ingest's."""

    def __init__(
        self, config: TelemetryConfig, group: str, kinds: Iterable[str], reasons: Iterable[str]
    ) -> None:
        """Start the outputs. Raises ConfigError when the endpoint cannot listen.

        group, kinds, reasons: see telemetry.start.ingest.
        """
        super().__init__(Health(config.stall_s, "starting: no partitions assigned yet"))
        self._lags: dict[tuple[str, int], int] = {}
        self._pauses: dict[tuple[str, int], str] = {}
        self._latency = Latency()
        self._group = {"messaging.consumer.group.name": group}
        self._started(
            Outputs(
                config,
                "ingest",
                self.health,
                [metric for metric in metrics.INGEST if metric is not metrics.LATENCY_S],
                {
                    metrics.LAG: self._observe_lags,
                    metrics.PAUSED: self._observe_pauses,
                    **self._gauges(metrics.INGEST_PUBLISHING),
                },
                self._latency,
            )
        )
        # a counter that appears with its first value hides that value from rate()
        for kind in kinds:
            self._out.add(metrics.ROWS, 0, {"ingest.kind": kind})
        for what in ("database", "kafka", "registry"):
            self._out.add(metrics.RETRIES, 0, {"ingest.target": what})
        for reason in reasons:
            self._out.add(metrics.DEAD_LETTERS, 0, {"error.type": reason})
        self._out.add(metrics.BATCHES, 0)
        self._out.add(metrics.DUPLICATES, 0)
        self._out.add(metrics.WAITING, 0)

    def _observe_lags(self) -> Values:
        return [(behind, _partition(*at)) for at, behind in list(self._lags.items())]

    def _observe_pauses(self) -> Values:
        return [
            (1, {**_partition(*at), "ingest.pause.reason": reason})
            for at, reason in list(self._pauses.items())
        ]

    def batch(  # noqa: D102
        self,
        kind_rows: Mapping[str, int],
        duplicates: int,
        dead_letters: Mapping[str, int],
        bytes_: int,
        seconds: float,
        event_ages: Ages = (),
        waiting: int = 0,
    ) -> None:
        for kind, number in kind_rows.items():
            self._out.add(metrics.ROWS, number, {"ingest.kind": kind})
        for reason, number in dead_letters.items():
            self._out.add(metrics.DEAD_LETTERS, number, {"error.type": str(reason)})
        process = KAFKA | self._group | {"messaging.operation.name": "batch"}
        messages = sum(kind_rows.values()) + duplicates + sum(dead_letters.values()) + waiting
        self._out.add(metrics.MESSAGES, messages, process)
        self._out.record(metrics.BATCH_S, seconds, process)
        self._out.add(metrics.BATCHES, 1)
        self._out.add(metrics.DUPLICATES, duplicates)
        self._out.add(metrics.WAITING, waiting)
        self._out.add(metrics.BYTES, bytes_)
        self._latency.record(event_ages)

    def lag(self, topic: str, partition: int, messages_behind: int) -> None:  # noqa: D102
        self._lags[topic, partition] = messages_behind

    def revoked(self, topic: str, partition: int) -> None:  # noqa: D102
        self._lags.pop((topic, partition), None)
        self._pauses.pop((topic, partition), None)

    def retry(self, what: str) -> None:  # noqa: D102
        self._out.add(metrics.RETRIES, 1, {"ingest.target": what})

    def paused(self, topic: str, partition: int, reason: str) -> None:  # noqa: D102
        self._pauses[topic, partition] = reason

    def resumed(self, topic: str, partition: int) -> None:  # noqa: D102
        self._pauses.pop((topic, partition), None)

    def span(  # noqa: D102
        self, name: str, *, since_ns: int | None = None, **attributes: str | float
    ) -> AbstractContextManager[object]:
        if not self._out.traces:
            return NO_SPAN
        kind, fixed = SPAN_KINDS[name]
        if kind is SpanKind.CONSUMER:
            fixed = fixed | self._group | {"messaging.operation.name": name}
        return self._out.span(name, kind, {**fixed, **_named(attributes)}, since_ns)


class OtelPush(_On, PushTelemetry):
    """The push's."""

    def __init__(self, config: TelemetryConfig) -> None:
        """Start the outputs. Raises ConfigError when the endpoint cannot listen."""
        super().__init__(Health(config.stall_s))
        self._published_at: float | None = None
        self._lag_s: float | None = None
        self._set_aside: int | None = None
        self._started(
            Outputs(
                config,
                "feature_push",
                self.health,
                metrics.PUSH,
                {
                    metrics.PUSH_LAG: self._observe_lag,
                    metrics.PUBLISH_AGE: self._observe_age,
                    metrics.SET_ASIDE: self._observe_set_aside,
                },
            )
        )
        for counter in (metrics.PUSH_SERIES, metrics.PUSH_ROWS, metrics.PUSH_FAILURES):
            self._out.add(counter, 0)

    def _observe_lag(self) -> Values:
        return [] if self._lag_s is None else [(self._lag_s, {})]

    def _observe_age(self) -> Values:
        at = self._published_at
        return [] if at is None else [(max(0.0, time.time() - at), {})]

    def _observe_set_aside(self) -> Values:
        return [] if self._set_aside is None else [(self._set_aside, {})]

    def pushed(  # noqa: D102
        self, series: int, rows: int, seconds: float, published_at: float | None
    ) -> None:
        self._out.add(metrics.PUSH_SERIES, series)
        self._out.add(metrics.PUSH_ROWS, rows)
        self._out.record(metrics.PUSH_S, seconds)
        if published_at is not None and published_at != self._published_at:
            self._published_at = published_at
            self._lag_s = max(0.0, time.time() - published_at)

    def failed(self) -> None:  # noqa: D102
        self._out.add(metrics.PUSH_FAILURES, 1)

    def set_aside(self, series: int) -> None:  # noqa: D102
        self._set_aside = series


class OtelApi(_Publishing, ApiTelemetry):
    """The feature API's."""

    def __init__(self, config: TelemetryConfig) -> None:
        """Start the outputs. Raises ConfigError when the endpoint cannot listen."""
        super().__init__(Health(config.stall_s))
        self._waiting: Callable[[], int] = lambda: 0
        self._started(
            Outputs(
                config,
                "feature_api",
                self.health,
                metrics.API,
                {
                    metrics.LOG_WAITING: lambda: [(self._waiting(), {})],
                    **self._gauges(metrics.API_PUBLISHING),
                },
            )
        )
        self._out.add(metrics.ENTITIES, 0)

    def watch(self, waiting: Callable[[], int]) -> None:  # noqa: D102
        self._waiting = waiting

    def request(self, route: str, status: int, seconds: float) -> None:  # noqa: D102
        self._out.add(metrics.REQUESTS, 1, {"route": route, "status": str(status)})
        self._out.record(metrics.REQUEST_S, seconds, {"route": route})

    def answered(self, rows: int) -> None:  # noqa: D102
        self._out.add(metrics.ENTITIES, rows)

    def rejected(self, reason: str) -> None:  # noqa: D102
        self._out.add(metrics.REJECTED, 1, {"reason": reason})


class OtelRouter(_Publishing, RouterTelemetry):
    """The model router's."""

    def __init__(self, config: TelemetryConfig) -> None:
        """Start the outputs. Raises ConfigError when the endpoint cannot listen."""
        super().__init__(Health(config.stall_s))
        self._waiting: Callable[[], int] = lambda: 0
        self._mirroring: Callable[[], int] = lambda: 0
        self._started(
            Outputs(
                config,
                "model_router",
                self.health,
                metrics.ROUTER,
                {
                    metrics.PREDICTIONS_WAITING: lambda: [(self._waiting(), {})],
                    metrics.MIRRORING: lambda: [(self._mirroring(), {})],
                    **self._gauges(metrics.ROUTER_PUBLISHING),
                },
            )
        )
        for counter in (metrics.UNSCORED, metrics.LOST):
            self._out.add(counter, 0)

    def watch(  # noqa: D102
        self, waiting: Callable[[], int], mirroring: Callable[[], int]
    ) -> None:
        self._waiting, self._mirroring = waiting, mirroring

    def request(self, route: str, status: int, seconds: float) -> None:  # noqa: D102
        self._out.add(metrics.ROUTER_REQUESTS, 1, {"route": route, "status": str(status)})
        self._out.record(metrics.ROUTER_REQUEST_S, seconds, {"route": route})

    def rejected(self, reason: str) -> None:  # noqa: D102
        self._out.add(metrics.ROUTER_REJECTED, 1, {"reason": reason})

    def predicted(  # noqa: D102
        self, model: str, version: int, route: str, rows: int
    ) -> None:
        of = {"model": model, "version": str(version), "route": route}
        self._out.add(metrics.PREDICTIONS, rows, of)

    def unscored(self, rows: int) -> None:  # noqa: D102
        self._out.add(metrics.UNSCORED, rows)

    def failed(self, model: str, version: int, role: str) -> None:  # noqa: D102
        of = {"model": model, "version": str(version), "role": role}
        self._out.add(metrics.MODEL_FAILURES, 1, of)

    def mirrored(self, model: str, version: int, rows: int) -> None:  # noqa: D102
        self._out.add(metrics.MIRRORED, rows, {"model": model, "version": str(version)})

    def dropped(self, model: str, rows: int) -> None:  # noqa: D102
        self._out.add(metrics.DROPPED, rows, {"model": model})

    def withdrawn(self, model: str, version: int) -> None:  # noqa: D102
        self._out.add(metrics.WITHDRAWN, 1, {"model": model, "version": str(version)})

    def lost(self, rows: int) -> None:  # noqa: D102
        self._out.add(metrics.LOST, rows)
