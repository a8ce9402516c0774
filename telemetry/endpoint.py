"""The HTTP endpoint: /metrics for Prometheus, /healthz and /readyz for whoever restarts us."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterable
from http.server import ThreadingHTTPServer
from typing import cast

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import MetricsHandler

from engine.errors import ConfigError
from telemetry.health import Health

REQUEST_S = 5.0
POLL_S = 0.2


class Registry(CollectorRegistry):
    """A registry that is scraped by one at a time.

    OpenTelemetry's collector gives one of two scrapes at a time the series of both, the other none.
    """

    def __init__(self) -> None:
        """Make an empty one."""
        super().__init__()
        self._scrape = threading.Lock()

    def collect(self) -> Iterable[Metric]:
        """Collect everything at once."""
        with self._scrape:
            return list(super().collect())


class _Handler(MetricsHandler):
    timeout = REQUEST_S

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        server = cast("_Server", self.server)
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self.registry = server.registry
            super().do_GET()
        elif path == "/healthz":
            self._answer(server.health.stalled())
        elif path == "/readyz":
            self._answer(server.health.unready())
        else:
            self.send_error(404, "there are /metrics, /healthz and /readyz")

    def _answer(self, problem: str | None) -> None:
        body = f"{problem or 'ok'}\n".encode()
        self.send_response(200 if problem is None else 503)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # a client that hangs does not hold up the exit

    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Health) -> None:
        self.registry = registry
        self.health = health
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer's asks the DNS for a name that nothing here needs
        socketserver.TCPServer.server_bind(self)


class Endpoint:
    """Serves from a thread of its own until it is closed; port: the one it listens on."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Health) -> None:
        """port: 0 for any free one. Raises ConfigError when it cannot listen."""
        try:
            self._server = _Server(host, port, registry, health)
        except OSError as error:
            raise ConfigError(
                f"METRICS_HOST={host!r}, METRICS_PORT={port}: cannot listen there "
                f"({error.strerror}): set METRICS_PORT to a free port or to 0 for any, and "
                "METRICS_HOST to an IPv4 address of this machine"
            ) from None
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_S,), name="metrics", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening; takes POLL_S at most."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
