"""Which versions answer: the aliases of the database, as far as Triton has them loaded and warm.

Every second it reads model.alias and model.canary_share. A version is loaded and asked once before
it is routed to; the one before it answers until then, and is unloaded when no request holds it. A
version that does not load changes nothing for the others.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import psycopg

from feast_repo.api.errors import Refused, unavailable
from feast_repo.api.keys import DATABASE_S, Pool
from feast_repo.api.read import Catalog
from serving.router.features import Wanted
from serving.router.guard import Guard, Verdict
from serving.router.triton import Away, Raised, Triton
from serving.router.versions import ROLES, Alias, Route, Version
from telemetry.hooks import RouterTelemetry

LOOK_S: Final = 1.0
# Another router of the same Triton may look a second later.
RETIRE_S: Final = 5.0
# A version whose folder comes, or is mended, is there within it.
AGAIN_S: Final = 2.0
LOOK: Final = """
    select a.model, a.alias, a.version, a.promoted_at, s.canary_share
    from model.alias as a
    inner join model.canary_share as s on a.model = s.model
    where a.model = any(%s)
"""
CARDS: Final = """
    select v.model, v.version, v.tenant_id, v.card
    from model.version as v
    inner join unnest(%s::text[], %s::integer[]) as w (model, version)
        on v.model = w.model and v.version = w.version
