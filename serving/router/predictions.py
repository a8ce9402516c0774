"""The log of predictions: api.prediction, written in batches as the login of the key that asked.

What the database cannot take now is kept and tried again; when MAX_WAITING rows wait, requests are
refused before anything is scored. What it has not taken when the process ends goes to a file, and
the next process writes it. Each row has its id from here: what was written and not acknowledged is
not written twice.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from feast_repo.api.errors import unavailable
from feast_repo.api.keys import Pool
from serving.router.versions import Part
from training.bundle import row_digests

FLUSH_S: Final = 0.5
# How long a row waits for what the shadow says.
SHADOW_S: Final = 3.0
MAX_WAITING: Final = 100_000
# A statement's rows: json.dumps() of them holds up every other request for a millisecond or two.
CHUNK: Final = 500
WRITE_S: Final = 10.0
CLOSE_S: Final = 5.0
SPOOL: Final = "predictions-*.jsonl"
# the first one's stamp is -infinity
GENERATIONS: Final = """
    select feature_set, generation, extract(epoch from switched_at)::double precision
    from api.generation
"""
INSERT: Final = """
    insert into api.prediction (
        prediction_id, model, symbol, as_of, value, feature_hash, version, alias, route, inputs,
        latency_ms, shadow_version, shadow_value
    )
    select
        p.prediction_id, p.model, p.symbol, p.as_of, p.value, p.feature_hash, p.version, p.alias,
        p.route, p.inputs, p.latency_ms, p.shadow_version, p.shadow_value
    from json_to_recordset(%s::json) as p (
        prediction_id uuid, model text, symbol text, as_of timestamptz, value double precision,
        feature_hash text, version integer, alias text, route text, inputs jsonb,
        latency_ms double precision, shadow_version integer, shadow_value double precision
    )
    on conflict (tenant_id, prediction_id) do nothing
"""
log = logging.getLogger("serving.router")

Entry = dict[str, Any]
Generations = Sequence[tuple[str, int, float]]


@dataclass
class Batch:
    """The predictions of one request.

    ids, symbols, tenants, moments: of all its rows; moments: by set, the text that Feast has.
    parts: which version answered which rows; a row that was refused is in none. shadow: what the
    shadow said, by row. is_settled: no more comes from the shadow.
    """

    login: str
    own_tenant: int
    model: str
    ids: Sequence[str]
    symbols: Sequence[str]
    tenants: Sequence[int]
    moments: dict[str, Sequence[str]]
    parts: list[Part]
    latency_ms: float
    shadow_version: int | None = None
    shadow: dict[int, float] = field(default_factory=dict)
    is_settled: bool = False
    added_at: float = field(default_factory=time.monotonic)

    def __len__(self) -> int:
        """How many rows of the log it is."""
        return sum(len(part.places) for part in self.parts)

    def entries(self, generations: Generations) -> Iterable[Entry]:
        """Its rows of the log."""
        for part in self.parts:
            digests = row_digests(part.matrix)
            for n, place in enumerate(part.places):
                other = self.tenants[place]
                at = tuple((of, self.moments[of][place]) for of in part.version.encoder.sets)
                inputs, newest = _inputs(
                    at, None if other == self.own_tenant else other, tuple(generations)
                )
                yield {
                    "prediction_id": self.ids[place],
                    "model": self.model,
                    "symbol": self.symbols[place],
                    "as_of": newest,
                    "value": float(part.scores[n]),
                    "feature_hash": digests[n],
                    "version": part.version.number,
                    "alias": part.alias,
                    "route": part.route,
                    "inputs": inputs,
                    "latency_ms": self.latency_ms,
                    "shadow_version": self.shadow_version if place in self.shadow else None,
                    "shadow_value": self.shadow.get(place),
                }


@lru_cache(maxsize=10_000)
def _inputs(
    moments: tuple[tuple[str, str], ...],
    other_tenant: int | None,
    generations: tuple[tuple[str, int, float], ...],
) -> tuple[dict[str, Any], str]:
    """Column inputs and as_of: the moments that were asked, and the newest of them."""
    inputs: dict[str, Any] = {}
    for of, at in moments:
        inputs[of] = {"as_of": at}
        # not known before the database has answered once: flush() adds it
        if (generation := _generation(of, at, generations)) is not None:
            inputs[of]["generation"] = generation
        if other_tenant is not None:
            inputs[of]["tenant_id"] = other_tenant
    return inputs, max((at for _, at in moments), key=datetime.fromisoformat)


def _generation(of: str, at: str, generations: Generations) -> int | None:
    """The generation that a set's log had at a moment; None: there is none that is known."""
    moment = datetime.fromisoformat(at).timestamp()
    # the first publish of a generation comes after its stamp
    return max((n for name, n, since in generations if name == of and since < moment), default=None)


def _lack_generations(entries: Sequence[Entry]) -> bool:
    return any(
        "generation" not in asked
        for entry in entries
        for asked in (entry.get("inputs") or {}).values()
    )


