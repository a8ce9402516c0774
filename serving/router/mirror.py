"""The shadow's answers, and the champion's to rows that the canary answered: beside the answer.

A request does not wait for it and does not fail by it. What comes faster than it is worked off is
dropped, and counted.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from serving.layout import MAX_ROWS
from serving.router.features import Online
from serving.router.guard import Guard
from serving.router.predictions import Batch
from serving.router.triton import Away, Raised, Triton
from serving.router.versions import Route, Version
from telemetry.hooks import RouterTelemetry
from training.bundle import Matrix

MAX_JOBS: Final = 500
WORKERS: Final = 2
GATHER_S: Final = 0.005
MIRROR_S: Final = 1.0
log = logging.getLogger("serving.router")


@dataclass
class Job:
    """What was answered, by which route, and of what."""

    batch: Batch
    route: Route
    online: Online
    guard: Guard | None


class Mirror:
    """A bounded queue and its workers."""

    def __init__(self, triton: Triton, telemetry: RouterTelemetry) -> None:
        """triton: that is asked."""
        self._triton = triton
        self._telemetry = telemetry
        self._queue: asyncio.Queue[Job] = asyncio.Queue(MAX_JOBS)
        self._workers: list[asyncio.Task[None]] = []

    def __len__(self) -> int:
        """How many jobs wait."""
        return self._queue.qsize()

    def start(self) -> None:
        """Begin, on the running event loop."""
        self._workers = [asyncio.create_task(self._work()) for _ in range(WORKERS)]

    async def close(self, limit_s: float) -> None:
        """Work off what waits, for so long; batches of the rest stay unsettled."""
        try:
            async with asyncio.timeout(limit_s):
                await self._queue.join()
        except TimeoutError:
            log.error("%d requests were not mirrored", len(self))
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    def offer(self, job: Job) -> None:
        """Have a request mirrored where there is somebody to ask and room; never waits."""
        route = job.route
        has_canary = any(part.version is not route.champion for part in job.batch.parts)
        if route.shadow is None and not has_canary:
            job.batch.is_settled = True
            return
        if route.shadow is not None:
            job.batch.shadow_version = route.shadow.number
        try:
            self._queue.put_nowait(job)
        except asyncio.QueueFull:
            job.batch.is_settled = True
            self._telemetry.dropped(job.batch.model, len(job.batch))
            return
        # until it is worked off, as by a request
        route.hold()

    async def _work(self) -> None:
        while True:
            jobs = [await self._queue.get()]
            # nobody waits for it: what comes in a few milliseconds is asked at once
            await asyncio.sleep(GATHER_S)
            while not self._queue.empty() and sum(len(job.batch) for job in jobs) < MAX_ROWS // 2:
                jobs.append(self._queue.get_nowait())
            try:
                await asyncio.gather(self._shadow(jobs), *map(self._compare, jobs))
            except Exception:
                log.exception("%d requests were not mirrored", len(jobs))
            finally:
                for job in jobs:
                    job.batch.is_settled = True
                    job.route.let_go()
                    self._queue.task_done()

    async def _shadow(self, jobs: Sequence[Job]) -> None:
        """Ask each shadow once for all the jobs that have it."""
        asked: dict[Version, list[tuple[Batch, list[int], Matrix]]] = {}
        for job in jobs:
            shadow = job.route.shadow
            if shadow is None:
                continue
            answered = sorted(place for part in job.batch.parts for place in part.places)
            refused = shadow.encoder.refused(job.online, answered)
            places = [place for place in answered if place not in refused]
            matrix, wrong = shadow.encoder.encode(job.route.wanted, job.online, places)
            kept = [n for n, place in enumerate(places) if place not in wrong]
            rows = (job.batch, [places[n] for n in kept], matrix[kept])
            asked.setdefault(shadow, []).append(rows)
        for shadow, found in asked.items():
            together = np.concatenate([matrix for _, _, matrix in found])
            scores = await self._asked(shadow, "shadow", together)
            if scores is None:
                continue
            said = iter(scores.tolist())
            for batch, places, _ in found:
                for place in places:
                    if math.isfinite(score := next(said)):
                        batch.shadow[place] = score

    async def _compare(self, job: Job) -> None:
        champion = job.route.champion
        for part in job.batch.parts:
            if part.version is champion or job.guard is None:
                continue
            refused = champion.encoder.refused(job.online, part.places)
            places = [place for place in part.places if place not in refused]
            matrix, wrong = champion.encoder.encode(job.route.wanted, job.online, places)
            kept = [n for n, place in enumerate(places) if place not in wrong]
            scores = await self._asked(champion, "champion", matrix[kept])
            if scores is not None:
                said = dict(zip(part.places, part.scores.tolist(), strict=True))
                for n, score in zip(kept, scores.tolist(), strict=True):
                    job.guard.compared(abs(said[places[n]] - score))

    async def _asked(self, version: Version, role: str, matrix: Matrix) -> Matrix | None:
        if not len(matrix):
            return None
        try:
            scores = np.concatenate(
                [
                    await self._triton.infer(
                        version.name, version.number, matrix[first : first + MAX_ROWS], MIRROR_S
                    )
                    for first in range(0, len(matrix), MAX_ROWS)
                ]
            )
        except (Away, Raised) as error:
            self._telemetry.failed(version.model, version.number, role)
            log.debug("%s is not mirrored: %s", version.name, error)
            return None
        self._telemetry.mirrored(version.model, version.number, len(matrix))
        return scores
