"""One request for scores: its rows to the versions that answer them, and what was answered."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from feast_repo.api.errors import Refused, unavailable
from feast_repo.api.read import Row
from serving.router.features import Online
from serving.router.guard import Guard
from serving.router.split import is_canarys
from serving.router.triton import INFER_S, Away, Raised, Triton
from serving.router.versions import Part, Route, Version
from telemetry.hooks import RouterTelemetry
from training.bundle import Matrix

# A canary that hangs must not take the champion's time: so many times what it may take at most.
PATIENCE: Final = 5.0
LEAST_PATIENCE_S: Final = 0.05
log = logging.getLogger("serving.router")


@dataclass
class Answer:
    """What was answered: parts, and why each other row was not."""

    parts: list[Part] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)

    def columns(self, rows: int, online: Online, ids: Sequence[str]) -> dict[str, list[Any]]:
        """As kserve.OUTPUTS has them."""
        found: dict[str, list[Any]] = {
            name: [None] * rows for name in ("score", "version", "alias", "route", "as_of")
        }
        found["prediction_id"] = [None] * rows
        found["refused"] = [self.refused.get(place) for place in range(rows)]
        for part in self.parts:
            of_sets = [online.moments[of] for of in part.version.encoder.sets]
            for place, score in zip(part.places, part.scores.tolist(), strict=True):
                found["score"][place] = score
                found["version"][place] = part.version.number
                found["alias"][place] = part.alias
                found["route"][place] = part.route
                found["as_of"][place] = max((of[place] for of in of_sets), key=_sortable)
                found["prediction_id"][place] = ids[place]
        return found


def _sortable(at: str) -> str:
    # RFC 3339 with as many digits as it takes: ...:00Z is before ...:00.5Z
    return at.rstrip("Z")


class Answering:
    """Asks Triton for a request."""

    def __init__(self, triton: Triton, telemetry: RouterTelemetry) -> None:
        """triton: that is asked."""
        self._triton = triton
        self._telemetry = telemetry

    async def answer(
        self, route: Route, guard: Guard | None, rows: Sequence[Row], online: Online
    ) -> Answer:
        """Score rows. Errors: Refused 503 when the champion is needed and does not answer."""
        everything = range(len(rows))
        champion, canary = route.champion, route.canary
        found = Answer(refused=champion.encoder.refused(online, everything))
        if canary is None or not route.canary_share:
            places = [place for place in everything if place not in found.refused]
            await self._champion(route, "champion", places, online, found)
            return found
        is_canarys_row = [
            is_canarys(champion.model, *rows[place], route.canary_share) for place in everything
        ]
        stale = canary.encoder.refused(online, [n for n in everything if is_canarys_row[n]])
        if guard is not None:
            for place in everything:
                if is_canarys_row[place] and place not in found.refused:
                    guard.read(place not in stale)
        theirs = [n for n in everything if is_canarys_row[n] and n not in stale]
        fallback = [n for n in stale if n not in found.refused]
        for place in theirs:
            # its own features are there, whatever the champion's are
            found.refused.pop(place, None)
        ours = [n for n in everything if not is_canarys_row[n] and n not in found.refused]
        left, _ = await asyncio.gather(
            self._canary(route, canary, guard, theirs, online, found),
            self._champion(route, "champion", ours, online, found),
        )
        await self._champion(route, "fallback", sorted([*fallback, *left]), online, found)
        return found

    async def _champion(
        self, route: Route, how: str, places: Sequence[int], online: Online, found: Answer
    ) -> None:
        champion = route.champion
        refused = champion.encoder.refused(online, places)
        matrix, wrong = champion.encoder.encode(route.wanted, online, places)
        found.refused |= refused | wrong
        kept = [n for n, place in enumerate(places) if place not in found.refused]
        if not kept:
            return
        asked = matrix[kept]
        scores = await self.scored(champion, asked)
        part = Part(champion, "champion", how, [places[n] for n in kept], asked, scores)
        self._noted(part, found)

    async def _canary(
        self,
        route: Route,
        canary: Version,
        guard: Guard | None,
        places: Sequence[int],
        online: Online,
        found: Answer,
    ) -> list[int]:
        """Rows that it did not answer."""
        matrix, wrong = canary.encoder.encode(route.wanted, online, places)
        kept = [n for n, place in enumerate(places) if place not in wrong]
        left = sorted(wrong)
        if not kept:
            return left
        asked = matrix[kept]
        most_ms = canary.thresholds.max_latency_ms
        patience_s = INFER_S if most_ms is None else PATIENCE * most_ms / 1e3
        began = time.perf_counter()
        try:
            scores = await self._triton.infer(
                canary.name,
                canary.number,
                asked,
                min(INFER_S, max(LEAST_PATIENCE_S, patience_s)),
            )
            if not np.isfinite(scores).all():
                raise Raised("a score that is no number")
        except (Away, Raised) as error:
            self._telemetry.failed(canary.model, canary.number, "canary")
            log.debug("%s does not answer: %s", canary.name, error)
            if guard is not None:
                guard.failed(time.perf_counter() - began)
            return sorted([*left, *(places[n] for n in kept)])
        if guard is not None:
            guard.answered(time.perf_counter() - began)
        part = Part(canary, "canary", "canary", [places[n] for n in kept], asked, scores)
        self._noted(part, found)
        return left

    async def scored(self, champion: Version, matrix: Matrix) -> Matrix:
        """What the champion says. Errors: Refused 503."""
        try:
            return await self._triton.infer(champion.name, champion.number, matrix)
        except Away as error:
            self._telemetry.failed(champion.model, champion.number, "champion")
            # of each request a line would fill the disk: the fleet says once that it is away
            log.debug("%s does not answer: %s", champion.name, error)
            raise unavailable(
                "triton", "Triton does not answer, or is loading the model"
            ) from error
        except Raised as error:
            self._telemetry.failed(champion.model, champion.number, "champion")
            log.error("%s raised: %s", champion.name, error)
            raise Refused(
                503,
                "champion",
                f"version {champion.number} of {champion.model} failed on these rows: {error}",
                retry_after_s=1,
            ) from error

    def _noted(self, part: Part, found: Answer) -> None:
        finite = np.isfinite(part.scores)
        if not finite.all():
            for place, is_good in zip(part.places, finite, strict=True):
                if not is_good:
                    found.refused[place] = "raised: the model gave no number"
            kept = [n for n, is_good in enumerate(finite) if is_good]
            part.places = [part.places[n] for n in kept]
            part.matrix, part.scores = part.matrix[kept], part.scores[kept]
        if part.places:
            found.parts.append(part)
            self._telemetry.predicted(
                part.version.model, part.version.number, part.route, len(part.places)
            )
