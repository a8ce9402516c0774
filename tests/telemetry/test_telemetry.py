import math
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ingest.errors import ConfigError
from telemetry.endpoint import Registry
from telemetry.hooks import Telemetry, TelemetryConfig
from telemetry.latency import LATENCY_BOUNDS_S, Latency

GROUP = "test"
LATENCY = "ingest_event_to_commit_duration_seconds"
Start = Callable[..., Telemetry]


class Collector(ThreadingHTTPServer):
    """A receiver of OTLP over HTTP that keeps what it gets."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receive)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.received: dict[str, list[bytes]] = {"/v1/traces": [], "/v1/metrics": []}

    @property
    def spans(self) -> dict[str, Span]:
        """The spans, by name."""
        requests = map(ExportTraceServiceRequest.FromString, self.received["/v1/traces"])
        resources = [resource for request in requests for resource in request.resource_spans]
        scopes = [scope for resource in resources for scope in resource.scope_spans]
        return {span.name: span for scope in scopes for span in scope.spans}

    @property
    def metrics_request(self) -> ExportMetricsServiceRequest:
        """The last one."""
        return ExportMetricsServiceRequest.FromString(self.received["/v1/metrics"][-1])

    @property
    def metrics(self) -> dict[str, Metric]:
        """The metrics of the last request, by name."""
        (resource,) = self.metrics_request.resource_metrics
        return {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}


class Receive(BaseHTTPRequestHandler):
    """Keeps a request's body under its path."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert isinstance(self.server, Collector)
        self.server.received[self.path].append(body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def silent() -> Iterator[str]:
    """URL of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def start() -> Iterator[Start]:
    """start(**settings): a Telemetry that is closed in the end."""
    started = []

    def make(**settings: object) -> Telemetry:
        started.append(Telemetry.from_config(TelemetryConfig(**settings), GROUP))
        return started[-1]

    yield make
    for telemetry in started:
        telemetry.close()


def _get(telemetry: Telemetry, path: str) -> tuple[int, str]:
    try:
        with urlopen(f"http://127.0.0.1:{telemetry.port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def _samples(text: str) -> dict[tuple[str, ...], float]:
    """{(name, label value, ...): value}, label values in the order of their names."""
    samples: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            at = (sample.name, *(value for _, value in sorted(sample.labels.items())))
            assert at not in samples
            samples[at] = sample.value
    return samples


def _scrape(telemetry: Telemetry) -> dict[tuple[str, ...], float]:
    status, text = _get(telemetry, "/metrics")
    assert status == 200
    return _samples(text)


def _call_every_hook(telemetry: Telemetry) -> None:
    with telemetry.span("batch", messages=4) as span, telemetry.span("write", kind="trade"):
        span.set(rows=2)
    telemetry.batch({"trade": 2}, 1, {"undecodable": 1}, 400, 0.25, [0.02, 3.0])
    telemetry.lag("trades", 0, 7)
    telemetry.retry("database")
    telemetry.paused("trades", 1, "registry")
    telemetry.resumed("trades", 2)
    telemetry.revoked("trades", 3)
    telemetry.health.beat()
    telemetry.health.ready(True)


OFF = """
import sys
from telemetry.hooks import Telemetry, TelemetryConfig
telemetry = Telemetry.from_config(TelemetryConfig.from_env({}))
with telemetry.span("batch", messages=1) as span:
    span.set(rows=1)
telemetry.batch({"trade": 1}, 0, {}, 10, 0.1, [0.5])
telemetry.lag("trades", 0, 1)
telemetry.retry("kafka")
telemetry.paused("trades", 0, "registry")
telemetry.resumed("trades", 0)
telemetry.revoked("trades", 0)
telemetry.health.beat()
telemetry.health.ready(True)
telemetry.close()
roots = ("opentelemetry", "prometheus_client", "numpy", "http")
print(telemetry.on, telemetry.port, [x for x in sys.modules if x.partition(".")[0] in roots])
"""


def test_off_takes_every_call_and_imports_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OFF], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False None []\n"


def test_it_is_off_unless_asked_for() -> None:
    assert not TelemetryConfig.from_env({}).on


def test_the_environment_is_read() -> None:
    config = TelemetryConfig.from_env(
        {
            "METRICS_PORT": "0",
            "METRICS_HOST": "0.0.0.0",  # noqa: S104 - only read
            "HEALTH_STALL_S": "1.5",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector:4318/base/",
            "OTEL_SERVICE_NAME": "mine",
        }
    )
    assert config == TelemetryConfig(0, "0.0.0.0", 1.5, "https://collector:4318/base", "mine")  # noqa: S104


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("METRICS_PORT", "http", "set it to a port"),
        ("METRICS_PORT", "-1", "set it to a port"),
        ("METRICS_PORT", "65536", "set it to a port"),
        ("HEALTH_STALL_S", "soon", "set it to a number of at least 1"),
        ("HEALTH_STALL_S", "0.5", "set it to a number of at least 1"),
        ("HEALTH_STALL_S", "inf", "set it to a number of at least 1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "for example http://localhost:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://:4318", "for example http://localhost:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:70000", "for example http://localhost:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "only http/protobuf is spoken"),
    ],
)
def test_a_bad_value_names_the_variable_and_the_remedy(name: str, value: str, remedy: str) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"} | {name: value}
    with pytest.raises(ConfigError, match=re.escape(f"{name}={value!r}: ") + f".*{remedy}"):
        TelemetryConfig.from_env(env)


def test_a_batch_is_counted(start: Start) -> None:
    telemetry = start(metrics_port=0)
    for _ in range(2):
        telemetry.batch({"trade": 2, "quote": 3}, 1, {"undecodable": 4}, 500, 0.25, [0.02, 3.0])
    got = _scrape(telemetry)
    assert got["ingest_rows_total", "trade"] == 4
    assert got["ingest_rows_total", "quote"] == 6
    assert got["ingest_duplicates_total",] == 2
    assert got["ingest_dead_letters_total", "undecodable"] == 8
    assert got["ingest_consumed_bytes_total",] == 1000
    assert got["ingest_batches_total",] == 2
    kafka = (GROUP, "batch", "kafka")
    assert got["messaging_client_consumed_messages_total", *kafka] == 20
    assert got["messaging_process_duration_seconds_sum", *kafka] == 0.5
    assert got[f"{LATENCY}_bucket", "0.01"] == 0
    assert got[f"{LATENCY}_bucket", "0.02"] == 2
    assert got[f"{LATENCY}_bucket", "5.0"] == 4
    assert got[f"{LATENCY}_bucket", "+Inf"] == got[f"{LATENCY}_count",] == 4
    assert got[f"{LATENCY}_sum",] == pytest.approx(6.04)


def test_counters_are_there_before_their_first_event(start: Start) -> None:
    got = _scrape(start(metrics_port=0))
    for at in (
        ("ingest_rows_total", "quote"),
        ("ingest_dead_letters_total", "unknown_trade"),
        ("ingest_retries_total", "registry"),
        (f"{LATENCY}_count",),
    ):
        assert got[at] == 0


def test_retries_are_counted_by_what_failed(start: Start) -> None:
    telemetry = start(metrics_port=0)
    for what in ("database", "kafka", "database"):
        telemetry.retry(what)
    got = _scrape(telemetry)
    assert got["ingest_retries_total", "database"] == 2
    assert got["ingest_retries_total", "kafka"] == 1


def test_lag_is_the_last_one_told_until_the_partition_is_revoked(start: Start) -> None:
    telemetry = start(metrics_port=0)
    telemetry.lag("trades", 0, 9)
    telemetry.lag("trades", 0, 7)
    telemetry.lag("trades", 1, 1)
    got = _scrape(telemetry)
    assert got["ingest_lag", "trades", "0"] == 7
    assert got["ingest_lag", "trades", "1"] == 1
    telemetry.revoked("trades", 0)
    got = _scrape(telemetry)
    assert ("ingest_lag", "trades", "0") not in got
    assert got["ingest_lag", "trades", "1"] == 1


@pytest.mark.parametrize("end", ["resumed", "revoked"])
def test_a_pause_shows_with_its_reason_until_it_ends(start: Start, end: str) -> None:
    telemetry = start(metrics_port=0)
    telemetry.paused("trades", 1, "registry")
    telemetry.paused("quotes", 1, "registry")
    assert _scrape(telemetry)["ingest_paused", "registry", "trades", "1"] == 1
    getattr(telemetry, end)("trades", 1)
    got = _scrape(telemetry)
    assert ("ingest_paused", "registry", "trades", "1") not in got
    assert got["ingest_paused", "registry", "quotes", "1"] == 1


class Busy:
    """A collector that takes a while and notes how many are in it."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0

    def collect(self) -> list:
        self.inside += 1
        self.most = max(self.most, self.inside)
        time.sleep(0.02)
        self.inside -= 1
        return []


def test_scrapes_take_turns() -> None:
    busy, registry = Busy(), Registry()
    registry.register(busy)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: generate_latest(registry), range(8)))
    assert busy.most == 1