"""
WITHDRAW: Final = "select model.withdraw_canary(%s, %s, %s, %s::jsonb)"
log = logging.getLogger("serving.router")


@dataclass
class _Model:
    """What is known of a model.

    aliases, share: of the database. serving: the version in each role that was last routed to.
    problems: why a role's version is not. guard: of the canary, while it is that.
    withdrawn: canaries whose rollback the database has not yet.
    """

    aliases: dict[str, Alias] = field(default_factory=dict)
    share: float = 0.0
    serving: dict[str, Version] = field(default_factory=dict)
    route: Route | None = None
    problems: dict[str, str] = field(default_factory=dict)
    guard: tuple[Alias, Guard] | None = None
    withdrawn: dict[Alias, Verdict] = field(default_factory=dict)


class Fleet:
    """The versions of the models that this router serves."""

    def __init__(
        self,
        models: Sequence[str],
        pool: Pool,
        triton: Triton,
        wanted: Callable[[Sequence[Version]], Wanted],
        telemetry: RouterTelemetry,
    ) -> None:
        """wanted: what versions read, of the registry as it is then. pool: see Keys."""
        self._pool = pool
        self._triton = triton
        self._wanted = wanted
        self._telemetry = telemetry
        self._models = {model: _Model() for model in models}
        self._versions: dict[tuple[str, int], Version] = {}
        self._warm: set[str] = set()
        self._again: dict[str, float] = {}
        self._left: dict[str, float] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._woken = asyncio.Event()
        self._looked = False
        self.is_away = True

    @property
    def models(self) -> list[str]:
        """Names of what is served here."""
        return sorted(self._models)

    def start(self) -> None:
        """Begin to look, on the running event loop."""
        self._tasks = [asyncio.create_task(self._looking()), asyncio.create_task(self._loading())]

    async def close(self) -> None:
        """Look no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def wake(self) -> None:
        """Compare with Triton at once: an answer said that it is not as it was."""
        self._woken.set()

    def tenant_of(self, model: str) -> int | None:
        """Whose features a model learned from; None: it is not known here, or has no champion."""
        found = self._models.get(model)
        if found is None or "champion" not in found.aliases:
            return None
        version = self._versions.get((model, found.aliases["champion"].version))
        return None if version is None else version.tenant_id

    def route(self, model: str) -> Route:
        """What answers now. Errors: Refused 503 where nothing is loaded."""
        found = self._models[model]
        if found.route is not None:
            return found.route
        if self.is_away:
            raise unavailable("triton", "Triton does not answer")
        said = found.problems.get("champion", "its champion is being loaded")
        raise unavailable("no_version", f"{model} cannot answer: {said}")

    def guard(self, model: str) -> Guard | None:
        """The guard of the canary that is routed to."""
        found = self._models[model].guard
        return None if found is None else found[1]

    def state(self, model: str) -> dict[str, Any]:
        """What a model's metadata says: per role its version, and why it does not answer."""
        found = self._models[model]
        roles: dict[str, Any] = {}
        for role in ROLES:
            alias, serving = found.aliases.get(role), found.serving.get(role)
            if alias is None and serving is None:
                continue
            roles[role] = {
                "version": None if alias is None else alias.version,
                "answers": None if serving is None else serving.number,
            }
            if role in found.problems:
                roles[role]["problem"] = found.problems[role]
        return {"aliases": roles, "canary_share": found.share}

    async def _looking(self) -> None:
        while True:
            began = time.monotonic()
            await self.look()
            await self._judge()
            await asyncio.sleep(max(0.0, LOOK_S - (time.monotonic() - began)))

    async def look(self) -> None:
        """Read what the database says; what was known stays where it does not answer."""
        try:
            async with asyncio.timeout(DATABASE_S), self._pool.connection() as connection:
                rows = await (await connection.execute(LOOK, [self.models])).fetchall()
                await self._read_cards(connection, rows)
        except (psycopg.Error, OSError, TimeoutError) as error:
            log.error("the aliases cannot be read, the last ones stay: %s", error)
            return
        for model, found in self._models.items():
            aliases = {
                role: Alias(version, at)
                for name, role, version, at, _ in rows
                if name == model and (name, version) in self._versions
            }
            found.share = next((share for name, *_, share in rows if name == model), 0.0)
            found.withdrawn = {
                alias: verdict
                for alias, verdict in found.withdrawn.items()
                if alias == aliases.get("canary")
            }
            if aliases != found.aliases:
                found.aliases = aliases
                self.wake()
            self._compose(model)
        self._looked = True

    async def _read_cards(self, connection: Any, rows: Sequence[Sequence[Any]]) -> None:
        unknown = sorted({(row[0], row[2]) for row in rows} - self._versions.keys())
        if not unknown:
            return
        asked = [[model for model, _ in unknown], [version for _, version in unknown]]
        for model, number, tenant_id, card in await (
            await connection.execute(CARDS, asked)
        ).fetchall():
            try:
                self._versions[model, number] = Version(model, number, tenant_id, card)
            except (KeyError, TypeError, AttributeError) as error:
                log.error("the card of %s %d cannot be read: %r", model, number, error)

    def _compose(self, model: str) -> None:
        """Route to what has the aliases and is warm; a champion until the next one is."""
        found = self._models[model]
        serving: dict[str, Version] = {}
        for role in ROLES:
            alias = found.aliases.get(role)
            version = None if alias is None else self._versions[model, alias.version]
            if version is not None and version.name in self._warm:
                if role != "canary" or alias not in found.withdrawn:
                    serving[role] = version
            elif role == "champion" and alias is not None:
                before = found.serving.get(role)
                if before is not None and before.name in self._warm:
                    serving[role] = before
        alias = found.aliases.get("canary")
        if "canary" not in serving or alias is None:
            found.guard = None
        elif found.guard is None or found.guard[0] != alias:
            found.guard = (alias, Guard(serving["canary"].thresholds))
        found.serving = serving
        found.route = self._routed(found)

    def _routed(self, found: _Model) -> Route | None:
        serving = found.serving
        if "champion" not in serving:
            return None
        try:
            wanted = self._wanted(list(serving.values()))
        except Refused as refused:
            # of the champion alone, where another reads what is not there
            found.problems["canary" if len(serving) > 1 else "champion"] = refused.detail
            try:
                wanted = self._wanted([serving["champion"]])
            except Refused as still:
                found.problems["champion"] = still.detail
                return None
            return Route(serving["champion"], None, None, 0.0, wanted)
        return Route(
            serving["champion"],
            serving.get("canary"),
            serving.get("shadow"),
            found.share if "canary" in serving else 0.0,
            wanted,
        )

    async def _judge(self) -> None:
        for model, found in self._models.items():
            if found.guard is not None:
                alias, guard = found.guard
                if (verdict := guard.verdict()) is not None:
                    self.withdraw(model, alias, verdict)
            for alias, verdict in list(found.withdrawn.items()):
                await self._tell(model, alias, verdict)

    def withdraw(self, model: str, alias: Alias, verdict: Verdict) -> None:
        """Route nothing to a canary from now on; the database is told, as soon as it answers."""
        log.error("%s %d is no canary any more: %s", model, alias.version, verdict.reason)
        self._models[model].withdrawn[alias] = verdict
        self._telemetry.withdrawn(model, alias.version)
        self._compose(model)

    async def _tell(self, model: str, alias: Alias, verdict: Verdict) -> None:
        told = [model, alias.version, verdict.reason, json.dumps(verdict.evidence)]
        try:
            async with asyncio.timeout(DATABASE_S), self._pool.connection() as connection:
                await connection.execute(WITHDRAW, told)
        except (psycopg.Error, OSError, TimeoutError) as error:
            log.error("the database is told later that %s lost its canary: %s", model, error)

    async def _loading(self) -> None:
        while True:
            try:
                await self.load()
            except Exception:
                log.exception("the versions of Triton cannot be brought up to date")
            self._woken.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), LOOK_S)

    async def load(self) -> None:
        """Have Triton load what the aliases name, and unload what nobody asks any more."""
        try:
            states = await self._triton.loaded()
        except Away as error:
            if not self.is_away:
                log.error("Triton does not answer: %s", error)
            self.is_away = True
            return
        self.is_away = False
        ready = {name for name, state in states.items() if state == "READY"}
        lost = self._warm - ready
        if lost:
            log.error("Triton has not loaded any more: %s", ", ".join(sorted(lost)))
            self._warm &= ready
            for model in self._models:
                self._compose(model)
        for role in ROLES:
            for model, found in self._models.items():
                alias = found.aliases.get(role)
                if alias is not None:
                    await self._have(model, role, self._versions[model, alias.version], states)
        await self._retire(ready)

    async def _have(
        self, model: str, role: str, version: Version, states: Mapping[str, str]
    ) -> None:
        found = self._models[model]
        if version.name in self._warm:
            found.problems.pop(role, None)
            return
        if time.monotonic() < self._again.get(version.name, 0.0):
            return
        if version.name not in states:
            said = f"version {version.number} is not in the model repository yet"
            if found.problems.get(role) != said:
                log.info("%s of %s: %s", role, model, said)
            found.problems[role] = said
            return
        try:
            if states[version.name] != "READY":
                await self._triton.load(version.name)
            await self._warm_up(version)
        except (Away, Raised) as error:
            self._again[version.name] = time.monotonic() + AGAIN_S
            said = f"version {version.number} does not load: {error}"
            if found.problems.get(role) != said:
                log.error("%s of %s: %s", role, model, said)
            found.problems[role] = said
            return
        log.info("%s %d is loaded, and answers as %s", model, version.number, role)
        found.problems.pop(role, None)
        self._warm.add(version.name)
        self._compose(model)

    async def _warm_up(self, version: Version) -> None:
        """Ask it once, so that no request waits for what a first one does. Errors: Away, Raised."""
        columns = len(version.encoder.columns)
        await self._triton.infer(version.name, version.number, np.full((1, columns), np.nan), 10.0)

    async def _retire(self, ready: set[str]) -> None:
        if not self._looked:
            return
        wanted = {
            self._versions[model, alias.version].name
            for model, found in self._models.items()
            for alias in found.aliases.values()
        }
        wanted |= {one.name for found in self._models.values() for one in found.serving.values()}
        held = {one.name for one in self._versions.values() if one.held}
        now = time.monotonic()
        ours = {name for name in ready if name.rpartition(".")[0] in self._models}
        self._left = {name: self._left.get(name, now) for name in ours - wanted}
        for name, since in list(self._left.items()):
            if name not in held and now - since > RETIRE_S:
                self._warm.discard(name)
                log.info("%s answers nobody any more, and is unloaded", name)
                await self._triton.unload(name)


def wanted_of(
    catalog: Callable[[], Catalog], ages: Mapping[tuple[str, str], float]
) -> Callable[[Sequence[Version]], Wanted]:
    """What versions read, of the registry as it is at each call."""
    return lambda versions: Wanted.of(
        [column for one in versions for column in one.encoder.columns], catalog(), ages
    )
