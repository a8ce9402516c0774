"""What operators see of the API. No metric has a tenant, a key or a symbol in it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ROUTES: Final = frozenset({"/get-online-features", "/health", "/ready", "/openapi.json"})
BUCKETS_S: Final = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0)


class Metrics:
    """All metrics, in a registry of their own."""

    def __init__(self, waiting: Callable[[], int]) -> None:
        """waiting: how many accesses are not in the database's log yet."""
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "feature_api_requests",
            "Requests that were answered, by route and status.",
            ["route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "feature_api_request_seconds",
            "Time from a request's headers to the end of its answer.",
            ["route"],
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self.entities = Counter(
            "feature_api_entities", "Rows of features that were answered.", registry=self.registry
        )
        self.rejected = Counter(
            "feature_api_rejected",
            "Requests that were refused, by reason.",
            ["reason"],
            registry=self.registry,
        )
        Gauge(
            "feature_api_access_log_waiting",
            "Accesses that are not in api.access_log yet.",
            registry=self.registry,
        ).set_function(waiting)


class Observed:
    """ASGI middleware that counts and times requests."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """app: what it wraps."""
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = scope["path"] if scope["path"] in ROUTES else "other"
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - began)
