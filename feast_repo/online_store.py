"""Redis as the online store, where each feature view's values expire by themselves.

feature_store.yaml names it. Feast has one key a series, with the values of all views, and lets it
expire as a whole: an hourly materialize would show a session's bar for a quarter of each hour. Here
what a view has expires as its contract says, after it was last written.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Literal

from feast import FeatureView, RepoConfig
from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from redis.exceptions import ResponseError

from feast_repo import internals
from feast_repo.definitions import STALE_S

SELF: Final = "feast_repo.online_store.ExpiringOnlineStore"


class ExpiringOnlineStoreConfig(RedisOnlineStoreConfig):
    """Feast's. key_ttl_seconds: of views that do not say how old they may be."""

    type: Literal["feast_repo.online_store.ExpiringOnlineStore"] = SELF  # type: ignore[assignment]


class ExpiringOnlineStore(RedisOnlineStore):
    """Feast's Redis store. A server whose fields cannot expire keeps Feast's expiry, of keys."""

    _fields_expire: bool | None = None

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[tuple[EntityKey, dict[str, Value], datetime, datetime | None]],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows that are newer than what is there. Errors: redis-py's."""
        super().online_write_batch(config, table, data, progress)
        shortest = config.online_store.key_ttl_seconds
        client = internals.redis_client(self, config)
        if shortest is None or not self._can(client):
            return
        ttl_s = int(table.tags.get(STALE_S, shortest))
        version = config.entity_key_serialization_version
        time = internals.time_field(table.name)
        # A field that is written anew has no expiry; one that was not, because something newer was
        # there, keeps its own. The key, which has expired by now if this fails, outlives them.
        with client.pipeline(transaction=False) as pipe:
            for entity, values, *_ in data:
                key = internals.redis_key(config.project, entity, version)
                fields = [internals.redis_field(table.name, name) for name in values]
                pipe.hexpire(key, ttl_s, time, *fields, nx=True)
                pipe.persist(key)
            pipe.execute()

    def _can(self, client: Any) -> bool:
        """Whether fields expire there: Redis 7.4 and Valkey 9.0 are the first."""
        if self._fields_expire is None:
            try:
                client.hexpire(b"no key", 1, b"no field")
            except ResponseError:
                self._fields_expire = False
            else:
                self._fields_expire = True
        return self._fields_expire
