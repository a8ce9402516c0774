"""The API on a port, and who asks it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import redis
import requests
from fastapi import FastAPI
from feast import FeatureStore
from psycopg import sql
from psycopg.conninfo import make_conninfo

from feast_repo.api.app import Settings, configured, create_app
from feast_repo.store import materialize
from telemetry.hooks import ApiTelemetry
from tests.feast.market import MINUTE, SYMBOLS, Market
from tests.pit.oracle import Event, Quote, Trade

# Only the owner of the feed has it; SYMBOLS[0] is the feed's and each customer's.
FED = "BTCUSDT"
PATH = "/get-online-features"


@dataclass(frozen=True)
class Served:
    """A running API, and the database, online store and tenants behind it.

    first and second are customers, who have SYMBOLS each; feed is a dataset's owner, who has FED
    and SYMBOLS[0], and to which first is entitled. url: of HTTP. database: as superuser; pool: as a
    login that has market_pool, where the engine has logins.
    """

    url: str
    app: FastAPI
    database: str
    pool: str
    redis_url: str
    store: FeatureStore
    logins: Mapping[int, str]
    keys: Mapping[int, str]
    first: int
    second: int
    feed: int

    def ask(self, body: Any, key: str | None = "", **options: Any) -> requests.Response:
        """POST a body to a path; by first's key unless told otherwise, None for no key."""
        shown = self.keys[self.first] if key == "" else key
        headers = {} if shown is None else {"Authorization": f"Bearer {shown}"}
        headers |= options.pop("headers", {})
        path = options.pop("path", PATH)
        return requests.post(self.url + path, json=body, headers=headers, timeout=30, **options)

    def execute(self, statement: str, parameters: Any = None, role: str | None = None) -> Any:
        """Rows of a statement, by a role; None where it gives none."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            if role is not None:
                connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else None

    def new_key(self, tenant: int, expires: str | None = None) -> str:
        """A key that nobody used so far."""
        call = "select api.create_api_key('a test', %s)"
        key = self.execute(call, [expires], self.logins[tenant])[0][0]
        assert isinstance(key, str)
        return key

    @contextmanager
    def another(
        self,
        database: str | None = None,
        rate: int = 1_000,
        telemetry: ApiTelemetry | None = None,
    ) -> Iterator[Served]:
        """The same, served by an app of the caller's own."""
        app = create_app(self.store, database or self.pool, Settings(rate), telemetry)
        with running(app) as url:
            yield Served(**{**self.__dict__, "app": app, "url": url})


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """Serve an app on a free port; yields its URL."""
    server = configured(app, "127.0.0.1", 0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 120
        while not server.started and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.started
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


def _feed(market: Market) -> int:
    """A third tenant, with the newest bars of FED and of SYMBOLS[0]."""
    tenant = market.world.tenant()
    events = []
    for minute in range(60):
        ts = market.now - (61 - minute) * MINUTE
        for n, symbol in enumerate((FED, SYMBOLS[0])):
            key = tenant, symbol, ts, 2 * minute + n
            values = Trade(700.0 + n + minute / 7, 1.0, "buy")
            events.append(Event("new", *key, values, market.now))
            quote = Quote(699.0, 1.0, 701.0 + minute / 9, 1.0)
            events.append(Event("new", *key, quote, market.now))
    market.world.apply(events)
    market.publish(timedelta(seconds=1))
    return tenant


@contextmanager
def served(
    market: Market, store: FeatureStore, database: str, redis_url: str, kind: str
) -> Iterator[Served]:
    """Tenants, entitlements, logins, keys and a pool's login, and the API over them."""
    feed = _feed(market)
    first, second = market.tenants
    name = uuid.uuid4().hex[:8]
    logins = {tenant: f"t{tenant}_{name}" for tenant in (first, second, feed)}
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    materialize(store)
    pool = f"pool_{name}"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("call access.lockdown()")
        connection.execute("insert into access.dataset values ('feed', %s, 'a feed')", [feed])
        for tenant, login in logins.items():
            connection.execute(
                "call access.set_tenant(%s, p_name => %s, p_logins => array[%s]::name[],"
                " p_datasets => %s)",
                [tenant, login, login, ["feed"] if tenant == first else []],
            )
        connection.execute(
            sql.SQL("create role {} login in role market_pool").format(sql.Identifier(pool))
        )
    pool_url = database if kind == "embedded" else make_conninfo(database, user=pool)
    app = create_app(store, pool_url)
    made = Served(
        url="",
        app=app,
        database=database,
        pool=pool_url,
        redis_url=redis_url,
        store=store,
        logins=logins,
        keys={},
        first=first,
        second=second,
        feed=feed,
    )
    keys = {tenant: made.new_key(tenant) for tenant in logins}
    try:
        with running(app) as url:
            yield Served(**{**made.__dict__, "url": url, "keys": keys})
    finally:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("call access.set_tenant(%s, p_datasets => '{}')", [first])
            for tenant in logins:
                connection.execute("call access.remove_tenant(%s)", [tenant])
            connection.execute(sql.SQL("drop role {}").format(sql.Identifier(pool)))
