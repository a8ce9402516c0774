"""The hooks of telemetry with OpenTelemetry: the list of all metrics, and their outputs.

Names follow the semantic conventions (messaging.*, error.type) where there are any. In Prometheus
dots become underscores, and units and _total are appended: ingest_rows_total.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

from ingest.validate import Reason
from telemetry.endpoint import Endpoint, Registry
from telemetry.health import Health
from telemetry.hooks import NO_SPAN, Span, Telemetry, TelemetryConfig
from telemetry.latency import Latency, OtlpReader, PrometheusReader

if TYPE_CHECKING:
    from telemetry.hooks import Ages

log = logging.getLogger("ingest.telemetry")

FLUSH_S = 1.5  # leaves half a second of the two that close may take
SCOPE = "ingest"
BATCH_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60)

KAFKA = {"messaging.system": "kafka"}
POSTGRESQL = {"db.system.name": "postgresql"}
SPAN_KINDS: dict[str, tuple[SpanKind, dict[str, str]]] = {
    "consume": (SpanKind.CLIENT, KAFKA | {"messaging.operation.type": "receive"}),
    "batch": (SpanKind.CONSUMER, KAFKA | {"messaging.operation.type": "process"}),
    "write": (SpanKind.CLIENT, POSTGRESQL),
    "commit": (SpanKind.CLIENT, POSTGRESQL),
}
ATTRIBUTES = {
    "messages": "messaging.batch.message_count",
    "topic": "messaging.destination.name",
    "partition": "messaging.destination.partition.id",
}


class _OtelSpan(Span):
    """A span that becomes the current one between enter and exit."""

    def __init__(self, span: AbstractContextManager[trace.Span]) -> None:
        self._manager = span
        self._span: trace.Span = trace.INVALID_SPAN

    def set(self, **attributes: str | float) -> None:
        self._span.set_attributes(_named(attributes))

    def __enter__(self) -> Span:
        self._span = self._manager.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._manager.__exit__(kind, error, trace)


def _named(attributes: Mapping[str, str | float]) -> dict[str, str | float]:
    named = {ATTRIBUTES.get(name, f"ingest.{name}"): value for name, value in attributes.items()}
    if "partition" in attributes:
        named[ATTRIBUTES["partition"]] = str(attributes["partition"])  # the conventions say string
    return named


def _partition(topic: str, partition: int) -> dict[str, str]:
    return {ATTRIBUTES["topic"]: topic, ATTRIBUTES["partition"]: str(partition)}


class OtelTelemetry(Telemetry):
    """The hooks, with the outputs that the configuration asks for."""

    on = True

    def __init__(self, config: TelemetryConfig, group: str) -> None:
        """Start the outputs. Raises ConfigError when the endpoint cannot listen."""
        super().__init__(Health(config.stall_s))
        self._lags: dict[tuple[str, int], int] = {}
        self._pauses: dict[tuple[str, int], str] = {}
        self._latency = Latency()
        self._group = {"messaging.consumer.group.name": group}
        self._endpoint: Endpoint | None = None
        self._tracer: trace.Tracer | None = None
        self._closers: list[Callable[[], object]] = []
        # without an id of its own, what two ingesters push would be one series that jumps
        resource = Resource.create(
            {"service.name": config.service_name, "service.instance.id": str(uuid.uuid4())}
        )
        readers: list[MetricReader] = []
        if config.metrics_port is not None:
            registry = Registry()
            self._endpoint = Endpoint(
                config.metrics_host, config.metrics_port, registry, self.health
            )
            self.port = self._endpoint.port
            readers.append(PrometheusReader(registry, self._latency))
        if config.otlp_endpoint is not None:
            readers.append(OtlpReader(config.otlp_endpoint, self._latency))
            traces = TracerProvider(resource=resource, shutdown_on_exit=False)
            traces.add_span_processor(
                BatchSpanProcessor(OTLPSpanExporter(config.otlp_endpoint + "/v1/traces"))
            )
            self._tracer = traces.get_tracer(SCOPE)
            self._closers.append(traces.shutdown)
        metrics = MeterProvider(readers, resource, shutdown_on_exit=False)
        self._closers.append(metrics.shutdown)
        self._instruments(metrics)

    def _instruments(self, provider: MeterProvider) -> None:
        meter = provider.get_meter(SCOPE)
        self._messages = meter.create_counter(
            "messaging.client.consumed.messages",
            unit="{message}",
            description="Messages taken from Kafka and committed: applied, duplicate or refused.",
        )
        self._seconds = meter.create_histogram(
            "messaging.process.duration",
            unit="s",
            description="Time of a batch, from its first message at hand to the commit.",
            explicit_bucket_boundaries_advisory=BATCH_BOUNDS_S,
        )
        self._batches = meter.create_counter(
            "ingest.batches", unit="{batch}", description="Batches committed."
        )
        self._rows = meter.create_counter(
            "ingest.rows", unit="{row}", description="Rows applied, by kind."
        )
        self._bytes = meter.create_counter(
            "ingest.consumed", unit="By", description="Size of the values of messages committed."
        )
        self._duplicates = meter.create_counter(
            "ingest.duplicates",
            unit="{message}",
            description="Messages whose tick was stored before.",
        )
        self._dead_letters = meter.create_counter(
            "ingest.dead_letters",
            unit="{message}",
            description="Messages refused and sent to a dead-letter topic, by reason (error.type).",
        )
        self._retries = meter.create_counter(
            "ingest.retries",
            unit="{attempt}",
            description="Attempts after a failure of the database, Kafka or the schema registry.",
        )
        meter.create_observable_gauge(
            "ingest.lag",
            [self._observe_lags],
            unit="{message}",
            description="Messages of a partition held that are not committed yet.",
        )
        meter.create_observable_gauge(
            "ingest.paused",
            [self._observe_pauses],
            unit="{partition}",
            description="1 while a partition held is not consumed, by reason.",
        )
        # a counter that appears with its first value hides that value from rate()
        for kind in ("trade", "quote"):
            self._rows.add(0, {"ingest.kind": kind})
        for what in ("database", "kafka", "registry"):
            self._retries.add(0, {"ingest.target": what})
        for reason in Reason:
            self._dead_letters.add(0, {"error.type": str(reason)})
        self._batches.add(0)
        self._duplicates.add(0)

    def _observe_lags(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(behind, _partition(*at)) for at, behind in list(self._lags.items())]

    def _observe_pauses(self, _: CallbackOptions) -> Iterable[Observation]:
        return [
            Observation(1, {**_partition(*at), "ingest.pause.reason": reason})
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
    ) -> None:
        for kind, number in kind_rows.items():
            self._rows.add(number, {"ingest.kind": kind})
        for reason, number in dead_letters.items():
            self._dead_letters.add(number, {"error.type": str(reason)})
        process = KAFKA | self._group | {"messaging.operation.name": "batch"}
        messages = sum(kind_rows.values()) + duplicates + sum(dead_letters.values())
        self._messages.add(messages, process)
        self._seconds.record(seconds, process)
        self._batches.add(1)
        self._duplicates.add(duplicates)
        self._bytes.add(bytes_)
        self._latency.record(event_ages)

    def lag(self, topic: str, partition: int, messages_behind: int) -> None:  # noqa: D102
        self._lags[topic, partition] = messages_behind

    def revoked(self, topic: str, partition: int) -> None:  # noqa: D102
        self._lags.pop((topic, partition), None)
        self._pauses.pop((topic, partition), None)

    def retry(self, what: str) -> None:  # noqa: D102
        self._retries.add(1, {"ingest.target": what})

    def paused(self, topic: str, partition: int, reason: str) -> None:  # noqa: D102
        self._pauses[topic, partition] = reason

    def resumed(self, topic: str, partition: int) -> None:  # noqa: D102
        self._pauses.pop((topic, partition), None)

    def span(  # noqa: D102
        self, name: str, *, since_ns: int | None = None, **attributes: str | float
    ) -> Span:
        if self._tracer is None:
            return NO_SPAN
        kind, fixed = SPAN_KINDS.get(name, (SpanKind.INTERNAL, {}))
        if kind is SpanKind.CONSUMER or name == "consume":
            fixed = fixed | self._group | {"messaging.operation.name": name}
        return _OtelSpan(
            self._tracer.start_as_current_span(
                name, kind=kind, attributes={**fixed, **_named(attributes)}, start_time=since_ns
            )
        )

    def close(self) -> None:  # noqa: D102
        until = time.monotonic() + FLUSH_S
        # the SDK's own time limits do not reach a request under way: daemons can be left behind
        threads = [
            threading.Thread(target=_quietly, args=(closer,), daemon=True)
            for closer in self._closers
        ]
        self._closers.clear()
        for thread in threads:
            thread.start()
        if self._endpoint is not None:
            self._endpoint.close()
            self._endpoint = None
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))


def _quietly(closer: Callable[[], object]) -> None:
    try:
        closer()
    except Exception as error:  # the SDK raises bare ones
        log.warning("telemetry did not close: %s", error)
