"""The feature API: Feast's POST /get-online-features over HTTP, for tenants with API keys.

Feast's own server has no API keys, and routes that write. This one has the one that reads; what it
accepts and answers is the same, so that Feast's client works with it. A tenant gets its own rows
and those of datasets that it is entitled to, whatever it asks for. Beside them it gives receipts,
and POST /verify says whether they still hold.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import uvicorn
from fastapi import FastAPI, Request, Response, Security
from fastapi.security import HTTPBearer
from feast import FeatureStore
from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from engine.errors import EngineError
from engine.settings import Env, number
from feast_repo.api.errors import Refused, unavailable
from feast_repo.api.keys import REREAD_S, AccessLog, Keys, Pool, Tenant, make_pool
from feast_repo.api.models import (
    MAX_BODY,
    RESPONSES,
    FeaturesRequest,
    FeaturesResponse,
    State,
    Verification,
    Verified,
    body_of,
)
from feast_repo.api.observed import Observed
from feast_repo.api.read import JOIN_KEYS, Catalog, Reader, Row, listed
from feast_repo.api.receipts import Receipts, answered
from feast_repo.store import database_url
from telemetry.hooks import ApiTelemetry

CATALOG_S: Final = 60.0
READY_S: Final = 1.0
BEAT_S: Final = 0.5
BODY_S: Final = 10.0
MAX_STATEMENT: Final = 500
RECEIPT: Final = {
    "name": "receipt",
    "in": "query",
    "description": "Whether to answer with receipts, which takes a question to the database.",
    "schema": {"type": "boolean", "default": False},
}
log = logging.getLogger("feast_repo.api")


@dataclass(frozen=True)
class Settings:
    """rate: requests a second that one key may make."""

    rate: int = 1_000

    @classmethod
    def from_env(cls, env: Env) -> Settings:
        """Read FEAST_API_RATE. Errors: ConfigError that says what it may be."""
        return cls(number(env, "FEAST_API_RATE", cls.rate, 1, 1_000_000, what="requests a second"))


class Api:
    """What the routes share."""

    def __init__(
        self,
        store: FeatureStore,
        database_url: str,
        settings: Settings,
        telemetry: ApiTelemetry,
    ) -> None:
        """Reads the registry. Errors: EngineError when it is empty; those of its database."""
        self.store = store
        self.pool: Pool = make_pool(database_url)
        self.keys = Keys(self.pool)
        self.access_log = AccessLog(self.pool)
        self.reader = Reader(store)
        self.receipts = Receipts(self.pool)
        self.telemetry = telemetry
        self.telemetry.watch(lambda: len(self.access_log))
        self.telemetry.publishing(database_url)
        self.catalog = Catalog.read(store)
        if not self.catalog.services:
            raise EngineError("Feast's registry is empty: run `make feast ARGS=apply` first")
        self.limiter = MovingWindowRateLimiter(MemoryStorage())
        self.rate = RateLimitItemPerSecond(settings.rate)
        self.answered = 0
        self._ready: tuple[float, Refused | None] = (float("-inf"), None)
        self._asking = asyncio.Lock()

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Run with the connections open; at the end, the access log is written."""
        await self.pool.open()
        self.access_log.start()
        tasks = [asyncio.create_task(self._refresh()), asyncio.create_task(self._beat())]
        self.telemetry.health.ready(True)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            log.info("%d requests for features answered in all", self.answered)
            await self.access_log.close()
            await self.reader.close()
            await self.pool.close()
            # here, because uvicorn then ends the process by the signal that it got
            await asyncio.to_thread(self.telemetry.close)

    async def _beat(self) -> None:
        while True:
            self.telemetry.health.beat()
            await asyncio.sleep(BEAT_S)

    async def _refresh(self) -> None:
        told = 0
        while True:
            await asyncio.sleep(CATALOG_S)
            if self.answered != told:
                told = self.answered
                log.info("%d requests for features answered so far", told)
            await self.reread()

    async def reread(self) -> None:
        """Take the registry as it is now; the last one stays where it cannot be read."""
        try:
            catalog = await asyncio.to_thread(Catalog.read, self.store)
        except Exception as error:
            log.error("the registry cannot be read, the last one stays: %s", error)
            return
        # somebody is making it anew: not a minute of answers without any name
        if not catalog.services:
            log.error("the registry is empty, the last one stays: run `make feast ARGS=apply`")
            return
        self.catalog = catalog

    async def features(self, request: Request) -> Response:
        """Answer POST /get-online-features. Errors: Refused."""
        key = _key(request)
        tenant = await self._admitted(key)
        wants_receipts = _wants_receipts(request)
        asked = _parsed(FeaturesRequest, await _body(request))
        entities = asked.entities
        told = told_of(asked, tenant)
        try:
            plan = self.catalog.plan(
                asked.feature_service,
                asked.features or (),
                asked.full_feature_names,
                asked.include_feature_view_version_metadata,
            )
            wanted = entities.tenant_id or [None] * len(entities.symbol)
            rows = rows_of(tenant, wanted, entities.symbol)
            if rows is None and time.monotonic() - tenant.read_at > REREAD_S:
                tenant = await self.keys.tenant(key, REREAD_S)
                rows = rows_of(tenant, wanted, entities.symbol)
            if rows is None:
                raise unknown(tenant, wanted, entities.symbol)
            answer = await self.reader.read(plan, rows)
            if wants_receipts:
                found = answered(plan, rows, answer["results"][len(JOIN_KEYS) :])
                answer["receipts"] = await self.receipts.of(tenant, found)
        except Refused:
            self.access_log.add(tenant.login, told, None)
            raise
        body = json.dumps(answer, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        # last: what cannot be logged is not answered
        self.access_log.add(tenant.login, told, len(rows))
        self.telemetry.answered(len(rows))
        self.answered += 1
        return Response(body, media_type="application/json")

    async def verify(self, request: Request) -> Response:
        """Answer POST /verify. Errors: Refused."""
        tenant = await self._admitted(_key(request))
        asked = _parsed(Verification, await _body(request))
        tenants = [asked.tenant_id] * len(asked.symbols)
        told = shortened(f"verify {asked.receipt[:200]} {series(tenants, asked.symbols, tenant)}")
        try:
            found = await self.receipts.verify(tenant, asked)
        except Refused:
            self.access_log.add(tenant.login, told, None)
            raise
        self.access_log.add(tenant.login, told, len(asked.symbols))
        return Response(Verified(**found).model_dump_json(), media_type="application/json")

    async def _admitted(self, key: str) -> Tenant:
        """The tenant of a key, which may ask now. Errors: Refused 401, 429, 503."""
        tenant = await self.keys.tenant(key)
        if not await self.limiter.hit(self.rate, tenant.login, key[:36]):
            raise Refused(
                429,
                "rate",
                f"more than {self.rate.amount} requests in a second: send fewer, with more "
                "entities each",
                retry_after_s=1,
            )
        return tenant

    async def ready(self) -> Response:
        """Answer GET /ready. Errors: Refused 503."""
        async with self._asking:
            at, refused = self._ready
            if time.monotonic() - at > READY_S:
                refused = await self._unready()
                self._ready = (time.monotonic(), refused)
                self.telemetry.health.ready(refused is None, refused.detail if refused else "")
        if refused is not None:
            raise refused
        return _json(200, {"status": "ready"})

    async def _unready(self) -> Refused | None:
        try:
            async with asyncio.timeout(2 * READY_S), self.pool.connection() as connection:
                await connection.execute("select 1")
        except Exception as error:
            log.error("the database does not answer: %s", error)
            return unavailable("database", "the database does not answer")
        try:
            await self.reader.ping()
        except Refused as refused:
            return refused
        return None


def _key(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _wants_receipts(request: Request) -> bool:
    said = request.query_params.getlist("receipt") or ["false"]
    if not {*said} <= {"true", "false"}:
        raise Refused(422, "receipt", "receipt is true or false, as in ?receipt=true")
    return said[-1] == "true"


async def _body(request: Request) -> bytes:
    """The body. Errors: Refused 413 above MAX_BODY, 408 when it takes too long or breaks off."""
    too_large = Refused(413, "size", f"send at most {MAX_BODY} bytes: ask for fewer entities")
    too_large.headers["Connection"] = "close"
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length[:20]) > MAX_BODY:
        raise too_large
    found = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                found += chunk
                if len(found) > MAX_BODY:
                    raise too_large
    except (TimeoutError, ClientDisconnect):
        raise Refused(408, "body", f"send the body within {BODY_S:.0f} seconds") from None
    return bytes(found)


Body = TypeVar("Body", bound=BaseModel)


def _parsed(model: type[Body], body: bytes) -> Body:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        if error.error_count() > 10:
            raise Refused(422, "body", "the body is not as /openapi.json says") from None
        wrong = "; ".join(
            f"{listed(['.'.join(map(str, found['loc'])) or 'body'])}: {found['msg']}"
            for found in error.errors(include_url=False, include_input=False, include_context=False)
        )
        raise Refused(422, "body", f"{wrong[:1000]} (/openapi.json says what to send)") from None


def rows_of(
    tenant: Tenant, wanted: Sequence[int | None], symbols: Sequence[str]
) -> list[Row] | None:
    """The series of each entity; None when one of them is not known.

    wanted: tenant_id of each, None for whichever visible tenant has the symbol. Errors: Refused 403
    for a tenant that is not visible, 422 where several have the symbol.
    """
    invisible = sorted({t for t in wanted if t is not None and t not in tenant.visible})
    if invisible:
        raise Refused(
            403,
            "tenant",
            f"tenant_id {listed([str(t) for t in invisible])} is not yours to read: leave it out, "
            f"or give one of {', '.join(map(str, sorted(tenant.visible)))}",
        )
    rows: list[Row] = []
    several: list[str] = []
    for tenant_id, symbol in zip(wanted, symbols, strict=True):
        holders = tenant.holders.get(symbol, ())
        if tenant_id is not None:
            holders = (tenant_id,) if tenant_id in holders else ()
        if not holders:
            return None
        if len(holders) > 1:
            several.append(f"{symbol} of {' and '.join(map(str, holders))}")
        rows.append((holders[0], symbol))
    if several:
        shown = listed(list(dict.fromkeys(several)))
        raise Refused(422, "ambiguous", f"give tenant_id, because you see {shown}")
    return rows


def unknown(tenant: Tenant, wanted: Sequence[int | None], symbols: Sequence[str]) -> Refused:
    """The refusal that names the symbols that are not there, or that nobody visible has."""
    missing = [
        symbol if tenant_id is None else f"{symbol} of tenant {tenant_id}"
        for tenant_id, symbol in zip(wanted, symbols, strict=True)
        if not tenant.holders.get(symbol)
        or (tenant_id is not None and tenant_id not in tenant.holders[symbol])
    ]
    return Refused(
        404,
        "unknown",
        f"nothing is known of {listed(list(dict.fromkeys(missing)))}: "
        "select tenant_id, symbol from api.feature_pit_snapshot_all() says what is",
    )


def told_of(asked: FeaturesRequest, tenant: Tenant) -> str:
    """What was asked for, as the access log has it; a series of others as symbol@tenant."""
    entities = asked.entities
    tenants = entities.tenant_id or [None] * len(entities.symbol)
    what = asked.feature_service or ",".join(asked.features or ())
    asked_for = series(tenants, entities.symbol, tenant)
    return shortened(f"get-online-features {what[:200]} {asked_for}")


def series(tenants: Sequence[int | None], symbols: Sequence[str], tenant: Tenant) -> str:
    """Symbols in one line, those of others as symbol@tenant."""
    return ",".join(
        symbol if tenant_id in (None, tenant.tenant_id) else f"{symbol}@{tenant_id}"
        for tenant_id, symbol in zip(tenants, symbols, strict=True)
    )


def shortened(text: str) -> str:
    """A text as the access log takes it."""
    if not text.isprintable():
        # no NUL, which the database cannot hold, and no line of its own in a log
        text = ascii(text)[1:-1]
    return text if len(text) <= MAX_STATEMENT else f"{text[: MAX_STATEMENT - 1]}…"


def _json(status: int, content: Any, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        json.dumps(content), status, headers=dict(headers or {}), media_type="application/json"
    )


def create_app(
    store: FeatureStore,
    database_url: str,
    settings: Settings | None = None,
    telemetry: ApiTelemetry | None = None,
) -> FastAPI:
    """The API over a store; database_url: as a login that has market_pool.

    Its state has `api`. Errors: EngineError when the registry is empty.
    """
    api = Api(store, database_url, settings or Settings(), telemetry or ApiTelemetry())
    app = FastAPI(
        title="Features",
        version="1",
        description="What is known now of your series, online.",
        docs_url=None,
        redoc_url=None,
        lifespan=api.lifespan,
        redirect_slashes=False,
    )
    app.state.api = api
    bearer = HTTPBearer(auto_error=False, description="a key of api.create_api_key()")

    @app.post(
        "/get-online-features",
        response_model=FeaturesResponse,
        responses=RESPONSES,
        dependencies=[Security(bearer)],
        openapi_extra={"requestBody": body_of(FeaturesRequest), "parameters": [RECEIPT]},
    )
    async def get_online_features(request: Request) -> Response:
        """Features of the series asked for, as they are online."""
        return await api.features(request)

    @app.post(
        "/verify",
        response_model=Verified,
        responses=RESPONSES,
        dependencies=[Security(bearer)],
        openapi_extra={"requestBody": body_of(Verification)},
    )
    async def verify(request: Request) -> Response:
        """Whether the answer that a receipt stands for is still given."""
        return await api.verify(request)

    @app.get("/health", response_model=State)
    async def health() -> Response:
        """Whether this process runs."""
        return _json(200, {"status": "ok"})

    @app.get("/ready", response_model=State, responses={503: RESPONSES[503]})
    async def ready() -> Response:
        """Whether the database and the online store answer."""
        return await api.ready()

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> Response:
        api.telemetry.rejected(error.reason)
        return _json(error.status, {"detail": error.detail}, error.headers)

    @app.exception_handler(HTTPException)
    async def no_route(_: Request, error: HTTPException) -> Response:
        api.telemetry.rejected("route")
        detail = f"{error.detail}: /openapi.json says what there is"
        return _json(error.status_code, {"detail": detail}, error.headers)

    @app.exception_handler(Exception)
    async def defect(_: Request, __: Exception) -> Response:
        return _json(500, {"detail": "this is a defect: tell the operator, whose log has it"})

    app.add_middleware(Observed, telemetry=api.telemetry)
    return app


def serve(
    store: FeatureStore, host: str, port: int, settings: Settings, telemetry: ApiTelemetry
) -> None:
    """Serve until SIGINT or SIGTERM.

    The store's database is read as a login that has market_pool. Errors: EngineError for an empty
    registry; SystemExit for a taken port.
    """
    app = create_app(store, database_url(store), settings, telemetry)
    # Feast leaves a million objects, and to look through them again and again takes 0.1 s each time
    gc.collect()
    gc.freeze()
    configured(app, host, port).run()


def configured(app: ASGIApp, host: str, port: int) -> uvicorn.Server:
    """The server for an app, of this API or another."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            loop="uvloop",
            http="httptools",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=10,
        )
    )
