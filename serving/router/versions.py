"""A version of a model as the router sees it, and what answers at a moment: the route."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serving.layout import triton_name
from serving.router.features import Encoder, Wanted
from training.bundle import Column, Matrix

ROLES = ("champion", "canary", "shadow")


@dataclass(frozen=True)
class Thresholds:
    """What a canary may do, of its card; None: it is not judged by that.

    max_error_rate: share of requests that it did not answer, or whose features it had not fresh.
    max_latency_ms: of 99 of 100 answers. max_disagreement: mean distance to the champion's score
    of the same rows. min_requests: before which nothing is decided.
    """

    max_error_rate: float | None = None
    max_latency_ms: float | None = None
    max_disagreement: float | None = None
    min_requests: int = 100

    @classmethod
    def of(cls, card: Mapping[str, Any]) -> Thresholds:
        """The thresholds of a card."""
        given = card.get("thresholds") or {}
        return cls(
            given.get("max_error_rate"),
            given.get("max_latency_ms"),
            given.get("max_disagreement"),
            max(1, int(given.get("min_requests") or cls.min_requests)),
        )


class Version:
    """A version of a model; held: by how many requests it may still be asked."""

    def __init__(self, model: str, number: int, tenant_id: int, card: Mapping[str, Any]) -> None:
        """card: of model.version. Errors: KeyError, TypeError for one that is damaged."""
        self.model = model
        self.number = number
        self.tenant_id = tenant_id
        self.name = triton_name(model, number)
        self.thresholds = Thresholds.of(card)
        self.encoder = Encoder(
            [
                Column(one["feature_set"], one["field"], tuple(one.get("categories") or ()))
                for one in card["columns"]
            ]
        )
        self.held = 0


@dataclass(frozen=True)
class Alias:
    """That a version has an alias; promoted_at tells it from the same version promoted again."""

    version: int
    promoted_at: datetime


@dataclass(frozen=True)
class Route:
    """What answers now. canary_share: of series, 0 to 1. wanted: what all of them read."""

    champion: Version
    canary: Version | None
    shadow: Version | None
    canary_share: float
    wanted: Wanted

    def hold(self) -> None:
        """None of its versions is unloaded until let_go()."""
        for one in self._versions():
            one.held += 1

    def let_go(self) -> None:
        """What hold() held."""
        for one in self._versions():
            one.held -= 1

    def _versions(self) -> Iterator[Version]:
        return (one for one in (self.champion, self.canary, self.shadow) if one is not None)


@dataclass
class Part:
    """Rows of one request that one version answered.

    alias, route: as api.prediction has them. places: of its rows in the request. matrix, scores:
    what it was asked and said.
    """

    version: Version
    alias: str
    route: str
    places: list[int]
    matrix: Matrix
    scores: Matrix
