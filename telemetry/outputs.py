"""What a configuration asks for, with OpenTelemetry: instruments, spans, and where they go."""

from __future__ import annotations

import logging
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

from telemetry.endpoint import Endpoint, Registry
from telemetry.health import Health
from telemetry.latency import Latency, OtlpReader, PrometheusReader
from telemetry.metrics import Metric
from telemetry.settings import TelemetryConfig

log = logging.getLogger("telemetry")

FLUSH_S = 1.5  # leaves half a second of the two that close may take
Attributes = Mapping[str, str | float]
Observe = Callable[[], Iterable[tuple[float, Attributes]]]


class Outputs:
    """The instruments of one process, and the endpoint and the pushes that carry them."""

    def __init__(
        self,
        config: TelemetryConfig,
        scope: str,
        health: Health,
        metrics: Iterable[Metric],
        gauges: Mapping[Metric, Observe],
        latency: Latency | None = None,
    ) -> None:
        """Start the outputs. Raises ConfigError when the endpoint cannot listen.

        scope: the process's name, of its metrics and spans. gauges: what to ask for the values of
        each gauge of metrics. latency: is not among the instruments, but goes where they go.
        """
        self._endpoint: Endpoint | None = None
        self._tracer: trace.Tracer | None = None
        self._closers: list[Callable[[], object]] = []
        self.port: int | None = None
        # without an id of its own, what two processes push would be one series that jumps
        resource = Resource.create(
            {"service.name": config.service_name, "service.instance.id": str(uuid.uuid4())}
        )
        readers: list[MetricReader] = []
        if config.metrics_port is not None:
            registry = Registry()
            self._endpoint = Endpoint(config.metrics_host, config.metrics_port, registry, health)
            self.port = self._endpoint.port
            # of METRICS_PORT=0 nothing else says where it is
            print(
                f"metrics: http://{config.metrics_host}:{self.port}/metrics",
                file=sys.stderr,
                flush=True,
            )
            readers.append(PrometheusReader(registry, latency))
        if config.otlp_endpoint is not None:
            readers.append(OtlpReader(config.otlp_endpoint, latency))
            traces = TracerProvider(resource=resource, shutdown_on_exit=False)
            traces.add_span_processor(
                BatchSpanProcessor(OTLPSpanExporter(config.otlp_endpoint + "/v1/traces"))
            )
            self._tracer = traces.get_tracer(scope)
            self._closers.append(traces.shutdown)
        provider = MeterProvider(readers, resource, shutdown_on_exit=False)
        self._closers.append(provider.shutdown)
        self._counters: dict[Metric, Counter] = {}
        self._histograms: dict[Metric, Histogram] = {}
        self._instruments(provider, scope, metrics, gauges)

    def _instruments(
        self,
        provider: MeterProvider,
        scope: str,
        metrics: Iterable[Metric],
        gauges: Mapping[Metric, Observe],
    ) -> None:
        meter = provider.get_meter(scope)
        for metric in metrics:
            if metric.kind == "counter":
                self._counters[metric] = meter.create_counter(
                    metric.name, unit=metric.unit, description=metric.what
                )
            elif metric.kind == "histogram":
                self._histograms[metric] = meter.create_histogram(
                    metric.name,
                    unit=metric.unit,
                    description=metric.what,
                    explicit_bucket_boundaries_advisory=metric.bounds,
                )
            else:
                meter.create_observable_gauge(
                    metric.name,
                    [_callback(gauges[metric])],
                    unit=metric.unit,
                    description=metric.what,
                )

    @property
    def traces(self) -> bool:
        """Whether spans go anywhere."""
        return self._tracer is not None

    def add(self, metric: Metric, number: int, attributes: Attributes | None = None) -> None:
        """Count; with 0, a counter is there before its first event, which rate() needs."""
        self._counters[metric].add(number, attributes)

    def record(self, metric: Metric, value: float, attributes: Attributes | None = None) -> None:
        """Put a value into a histogram."""
        self._histograms[metric].record(value, attributes)

    def span(
        self, name: str, kind: SpanKind, attributes: Attributes, since_ns: int | None
    ) -> AbstractContextManager[object]:
        """A span that is the current one between enter and exit; an error marks it as failed.

        Only where there are traces.
        """
        assert self._tracer is not None  # noqa: S101 - the caller has asked
        return self._tracer.start_as_current_span(
            name, kind=kind, attributes=attributes, start_time=since_ns
        )

    def close(self) -> None:
        """Push what is left and stop the endpoint; takes 2 seconds at most."""
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


def _callback(observe: Observe) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda _: [Observation(value, attributes) for value, attributes in observe()]


def _quietly(closer: Callable[[], object]) -> None:
    try:
        closer()
    except Exception as error:  # the SDK raises bare ones
        log.warning("telemetry did not close: %s", error)
