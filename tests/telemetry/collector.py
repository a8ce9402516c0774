"""A receiver of OTLP over HTTP that keeps what it gets."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector(ThreadingHTTPServer):
    """What was pushed, as the protocol's messages."""

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
        found: ExportMetricsServiceRequest = ExportMetricsServiceRequest.FromString(
            self.received["/v1/metrics"][-1]
        )
        return found

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
