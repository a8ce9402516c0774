"""What is online, as Feast's own feature server would answer it, read in one round trip.

Feast's get_online_features() takes 3 to 5 ms of this process for ten entities. Its values in Redis
are read here directly; on-demand views, and stores other than Redis, go through Feast.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any, Final

from anyio import to_thread
from feast import FeatureService, FeatureStore
from feast.feature_server_utils import convert_response_to_dict
from feast.infra.online_stores.redis import RedisOnlineStoreConfig, RedisType
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import NULL_TIMESTAMP_INT_VALUE
from redis import RedisError
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from feast_repo import internals
from feast_repo.api.errors import Refused, unavailable
from feast_repo.sets import answered_by

JOIN_KEYS: Final = ("symbol", "tenant_id")
# What Feast says of a row that has no time.
NO_TIME: Final = "1970-01-01T00:00:00Z"
PRESENT: Final = "PRESENT"
NOT_FOUND: Final = "NOT_FOUND"
REDIS_S: Final = 1.0
FEAST_S: Final = 5.0
CONNECTIONS: Final = 32
# Longer than a push takes from a row's first view to its last.
TORN_TRIES: Final = 20
TORN_S: Final = 0.002
MAX_PLANS: Final = 1_000
NAMED: Final = 10
log = logging.getLogger("feast_repo.api")

Row = tuple[int, str]


@dataclass(frozen=True)
class Plan:
    """What one selection of features reads.

    label: of the selection, for the log. views: each view with its features, in the order of the
    answer. sources: the views that on-demand ones are computed from. names: of the answer's
    columns. feast, feast_names, full_names: what to ask Feast for, where it is asked, how it calls
    the columns then, and whether by full names. metadata: about versions, if it was asked for.
    of_sets: set and field of each name, None where it is no set's. needed: all sets that the values
    are of, and views that are of none.
    """

    label: str
    views: tuple[tuple[str, tuple[str, ...]], ...]
    sources: tuple[str, ...]
    names: tuple[str, ...]
    feast: FeatureService | list[str]
    feast_names: tuple[str, ...]
    full_names: bool
    metadata: list[dict[str, Any]] | None
    of_sets: tuple[tuple[str, str] | None, ...]
    needed: frozenset[str]

    @cached_property
    def fields(self) -> tuple[bytes, ...]:
        """The fields of a Redis hash: for each view its features, then its time."""
        return tuple(
            name
            for view, features in self.views
            for name in (
                *(internals.redis_field(view, feature) for feature in features),
                internals.time_field(view),
            )
        )

    @cached_property
    def time_places(self) -> tuple[int, ...]:
        """Where in fields the time of each view is."""
        return tuple(n - 1 for n in accumulate(len(wanted) + 1 for _, wanted in self.views))

    @cached_property
    def times(self) -> tuple[bytes, ...]:
        """The times alone, of whatever is read."""
        return tuple(
            internals.time_field(view)
            for view in (*(view for view, _ in self.views), *self.sources)
        )


@dataclass(frozen=True)
class Catalog:
    """The registry, as far as it can be served: what is keyed by tenant and symbol, and not else.

    views, on_demand: the features of each. sources: the views of each on-demand view. sets: the set
    of each view that is of one. versions: of views that have one.
    """

    views: dict[str, tuple[str, ...]]
    on_demand: dict[str, tuple[str, ...]]
    sources: dict[str, tuple[str, ...]]
    sets: dict[str, str]
    services: dict[str, FeatureService]
    versions: dict[str, int]
    plans: dict[tuple[Any, ...], Plan] = field(default_factory=dict)

    @classmethod
    def read(cls, store: FeatureStore) -> Catalog:
        """Read the registry anew; blocks. Errors: those of the registry's database."""
        store.refresh_registry()  # type: ignore[no-untyped-call]
        found = [
            view
            for view in store.list_feature_views(allow_cache=True)
            if sorted(view.join_keys) == list(JOIN_KEYS) and view.online
        ]
        views = {view.name: tuple(f.name for f in view.features) for view in found}
        sets = {
            view.name: of
            for view in found
            if view.batch_source and (of := answered_by(view.batch_source.name))
        }
        on_demand, sources = {}, {}
        for view in store.list_on_demand_feature_views(allow_cache=True):
            read = {p.name for p in view.source_feature_view_projections.values()}
            if read <= set(views) and not view.source_request_sources:
                on_demand[view.name] = tuple(f.name for f in view.features)
                sources[view.name] = tuple(sorted(read))
        services = {
            service.name: service
            for service in store.list_feature_services()
            if all(
                projection.name in views.keys() | on_demand.keys()
                and not projection.join_key_map
                and projection.name_alias is None
                and projection.version_tag is None
                for projection in service.feature_view_projections
            )
        }
        versions = {view.name: getattr(view, "current_version_number", 0) or 0 for view in found}
        return cls(views, on_demand, sources, sets, services, versions)

    def plan(
        self, service: str | None, features: Sequence[str], full_names: bool, versions: bool
    ) -> Plan:
        """What to read for a service, else for features written "view:feature".

        Errors: Refused 404 for what is not there, 422 for a name that the answer would have twice.
        """
        key = (service, tuple(features), full_names, versions)
        plan = self.plans.get(key)
        if plan is None:
            plan = self._plan(service, features, full_names, versions)
            if len(self.plans) >= MAX_PLANS:
                self.plans.clear()
            self.plans[key] = plan
        return plan

    def _plan(
        self, name: str | None, features: Sequence[str], full_names: bool, versions: bool
    ) -> Plan:
        known = self.views | self.on_demand
        selected: dict[str, list[str]] = {}
        if name is not None:
            service = self.services.get(name)
            if service is None:
                raise _unknown("feature service", [name], sorted(self.services))
            for projection in service.feature_view_projections:
                selected.setdefault(projection.name, []).extend(f.name for f in projection.features)
        else:
            for reference in features:
                view, _, feature = reference.partition(":")
                selected.setdefault(view, []).append(feature)
            missing = [
                f"{view}:{feature}"
                for view, wanted in selected.items()
                for feature in wanted
                if feature not in known.get(view, ())
            ]
            if missing:
                raise _unknown("feature", missing, sorted(known))
        short = [feature for wanted in selected.values() for feature in wanted]
        full = [f"{view}__{feature}" for view, wanted in selected.items() for feature in wanted]
        names = full if full_names else short
        sources = tuple({s: None for view in selected for s in self.sources.get(view, ())})
        # asked for full names, Feast leaves on-demand features out
        feast_names = short if sources else names
        twice = sorted({found for found in feast_names if feast_names.count(found) > 1})
        if twice:
            raise Refused(
                422,
                "features",
                f"the answer would have {listed(twice)} twice: ask once for each, or set "
                "full_feature_names where two views have the name",
            )
        return Plan(
            label=name if name is not None else ",".join(features),
            views=tuple((v, tuple(wanted)) for v, wanted in selected.items() if v in self.views),
            sources=sources,
            names=tuple(names),
            feast=list(features) if name is None else self.services[name],
            feast_names=tuple(feast_names),
            full_names=full_names and not sources,
            metadata=[
                {"name": v} | ({"version": self.versions[v]} if self.versions[v] else {})
                for v in selected
                if v in self.views
            ]
            if versions
            else None,
            of_sets=tuple(
                (self.sets[view], feature) if view in self.sets else None
                for view, wanted in selected.items()
                for feature in wanted
            ),
            needed=frozenset(
                self.sets.get(view, view) for view in (*selected, *sources) if view in self.views
            ),
        )


