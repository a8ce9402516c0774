"""The router: POST /v2/models/{model}/infer, of KServe's protocol, for tenants with API keys.

Keys, rate limits, the access log and the features are the feature API's. Plain ASGI, because a
framework takes as long as Triton.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from feast import FeatureStore
from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from starlette.types import Message, Receive, Scope, Send

from engine.errors import EngineError
from feast_repo import sets
from feast_repo.api.app import configured, rows_of, series, shortened, unknown
from feast_repo.api.errors import Refused, unavailable
from feast_repo.api.keys import REREAD_S, AccessLog, Keys, Tenant, make_pool
from feast_repo.api.models import MAX_BODY
from feast_repo.api.read import Catalog, Reader, listed
from feast_repo.store import database_url
from serving.router import features, kserve
from serving.router.answering import Answer, Answering
from serving.router.fleet import Fleet, wanted_of
from serving.router.kserve import Asked
from serving.router.mirror import Job, Mirror
from serving.router.predictions import Batch, Predictions, new_ids
from serving.router.triton import Triton
from serving.router.versions import Route
from telemetry.hooks import RouterTelemetry

CATALOG_S: Final = 60.0
BEAT_S: Final = 0.5
BODY_S: Final = 10.0
READY_S: Final = 1.0
MIRROR_CLOSE_S: Final = 2.0
log = logging.getLogger("serving.router")


@dataclass(frozen=True)
class Settings:
    """rate: requests a second that one key may make. spool: a folder for what is not logged yet."""

    spool: Path
    rate: int = 1_000


class Router:
    """What the requests share; an ASGI application."""

    def __init__(
        self,
        store: FeatureStore,
        url: str,
        triton_url: str,
        models: Sequence[str],
        settings: Settings,
        telemetry: RouterTelemetry | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """url: the database, as a login that has market_pool. models: that are served.

        clock: seconds since 1970, by which features are stale.
        Errors: EngineError for an empty registry, ConfigError for an address that is none.
        """
        self.telemetry = telemetry or RouterTelemetry()
        self.clock = clock
        self.store = store
        self.pool = make_pool(url)
        self.keys = Keys(self.pool)
        self.access_log = AccessLog(self.pool)
        self.reader = Reader(store)
        self.catalog = Catalog.read(store)
        if not self.catalog.views:
            raise EngineError("Feast's registry is empty: run `make feast ARGS=apply` first")
        self.triton = Triton(triton_url)
        wanted = wanted_of(lambda: self.catalog, features.stale_s(sets.read()))
        self.fleet = Fleet(models, self.pool, self.triton, wanted, self.telemetry)
        self.answering = Answering(self.triton, self.telemetry)
        self.mirror = Mirror(self.triton, self.telemetry)
        self.predictions = Predictions(self.pool, settings.spool, self.telemetry.lost)
        self.limiter = MovingWindowRateLimiter(MemoryStorage())
        self.rate = RateLimitItemPerSecond(settings.rate)
        self.telemetry.watch(lambda: len(self.predictions), lambda: len(self.mirror))
        self.telemetry.publishing(url)
        self._tasks: list[asyncio.Task[None]] = []
        self._ready: tuple[float, Refused | None] = (float("-inf"), None)
        self._asking = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def start(self) -> None:
        """Open connections, and begin to look, load, mirror and write."""
        await self.pool.open()
        self.access_log.start()
        self.predictions.start()
        self.mirror.start()
        # so that the first request finds what is there
        await self.fleet.look()
        self.fleet.start()
        self._tasks = [asyncio.create_task(self._refresh()), asyncio.create_task(self._beat())]

    async def close(self) -> None:
        """Have everything that was answered logged, and close."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.mirror.close(MIRROR_CLOSE_S)
        await self.predictions.close()
        await self.fleet.close()
        await self.access_log.close()
        await self.reader.close()
        await self.triton.close()
        await self.pool.close()
        # here, because uvicorn then ends the process by the signal that it got
        await asyncio.to_thread(self.telemetry.close)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.start()
        except Exception as error:
            log.exception("the router does not start")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _beat(self) -> None:
        while True:
            self.telemetry.health.beat()
            with suppress(Refused):
                await self._is_ready()
            await asyncio.sleep(BEAT_S)

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(CATALOG_S)
            try:
                found = await asyncio.to_thread(Catalog.read, self.store)
            except Exception as error:
                log.error("the registry cannot be read, the last one stays: %s", error)
                continue
            if found.views:
                self.catalog = found

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        route, handle = self._route(scope)
        headers: dict[str, str] = {}
        try:
            status, body = await handle(scope, receive, began)
        except Refused as refused:
            self.telemetry.rejected(refused.reason)
            status, headers = refused.status, refused.headers
            body = json.dumps({"error": refused.detail}).encode()
        except Exception:
            log.exception("a request failed")
            status = 500
            body = b'{"error": "this is a defect: tell the operator, whose log has it"}'
        sent: Message = {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                *((name.lower().encode(), value.encode()) for name, value in headers.items()),
            ],
        }
        await send(sent)
        await send({"type": "http.response.body", "body": body})
        self.telemetry.request(route, status, time.perf_counter() - began)

    def _route(self, scope: Scope) -> tuple[str, Callable[..., Awaitable[tuple[int, bytes]]]]:
        """What the metrics call it, and who answers it."""
        method, parts = scope["method"], scope["path"].strip("/").split("/")
        match parts:
            case ["v2", "models", _, "infer"] if method == "POST":
                return "infer", self._infer
            case ["v2", "models", _] | ["v2", "models", _, "ready"] if method == "GET":
                return "model", self._model
            case ["v2", "health", "live"] if method == "GET":
                return "live", self._live
            case ["v2", "health", "ready"] if method == "GET":
                return "ready", self._server_ready
            case ["v2"] if method == "GET":
                return "server", self._server
        return "other", self._nothing

    async def _nothing(self, scope: Scope, *_: Any) -> tuple[int, bytes]:
        raise Refused(
            404,
            "route",
            f"there is no {scope['method']} {ascii(scope['path'][:100])[1:-1]}: there are POST "
            "/v2/models/{model}/infer, GET /v2/models/{model}, /v2/models/{model}/ready, "
            "/v2/health/live, /v2/health/ready and /v2",
        )

    async def _live(self, *_: Any) -> tuple[int, bytes]:
        return 200, b'{"live": true}'

    async def _server(self, *_: Any) -> tuple[int, bytes]:
        found = {"name": "features", "version": "1", "extensions": [], "models": self.fleet.models}
        return 200, json.dumps(found).encode()

    async def _server_ready(self, *_: Any) -> tuple[int, bytes]:
        await self._is_ready()
        return 200, b'{"ready": true}'

    async def _is_ready(self) -> None:
        async with self._asking:
            at, refused = self._ready
            if time.monotonic() - at > READY_S:
                refused = await self._unready()
                self._ready = (time.monotonic(), refused)
                self.telemetry.health.ready(refused is None, refused.detail if refused else "")
        if refused is not None:
            raise refused

    async def _unready(self) -> Refused | None:
        try:
            async with asyncio.timeout(2 * READY_S), self.pool.connection() as connection:
                await connection.execute("select 1")
        except Exception as error:
            log.error("the database does not answer: %s", error)
            return unavailable("database", "the database does not answer")
        if self.fleet.is_away:
            return unavailable("triton", "Triton does not answer")
        try:
            await self.reader.ping()
            for model in self.fleet.models:
                self.fleet.route(model)
        except Refused as refused:
            return refused
        return None

    async def _model(self, scope: Scope, *_: Any) -> tuple[int, bytes]:
        parts = scope["path"].strip("/").split("/")
        tenant = await self._admitted(scope)
        model = self._served(parts[2], tenant)
        if parts[-1] == "ready" and len(parts) == 4:
            self.fleet.route(model)
            return 200, b'{"ready": true}'
        state = self.fleet.state(model)
        with suppress(Refused):
            columns = self.fleet.route(model).champion.encoder.columns
            state["columns"] = [column.name for column in columns]
        versions = {str(one["answers"]) for one in state["aliases"].values() if one["answers"]}
        found = {
            "name": model,
            "versions": sorted(versions, key=int),
            "platform": "triton_python",
            "inputs": [
                {"name": name, "datatype": kind, "shape": [-1, -1] if kind == "FP64" else [-1]}
                for name, kind in kserve.TYPES.items()
            ],
            "outputs": [
                {"name": name, "datatype": kind, "shape": [-1]}
                for name, kind in kserve.OUTPUTS.items()
            ],
            "parameters": state,
        }
        return 200, json.dumps(found).encode()

    def _served(self, model: str, tenant: Tenant) -> str:
        """A model that a tenant may ask. Errors: Refused 404, 503."""
        if model in self.fleet.models:
            of = self.fleet.tenant_of(model)
            if of is None:
                raise unavailable("no_version", f"{model} has no champion yet: promote a version")
            if of in tenant.visible:
                return model
        seen = [one for one in self.fleet.models if self.fleet.tenant_of(one) in tenant.visible]
        there = f"there are {', '.join(seen)}" if seen else "there is none that you may ask"
        raise Refused(404, "unknown", f"there is no model {listed([model])}: {there}")

    async def _admitted(self, scope: Scope) -> Tenant:
        """Who asks. Errors: Refused 401, 429, 503."""
        key = _key(scope)
        tenant = await self.keys.tenant(key)
        if not await self.limiter.hit(self.rate, tenant.login, key[:36]):
            raise Refused(
                429,
                "rate",
                f"more than {self.rate.amount} requests in a second: send fewer, with more rows "
                "each",
                retry_after_s=1,
            )
        return tenant

    async def _infer(self, scope: Scope, receive: Receive, began: float) -> tuple[int, bytes]:
        tenant = await self._admitted(scope)
        model = self._served(scope["path"].strip("/").split("/")[2], tenant)
        asked = kserve.parsed(await _body(receive))
        what = "given" if asked.given is not None else series(asked.tenants, asked.symbols, tenant)
        told = shortened(f"infer {model} {what}")
        rows = len(asked.symbols) if asked.given is None else len(asked.given)
        route = self.fleet.route(model)
        self.predictions.reserve(rows)
        route.hold()
        try:
            if asked.given is not None:
                found = await self._given(model, route, asked, tenant)
            else:
                found = await self._online(scope, model, route, asked, tenant, began)
        except Refused as refused:
            self.access_log.add(tenant.login, told, None)
            if refused.reason == "triton":
                self.fleet.wake()
            raise
        finally:
            route.let_go()
            self.predictions.release(rows)
        self.access_log.add(tenant.login, told, rows)
        return 200, found

    async def _given(self, model: str, route: Route, asked: Asked, tenant: Tenant) -> bytes:
        """Rows that the caller brings: of nobody's series, so the champion's, and not logged."""
        champion = route.champion
        assert asked.given is not None  # noqa: S101 - the caller has looked
        if tenant.tenant_id != champion.tenant_id:
            raise Refused(
                403,
                "given",
                f"rows of features of your own are for tenant {champion.tenant_id}, whose model "
                f"{model} is: send symbol",
            )
        champion.encoder.check(asked.given)
        scores = await self.answering.scored(champion, asked.given)
        rows = len(scores)
        columns: dict[str, list[Any]] = {name: [None] * rows for name in kserve.OUTPUTS}
        columns["score"] = [float(one) if one == one else None for one in scores.tolist()]
        columns["version"] = [champion.number] * rows
        columns["alias"] = columns["route"] = ["champion"] * rows
        self.telemetry.predicted(model, champion.number, "champion", rows)
        return kserve.answer(model, asked, columns, {})

    async def _online(
        self, scope: Scope, model: str, route: Route, asked: Asked, tenant: Tenant, began: float
    ) -> bytes:
        rows = rows_of(tenant, asked.tenants, asked.symbols)
        if rows is None and time.monotonic() - tenant.read_at > REREAD_S:
            tenant = await self.keys.tenant(_key(scope), REREAD_S)
            rows = rows_of(tenant, asked.tenants, asked.symbols)
        if rows is None:
            raise unknown(tenant, asked.tenants, asked.symbols)
        online = await features.read(self.reader, route.wanted, rows, self.clock())
        guard = self.fleet.guard(model)
        answer: Answer = await self.answering.answer(route, guard, rows, online)
        ids = new_ids(len(rows))
        batch = Batch(
            login=tenant.login,
            own_tenant=tenant.tenant_id,
            model=model,
            ids=ids,
            symbols=asked.symbols,
            tenants=[tenant_id for tenant_id, _ in rows],
            moments=dict(online.moments),
            parts=answer.parts,
            latency_ms=(time.perf_counter() - began) * 1e3,
        )
        self.telemetry.unscored(len(rows) - len(batch))
        if batch.parts:
            self.predictions.add(batch)
            self.mirror.offer(Job(batch, route, online, guard))
        return kserve.answer(model, asked, answer.columns(len(rows), online, ids), {})


def _key(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, key = value.decode("latin-1").partition(" ")
            return key.strip() if scheme.lower() == "bearer" else ""
    return ""


async def _body(receive: Receive) -> bytes:
    """The body. Errors: Refused 413 above MAX_BODY, 408 when it takes too long or breaks off."""
    too_large = Refused(413, "size", f"send at most {MAX_BODY} bytes: ask for fewer rows")
    too_large.headers["Connection"] = "close"
    found = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise TimeoutError
                found += message.get("body", b"")
                if len(found) > MAX_BODY:
                    raise too_large
                if not message.get("more_body"):
                    return bytes(found)
    except TimeoutError:
        raise Refused(408, "body", f"send the body within {BODY_S:.0f} seconds") from None


def serve(
    store: FeatureStore,
    triton_url: str,
    models: Sequence[str],
    host: str,
    port: int,
    settings: Settings,
    telemetry: RouterTelemetry,
) -> None:
    """Serve until SIGINT or SIGTERM. Errors: those of Router; SystemExit for a taken port."""
    router = Router(store, database_url(store), triton_url, models, settings, telemetry)
    # Feast leaves a million objects, and to look through them again and again takes 0.1 s each time
    gc.collect()
    gc.freeze()
    configured(router, host, port).run()
