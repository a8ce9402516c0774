"""Who asks and what they may see, by API key, from the database; and the log of what they read.

Both use one pool of connections whose login has market_pool: statements hold parameters only, a
transaction sets the tenant's role for itself, and DISCARD ALL ends each use of a session.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import psycopg
from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from psycopg import AsyncConnection, sql
from psycopg_pool import AsyncConnectionPool

from feast_repo.api.errors import unauthorized, unavailable

# How long the database's word on a key counts: a revoked key, a suspended tenant, an ended or new
# entitlement is noticed within it. Read again in the background from half of it on, so that a key
# in use waits for the database only once.
CACHE_S: Final = 10.0
RENEW_S: Final = CACHE_S / 2
# A symbol that is not known is looked for in the database at most this often by each key.
REREAD_S: Final = 1.0
MAX_KEYS: Final = 1_000
MAX_UNKNOWN: Final = 10_000
# Keys of the right form that this process has not seen yet, all together. Keys that it knows are
# read whatever strangers do.
NEW_KEYS_PER_S: Final = 50
DATABASE_S: Final = 3.0
FLUSH_S: Final = 0.5
MAX_LOGGED: Final = 10_000
CLOSE_S: Final = 5.0
KEY: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[0-9a-f]{64}", re.ASCII)
SERIES: Final = "select tenant_id, symbol from api.feature_pit_snapshot_all()"
INSERT: Final = """
    insert into api.access_log (statement, row_count)
    select * from unnest(%s::text[], %s::bigint[])
"""
log = logging.getLogger("feast_repo.api")

Connection = AsyncConnection[Any]
Pool = AsyncConnectionPool[Connection]


def make_pool(url: str) -> Pool:
    """Connections to url, not yet opened; one is asked whether it is alive before it is used."""

    async def reset(connection: Connection) -> None:
        await connection.execute("discard all")

    return AsyncConnectionPool(
        url,
        # DISCARD ALL drops prepared statements, and is refused in a transaction
        kwargs={"autocommit": True, "prepare_threshold": None, "connect_timeout": 5},
        min_size=1,
        max_size=4,
        max_waiting=200,
        timeout=2.0,
        # after it the next request starts anew, rather than wait for an ever rarer attempt
        reconnect_timeout=5.0,
        check=AsyncConnectionPool.check_connection,
        reset=reset,
        name="feature-api",
        open=False,
    )


@dataclass(frozen=True)
class Tenant:
    """Who holds a key: the role, the tenant, whose rows and which series it may see.

    holders: the visible tenants that have each symbol. read_at: monotonic seconds, before reading.
    """

    login: str
    tenant_id: int
    visible: frozenset[int]
    holders: Mapping[str, tuple[int, ...]]
    read_at: float


class Keys:
    """The tenants of keys, remembered by the keys' SHA-256."""

    def __init__(self, pool: Pool) -> None:
        """pool: opened by whoever runs this."""
        self._pool = pool
        self._known: OrderedDict[bytes, Tenant] = OrderedDict()
        self._unknown: OrderedDict[bytes, float] = OrderedDict()
        self._reading: dict[bytes, asyncio.Task[Tenant | None]] = {}
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._new_keys = RateLimitItemPerSecond(NEW_KEYS_PER_S)

    async def tenant(self, key: str, max_age_s: float = CACHE_S) -> Tenant:
        """The tenant of a key, as it was at most max_age_s ago.

        Errors: Refused 401 for a key that is malformed, unknown, revoked, expired or a suspended
        tenant's; 503 when the database does not answer, or too many unknown keys come.
        """
        if KEY.fullmatch(key) is None:
            raise unauthorized()
        digest = hashlib.sha256(key.encode()).digest()
        now = time.monotonic()
        known = self._known.get(digest)
        if known is not None:
            age = now - known.read_at
            if age < max_age_s:
                if age > RENEW_S:
                    self._read(digest, key)
                return known
        elif now - self._unknown.get(digest, float("-inf")) < CACHE_S:
            raise unauthorized()
        elif digest not in self._reading and not await self._limiter.hit(self._new_keys, "new"):
            raise unavailable("new_keys", "too many unknown keys are being tried")
        # shielded, because others may wait for it too
        found = await asyncio.shield(self._read(digest, key))
        if found is None:
            raise unauthorized()
        return found

    def _read(self, digest: bytes, key: str) -> asyncio.Task[Tenant | None]:
        """The one read of this key that is under way, started if there is none."""
        task = self._reading.get(digest)
        if task is None:
            task = asyncio.create_task(self._remembered(digest, key))
            self._reading[digest] = task
            task.add_done_callback(lambda done: self._finished(digest, done))
        return task

    def _finished(self, digest: bytes, task: asyncio.Task[Tenant | None]) -> None:
        del self._reading[digest]
        if not task.cancelled():
            task.exception()  # who waits for it gets it; nobody may

    async def _remembered(self, digest: bytes, key: str) -> Tenant | None:
        read_at = time.monotonic()
        try:
            async with asyncio.timeout(DATABASE_S), self._pool.connection() as connection:
                found = await _tenant(connection, key, read_at)
        except psycopg.errors.InvalidParameterValue:  # its login was dropped in this moment
            found = None
        except (psycopg.Error, OSError, TimeoutError) as error:
            log.error("no key can be checked: %s: %s", type(error).__name__, error)
            raise unavailable("database", "the database does not answer") from error
        if found is None:
            self._known.pop(digest, None)
            _remember(self._unknown, digest, read_at, MAX_UNKNOWN)
        else:
            self._unknown.pop(digest, None)
            _remember(self._known, digest, found, MAX_KEYS)
        return found


