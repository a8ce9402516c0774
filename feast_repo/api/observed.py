"""What operators see of the API. No metric has a tenant, a key or a symbol in it."""

from __future__ import annotations

import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telemetry.hooks import ApiTelemetry

ROUTES: Final = frozenset({"/get-online-features", "/verify", "/health", "/ready", "/openapi.json"})


class Observed:
    """ASGI middleware that counts and times requests."""

    def __init__(self, app: ASGIApp, telemetry: ApiTelemetry) -> None:
        """app: what it wraps."""
        self._app = app
        self._telemetry = telemetry

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
            self._telemetry.request(route, status, time.perf_counter() - began)