AGES = st.one_of(st.floats(-10, 40 * 86_400), st.sampled_from(LATENCY_BOUNDS_S), st.floats(0, 0.01))


@given(st.lists(st.lists(AGES, max_size=50), max_size=5))
def test_the_latency_histogram_equals_a_plain_count(batches: list[list[float]]) -> None:
    latency = Latency()
    for ages in batches:
        latency.record(ages)
    (point,) = latency.metric().data.data_points
    values = [max(age, 0.0) for ages in batches for age in ages]
    expected = [0] * (len(LATENCY_BOUNDS_S) + 1)
    for value in values:
        expected[bisect_left(LATENCY_BOUNDS_S, value)] += 1
    assert list(point.bucket_counts) == expected
    assert point.count == len(values)
    assert point.sum == pytest.approx(math.fsum(values))
    assert (point.min, point.max) == (min(values, default=0), max(values, default=0))


def test_latency_buckets_span_a_millisecond_to_days_in_order() -> None:
    assert list(LATENCY_BOUNDS_S) == sorted(set(LATENCY_BOUNDS_S))
    assert LATENCY_BOUNDS_S[0] == 0.001
    assert LATENCY_BOUNDS_S[-1] >= 7 * 86_400


def test_healthz_fails_while_the_loop_stands_still(start: Start) -> None:
    telemetry = start(metrics_port=0, stall_s=1)
    assert _get(telemetry, "/healthz") == (200, "ok\n")
    telemetry.health.ready(True)
    time.sleep(1.1)
    status, reason = _get(telemetry, "/healthz")
    assert status == 503
    assert re.search(r"no step of the main loop for \d+ s \(at most 1 s\)", reason)
    status, reason = _get(telemetry, "/readyz")
    assert status == 503
    assert "no step of the main loop" in reason
    telemetry.health.beat()
    assert _get(telemetry, "/healthz") == (200, "ok\n")
    assert _get(telemetry, "/readyz") == (200, "ok\n")