def listed(names: Sequence[str]) -> str:
    """Names for a text of bounded length, in a form that cannot break a line."""
    shown = ", ".join(ascii(name[:64])[1:-1] for name in names[:NAMED])
    return shown + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _unknown(kind: str, names: Sequence[str], there: Sequence[str]) -> Refused:
    return Refused(
        404, "unknown", f"there is no {kind} {listed(names)}: there are {', '.join(there)}"
    )


class Reader:
    """Reads one store's values; the online store's own connections are not shared with others."""

    def __init__(self, store: FeatureStore) -> None:
        """store: whose online store is read."""
        self._store = store
        self._project = store.project
        self._key_version = store.config.entity_key_serialization_version
        self._redis = _redis(store)
        self._free = asyncio.Semaphore(CONNECTIONS)

    async def close(self) -> None:
        """Close the connections."""
        if self._redis is not None:
            await self._redis.aclose()

    async def ping(self) -> None:
        """Ask the online store whether it is there, where that is Redis. Errors: Refused 503."""
        if self._redis is not None:
            try:
                async with asyncio.timeout(REDIS_S):
                    await self._redis.execute_command("PING")  # type: ignore[no-untyped-call]
            except (RedisError, OSError, TimeoutError) as error:
                raise _offline(error) from error

    async def read(self, plan: Plan, rows: Sequence[Row]) -> dict[str, Any]:
        """Feast's answer for rows, as JSON has it. Errors: Refused 503."""
        unique = list(dict.fromkeys(rows))
        if plan.sources or self._redis is None:
            return await self._through_feast(plan, rows, unique)
        hashes = await self._whole(self._redis, unique, plan.fields, plan.time_places)
        found = [_decoded(plan, values) for values in hashes]
        if len(unique) < len(rows):
            place = {row: n for n, row in enumerate(unique)}
            found = [found[place[row]] for row in rows]
        columns = [
            {
                "values": [row[n][0] for row in found],
                "statuses": [row[n][1] for row in found],
                "event_timestamps": [row[n][2] for row in found],
            }
            for n in range(len(plan.names))
        ]
        return _answer(plan, rows, columns)

    async def _whole(
        self, redis: Redis, rows: Sequence[Row], fields: tuple[bytes, ...], times: Sequence[int]
    ) -> list[list[bytes | None]]:
        """Rows whose views are of one moment each; times: where in the fields each view's is.

        The views of a row are written one after another: between them, a row is read again. One
        that stays so, because somebody materialized one view alone, says so by its event times.
        """
        found = await self._hashes(redis, rows, fields)
        for _ in range(TORN_TRIES):
            if all(len({values[n] for n in times} - {None}) < 2 for values in found):
                break
            await asyncio.sleep(TORN_S)
            found = await self._hashes(redis, rows, fields)
        return found

    async def _hashes(
        self, redis: Redis, rows: Sequence[Row], fields: tuple[bytes, ...]
    ) -> list[list[bytes | None]]:
        # written here, because redis-py takes as long to write the same fields for each row as to
        # read the answers
        wanted = _wire(fields)
        command = b"".join(
            wanted[0] + _wire((_key(self._project, self._key_version, *row),))[1] + wanted[1]
            for row in rows
        )
        try:
            async with asyncio.timeout(REDIS_S), self._free:
                return await _exchange(redis, command, len(rows))
        except (RedisError, OSError, TimeoutError) as error:
            raise _offline(error) from error

    async def _through_feast(
        self, plan: Plan, rows: Sequence[Row], unique: Sequence[Row]
    ) -> dict[str, Any]:
        if self._redis is None:
            lapsed: set[Row] = set()
            answer = await self._from_feast(plan, rows)
        else:
            places = range(len(plan.times))
            before = await self._whole(self._redis, unique, plan.times, places)
            answer = await self._from_feast(plan, rows)
            for _ in range(TORN_TRIES):
                after = await self._whole(self._redis, unique, plan.times, places)
                if after == before:
                    break
                before, answer = after, await self._from_feast(plan, rows)
            # Feast calls a key that Redis has not PRESENT, with nulls
            lapsed = {row for row, found in zip(unique, before, strict=True) if not any(found)}
        columns = dict(zip(answer["metadata"]["feature_names"], answer["results"], strict=True))
        for column in columns.values():
            column["values"] = [_known(value) for value in column["values"]]
        for name in plan.feast_names if lapsed else ():
            for place, row in enumerate(rows):
                if row in lapsed:
                    columns[name]["values"][place] = None
                    columns[name]["statuses"][place] = NOT_FOUND
        return _answer(plan, rows, [columns[name] for name in plan.feast_names])

    async def _from_feast(self, plan: Plan, rows: Sequence[Row]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(FEAST_S):
                return await to_thread.run_sync(self._ask_feast, plan, rows, abandon_on_cancel=True)
        except Exception as error:
            log.exception("Feast does not answer")
            raise unavailable("online_store", "the online store cannot be read") from error

    def _ask_feast(self, plan: Plan, rows: Sequence[Row]) -> dict[str, Any]:
        answer: dict[str, Any] = convert_response_to_dict(
            self._store.get_online_features(
                features=plan.feast,
                entity_rows={
                    "symbol": [symbol for _, symbol in rows],
                    "tenant_id": [tenant_id for tenant_id, _ in rows],
                },
                full_feature_names=plan.full_names,
            ).proto
        )
        return answer


def _offline(error: Exception) -> Refused:
    log.error("the online store does not answer: %s: %s", type(error).__name__, error)
    return unavailable("online_store", "the online store does not answer")


def _redis(store: FeatureStore) -> Redis | None:
    """A client of the online store's Redis; None where Feast has to read it."""
    config = store.config.online_store
    plain = (
        isinstance(config, RedisOnlineStoreConfig)
        and config.redis_type == RedisType.redis
        and not store.config.registry.enable_online_feature_view_versioning
    )
    if not plain:
        return None
    nodes, parameters = internals.redis_address(config.connection_string)
    settings: dict[str, Any] = {
        "socket_connect_timeout": REDIS_S,
        # not for seconds where it is down
        "retry": Retry(NoBackoff(), 0),
        **parameters,
    }
    return Redis(host=nodes[0]["host"], port=int(nodes[0]["port"]), **settings)


async def _exchange(redis: Redis, command: bytes, answers: int) -> list[list[bytes | None]]:
    pool = redis.connection_pool
    connection = await pool.get_connection()  # type: ignore[no-untyped-call]
    try:
        await connection.send_packed_command(command)
        return [await connection.read_response() for _ in range(answers)]
    except BaseException:
        # answers that nobody has read would be taken for those of the next command
        await connection.disconnect(nowait=True)
        raise
    finally:
        await pool.release(connection)


@lru_cache(maxsize=100_000)
def _key(project: str, version: int, tenant_id: int, symbol: str) -> bytes:
    values = [Value(string_val=symbol), Value(int64_val=tenant_id)]
    key = EntityKey(join_keys=JOIN_KEYS, entity_values=values)
    return internals.redis_key(project, key, version)


@lru_cache(maxsize=100_000)
def _wire(words: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    """The beginning of an HMGET of one key and these fields, and words as the protocol has them."""
    return (
        b"*%d\r\n$5\r\nHMGET\r\n" % (len(words) + 2),
        b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words),
    )


def _decoded(plan: Plan, values: Sequence[bytes | None]) -> list[tuple[Any, str, str]]:
    """One row: value, status and time of each feature, in the plan's order."""
    found: list[tuple[Any, str, str]] = []
    first = 0
    for _, features in plan.views:
        last = first + len(features)
        stored = values[last]
        time = _time(stored) if stored else NO_TIME
        found += [
            (None, NOT_FOUND, time) if value is None else (_value(value), PRESENT, time)
            for value in values[first:last]
        ]
        first = last + 1
    return found


# Remembered, because the same bytes are read until the next bar.
@lru_cache(maxsize=100_000)
def _value(stored: bytes) -> Any:
    return _known(internals.value(stored))


@lru_cache(maxsize=10_000)
def _time(stored: bytes) -> str:
    return internals.time(stored)


def _known(value: Any) -> Any:
    # how Feast stores a time that is NULL
    return None if type(value) is int and value == NULL_TIMESTAMP_INT_VALUE else value


def _answer(plan: Plan, rows: Sequence[Row], columns: list[dict[str, Any]]) -> dict[str, Any]:
    keys: list[list[Any]] = [[symbol for _, symbol in rows], [tenant for tenant, _ in rows]]
    always = {"statuses": [PRESENT] * len(rows), "event_timestamps": [NO_TIME] * len(rows)}
    metadata: dict[str, Any] = {"feature_names": [*JOIN_KEYS, *plan.names]}
    if plan.metadata is not None:
        metadata["feature_view_metadata"] = plan.metadata
    return {"metadata": metadata, "results": [{"values": key, **always} for key in keys] + columns}