T = TypeVar("T")


def _remember(cache: OrderedDict[bytes, T], digest: bytes, value: T, limit: int) -> None:
    cache[digest] = value
    cache.move_to_end(digest)
    while len(cache) > limit:
        cache.popitem(last=False)


async def _tenant(connection: Connection, key: str, read_at: float) -> Tenant | None:
    async with connection.transaction():
        cursor = await connection.execute("select api.login_of_api_key(%s)", [key])
        login = (await cursor.fetchone() or [None])[0]
        if login is None:
            return None
        await connection.execute(_set_role(login))
        cursor = await connection.execute("select api.own_tenant(), api.visible_tenants()")
        own, visible = await cursor.fetchone() or (None, None)
        if own is None:
            return None
        series = await (await connection.execute(SERIES)).fetchall()
    holders: dict[str, tuple[int, ...]] = {}
    for tenant_id, symbol in sorted(series):
        holders[symbol] = (*holders.get(symbol, ()), tenant_id)
    return Tenant(login, own, frozenset(visible or ()), holders, read_at)


def _set_role(login: str) -> sql.Composed:
    return sql.SQL("set local role {}").format(sql.Identifier(login))


Entry = tuple[str, str, int | None]


class AccessLog:
    """Writes to api.access_log, as the tenant, at most a second after the answer.

    What the database cannot take now is kept and tried again; when MAX_LOGGED wait, reads are
    refused. What it will never take, because the tenant was suspended or removed after the read,
    goes to this process's log.
    """

    def __init__(self, pool: Pool) -> None:
        """pool: opened by whoever runs this."""
        self._pool = pool
        self._waiting: list[Entry] = []
        self._writing = 0
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """How many entries wait to be written."""
        return len(self._waiting) + self._writing

    def add(self, login: str, statement: str, row_count: int | None) -> None:
        """Note an access; statement: what Keys' tenant asked. Errors: Refused 503 when full."""
        if len(self) >= MAX_LOGGED:
            raise unavailable("log_full", "accesses cannot be logged")
        self._waiting.append((login, statement, row_count))

    def start(self) -> None:
        """Begin to write, on the running event loop."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Write what waits, for at most CLOSE_S; the rest goes to this process's log."""
        self._stop.set()
        if self._task is not None:
            await self._task
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self.flush()
        for login, statement, row_count in self._waiting:
            _tell(login, statement, row_count, "the database does not answer")

    async def _run(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._stop.wait(), FLUSH_S)
            except TimeoutError:
                await self.flush()
            else:
                return

    async def flush(self) -> None:
        """Write what waits now; what fails for now waits on."""
        batch, self._waiting = self._waiting, []
        by_login: dict[str, list[Entry]] = {}
        for entry in batch:
            by_login.setdefault(entry[0], []).append(entry)
        self._writing = len(batch)
        try:
            for login, entries in list(by_login.items()):
                try:
                    await self._write(login, entries)
                except (psycopg.ProgrammingError, psycopg.DataError, psycopg.IntegrityError) as why:
                    for entry in entries:
                        _tell(*entry, str(why).splitlines()[0])
                except (psycopg.Error, OSError, TimeoutError) as error:
                    log.error("accesses are not logged yet: %s", error)
                    break
                del by_login[login]
        finally:
            self._waiting = [e for entries in by_login.values() for e in entries] + self._waiting
            self._writing = 0

    async def _write(self, login: str, entries: list[Entry]) -> None:
        async with (
            asyncio.timeout(DATABASE_S),
            self._pool.connection() as connection,
            connection.transaction(),
        ):
            await connection.execute(_set_role(login))
            await connection.execute(INSERT, [[e[1] for e in entries], [e[2] for e in entries]])


def _tell(login: str, statement: str, row_count: int | None, why: str) -> None:
    log.error("not in api.access_log (%s): %s: %s: %s rows", why, login, statement, row_count)