def test_readyz_says_what_is_missing(start: Start) -> None:
    telemetry = start(metrics_port=0)
    assert _get(telemetry, "/readyz") == (503, "starting: no partitions assigned yet\n")
    telemetry.health.ready(True)
    assert _get(telemetry, "/readyz") == (200, "ok\n")
    telemetry.health.ready(False, "database away")
    assert _get(telemetry, "/readyz") == (503, "database away\n")
    assert _get(telemetry, "/healthz") == (200, "ok\n")


def test_another_path_is_not_found(start: Start) -> None:
    assert _get(start(metrics_port=0), "/metricsx")[0] == 404


def test_a_port_that_is_taken_is_refused_with_a_remedy(start: Start) -> None:
    port = start(metrics_port=0).port
    with pytest.raises(ConfigError, match=rf"METRICS_PORT={port}: .*in use.*set METRICS_PORT to"):
        start(metrics_port=port)


def test_a_client_that_hangs_holds_up_neither_the_others_nor_the_end(start: Start) -> None:
    telemetry = start(metrics_port=0)
    with socket.create_connection(("127.0.0.1", telemetry.port)):
        began = time.monotonic()
        assert _get(telemetry, "/healthz")[0] == 200
        assert time.monotonic() - began < 2
        began = time.monotonic()
        telemetry.close()
        assert time.monotonic() - began < 1
    with (
        pytest.raises(ConnectionRefusedError),
        socket.create_connection(("127.0.0.1", telemetry.port)),
    ):
        pass


def test_spans_reach_the_collector(start: Start, collector: Collector) -> None:
    telemetry = start(otlp_endpoint=collector.url)
    since_ns = time.time_ns() - 5_000_000_000
    with telemetry.span("batch", since_ns=since_ns, topic="trades", partition=3) as batch:
        batch.set(messages=10)
        with pytest.raises(ZeroDivisionError), telemetry.span("write", rows=9):
            1 / 0  # noqa: B018
        with telemetry.span("decode"):
            pass
    telemetry.close()
    spans = collector.spans
    assert set(spans) == {"batch", "write", "decode"}
    parent, write = spans["batch"], spans["write"]
    values = {x.key: x.value.string_value or x.value.int_value for x in parent.attributes}
    assert values == {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.operation.name": "batch",
        "messaging.consumer.group.name": GROUP,
        "messaging.destination.name": "trades",
        "messaging.destination.partition.id": "3",
        "messaging.batch.message_count": 10,
    }
    assert parent.kind == Span.SPAN_KIND_CONSUMER
    assert parent.start_time_unix_nano == since_ns
    assert parent.status.code != Status.STATUS_CODE_ERROR
    assert write.parent_span_id == spans["decode"].parent_span_id == parent.span_id
    assert write.status.code == Status.STATUS_CODE_ERROR
    assert {x.key for x in write.attributes} == {"db.system.name", "ingest.rows"}