class Predictions:
    """The log, and the task that writes it."""

    def __init__(self, pool: Pool, spool: Path, lost: Callable[[int], None]) -> None:
        """pool: see Keys. spool: the folder for what the database did not take until the end.

        lost: told how many rows the database will never take, as of a tenant that was removed.
        """
        self._pool = pool
        self._spool = spool
        self._lost = lost
        self._batches: list[Batch] = []
        self._ready: list[tuple[str, list[Entry]]] = []
        self._reserved = 0
        self._rows = 0
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._taken: list[Path] = []
        self._left_over = 0
        self._generations: Generations = ()
        self._generations_at = float("-inf")

    def __len__(self) -> int:
        """How many rows wait to be written."""
        return self._rows

    def reserve(self, rows: int) -> None:
        """Keep room for rows, which release() gives back. Errors: Refused 503 when full."""
        if self._rows + self._reserved + rows > MAX_WAITING:
            raise unavailable("log_full", "predictions cannot be logged, so none is made")
        self._reserved += rows

    def release(self, rows: int) -> None:
        """Give back what reserve() kept."""
        self._reserved -= rows

    def add(self, batch: Batch) -> None:
        """Note what was answered."""
        self._batches.append(batch)
        self._rows += len(batch)

    def start(self) -> None:
        """Take up what the last process left, and begin to write, on the running event loop."""
        for file in sorted(self._spool.glob(SPOOL)):
            try:
                for line in file.read_text().splitlines():
                    login, entries = json.loads(line)
                    self._ready.append((login, entries))
                    self._rows += len(entries)
                self._taken.append(file)
            except (OSError, ValueError) as error:
                log.error("%s is not read, and stays: %s", file, error)
        self._left_over = len(self._ready)
        if self._taken:
            log.info("%d predictions of the process before are written", self._rows)
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Write what waits, for at most CLOSE_S; the rest goes to the spool."""
        self._stop.set()
        if self._task is not None:
            await self._task
        for batch in self._batches:
            batch.is_settled = True
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self.flush()
        if self._batches or self._ready:
            self._keep()

    def _keep(self) -> None:
        self._spool.mkdir(parents=True, exist_ok=True)
        for batch in self._batches:
            self._ready.append((batch.login, list(batch.entries(self._generations))))
        file = self._spool / f"predictions-{time.time_ns()}-{os.getpid()}.jsonl"
        making = file.with_suffix(".new")
        with making.open("w") as out:
            for login, entries in self._ready:
                out.write(json.dumps([login, entries]) + "\n")
            out.flush()
            os.fsync(out.fileno())
        making.rename(file)
        log.error("%d predictions are kept in %s, for the next process", self._rows, file)
        for taken in self._taken:
            taken.unlink(missing_ok=True)

    async def _run(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._stop.wait(), FLUSH_S)
            except TimeoutError:
                await self.flush()
            else:
                return

    async def flush(self) -> None:
        """Write what waits now and is settled; what fails for now waits on."""
        now = time.monotonic()
        by_login: dict[str, list[Batch]] = {}
        waiting = []
        for batch in self._batches:
            if batch.is_settled or now - batch.added_at > SHADOW_S:
                by_login.setdefault(batch.login, []).append(batch)
            else:
                waiting.append(batch)
        self._batches = waiting
        try:
            while self._ready:
                login, entries = self._ready[0]
                if _lack_generations(entries):
                    await self._complete(login, entries)
                await self._write(login, entries)
                self._ready.pop(0)
                self._rows -= len(entries)
                self._left_over -= 1
                if self._left_over == 0:
                    for file in self._taken:
                        file.unlink(missing_ok=True)
                    self._taken = []
            for login in list(by_login):
                if not self._generations or now - self._generations_at > 1.0:
                    await self._read_generations(login)
                batches = by_login.pop(login)
                entries = [entry for b in batches for entry in b.entries(self._generations)]
                chunks = [entries[n : n + CHUNK] for n in range(0, len(entries), CHUNK)]
                self._ready += [(login, chunk) for chunk in chunks]
                while self._ready:
                    await self._write(*self._ready[0])
                    self._rows -= len(self._ready.pop(0)[1])
        except (psycopg.Error, OSError, TimeoutError) as error:
            log.error("predictions are not logged yet: %s: %s", type(error).__name__, error)
        finally:
            # those of a login that was not reached stay as they are
            self._batches = [b for batches in by_login.values() for b in batches] + self._batches

    async def _complete(self, login: str, entries: list[Entry]) -> None:
        await self._read_generations(login)
        for entry in entries:
            for of, asked in entry["inputs"].items():
                found = _generation(of, asked["as_of"], self._generations)
                if found is not None:
                    asked["generation"] = found

    async def _read_generations(self, login: str) -> None:
        async with (
            asyncio.timeout(WRITE_S),
            self._pool.connection() as connection,
            connection.transaction(),
        ):
            try:
                await connection.execute(_set_role(login))
                cursor = await connection.execute(GENERATIONS)
                self._generations = tuple(await cursor.fetchall())
                self._generations_at = time.monotonic()
            except (psycopg.ProgrammingError, psycopg.DataError) as error:
                # a login that is gone: what it has is told below, and the next one is asked
                log.error("generations are not read as %s: %s", login, error)

    async def _write(self, login: str, entries: list[Entry]) -> None:
        text = await asyncio.to_thread(json.dumps, entries)
        try:
            async with (
                asyncio.timeout(WRITE_S),
                self._pool.connection() as connection,
                connection.transaction(),
            ):
                await connection.execute(_set_role(login))
                await connection.execute(INSERT, [text])
        except (psycopg.ProgrammingError, psycopg.DataError, psycopg.IntegrityError) as error:
            # the tenant was suspended or removed, or its login dropped, after it was answered
            self._lost(len(entries))
            why = str(error).splitlines()[0]
            log.error("not in api.prediction (%s): %s: %s", why, login, text)


def _set_role(login: str) -> sql.Composed:
    return sql.SQL("set local role {}").format(sql.Identifier(login))


def new_ids(rows: int) -> list[str]:
    """An id for each of so many predictions."""
    return [str(uuid.uuid4()) for _ in range(rows)]