def test_metrics_reach_the_collector(start: Start, collector: Collector) -> None:
    telemetry = start(otlp_endpoint=collector.url, metrics_port=0)
    _call_every_hook(telemetry)
    scraped = _scrape(telemetry)
    telemetry.close()
    metrics = collector.metrics
    (point,) = metrics["ingest.event_to_commit.duration"].histogram.data_points
    assert list(point.explicit_bounds) == list(LATENCY_BOUNDS_S)
    assert (point.count, point.sum) == (2, pytest.approx(3.02))
    rows = metrics["ingest.rows"].sum
    assert rows.is_monotonic
    values = {x.attributes[0].value.string_value: x.as_int for x in rows.data_points}
    assert values == {"trade": 2, "quote": 0}
    assert scraped[f"{LATENCY}_count",] == 2


def test_every_metric_has_name_unit_and_description(start: Start, collector: Collector) -> None:
    telemetry = start(otlp_endpoint=collector.url)
    _call_every_hook(telemetry)
    telemetry.close()
    assert len(collector.metrics) == 11
    for name, metric in collector.metrics.items():
        assert re.fullmatch(r"(messaging|ingest)(\.[a-z_]+)+", name)
        assert metric.unit in {"s", "By"} or re.fullmatch(r"\{[a-z]+\}", metric.unit)
        assert metric.description.endswith(".")


def test_two_ingesters_push_under_ids_of_their_own(start: Start, collector: Collector) -> None:
    ids = []
    for _ in range(2):
        telemetry = start(otlp_endpoint=collector.url, service_name="mine")
        telemetry.close()
        (resource,) = collector.metrics_request.resource_metrics
        values = {x.key: x.value.string_value for x in resource.resource.attributes}
        assert values["service.name"] == "mine"
        ids.append(values["service.instance.id"])
    assert ids[0] != ids[1]


@pytest.mark.parametrize("away", ["refused", "silent"])
def test_close_is_quick_when_the_collector_is_away(start: Start, silent: str, away: str) -> None:
    url = silent if away == "silent" else "http://127.0.0.1:1"
    telemetry = start(otlp_endpoint=url, metrics_port=0)
    _call_every_hook(telemetry)
    began = time.monotonic()
    telemetry.close()
    telemetry.close()
    assert time.monotonic() - began < 2


TERMINATED = """
import sys, threading
from ingest.signals import stop_on_signals
from telemetry.hooks import Telemetry, TelemetryConfig
stopped = threading.Event()
stop_on_signals(stopped.set)
telemetry = Telemetry.from_config(TelemetryConfig(metrics_port=0, otlp_endpoint=sys.argv[1]))
with telemetry.span("batch"):
    telemetry.batch({"trade": 5}, 0, {}, 10, 0.1, [0.5])
print("up", flush=True)
while not stopped.wait(0.05):
    pass
telemetry.close()
"""


def _terminate(url: str) -> tuple[float, int]:
    """Return how long a process that pushes to url takes to end, and its exit code."""
    command = [sys.executable, "-X", "faulthandler", "-c", TERMINATED, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        try:
            code = process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # says where its threads stand
            raise AssertionError(process.communicate()[1].decode()) from None
        return time.monotonic() - began, code


def test_a_process_that_is_terminated_pushes_what_is_left(collector: Collector) -> None:
    assert _terminate(collector.url)[1] == 0
    assert set(collector.spans) == {"batch"}
    points = collector.metrics["ingest.rows"].sum.data_points
    assert sum(point.as_int for point in points) == 5


def test_a_process_that_is_terminated_ends_though_the_collector_is_away(silent: str) -> None:
    seconds, code = _terminate(silent)
    assert code == 0
    assert seconds < 4  # 2 for the close, the rest for the interpreter on a busy machine
