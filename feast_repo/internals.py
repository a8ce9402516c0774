"""Every private name of Feast's that this repository uses: an upgrade of Feast is this file.

Nothing else imports or calls what Feast has with a leading underscore; a test looks.
"""

import warnings
from typing import Any

import pandas as pd
import psycopg
from feast import FeatureStore, FeatureView, RepoConfig
from feast.feature_server_utils import _timestamp_to_str, _value_to_native
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import (
    SavedDatasetPostgreSQLStorage,
)
from feast.infra.online_stores.helpers import _mmh3, _redis_key
from feast.infra.online_stores.redis import RedisOnlineStore
from feast.infra.passthrough_provider import PassthroughProvider
from feast.infra.utils.postgres.connection_utils import _get_conn
from feast.infra.utils.postgres.postgres_config import PostgreSQLConfig
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp  # type: ignore[import-untyped]

from feast_repo.quiet import ServerWarning, warning_of


def connect(config: PostgreSQLConfig) -> psycopg.Connection:
    """A connection as the offline store makes them; the server's warnings are ServerWarnings.

    Errors: psycopg's.
    """
    connection: psycopg.Connection = _get_conn(config)
    connection.add_notice_handler(_warn)
    return connection


def _warn(said: psycopg.errors.Diagnostic) -> None:
    if warned := warning_of(said):
        warnings.warn(warned, ServerWarning, stacklevel=2)


def table_of(storage: SavedDatasetPostgreSQLStorage) -> str:
    """The table of a saved dataset."""
    name: str = storage.postgres_options._table
    return name


def rows_to_write(view: FeatureView, frame: pd.DataFrame) -> Any:
    """A view's rows as online_write() takes them, NULLs included.

    frame: join keys, the view's features, its times.
    """
    return PassthroughProvider._prep_rows_to_write_for_ingestion(view, frame)


def online_write(store: FeatureStore, view: FeatureView, rows: Any) -> None:
    """Write what rows_to_write() made. Errors: the online store's."""
    store._get_provider().online_write_batch(store.config, view, rows, None)


def redis_address(connection_string: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Nodes and parameters of a Redis, as the online store reads them of its setting."""
    nodes, parameters = RedisOnlineStore._parse_connection_string(connection_string)
    return nodes, parameters


def redis_client(store: RedisOnlineStore, config: RepoConfig) -> Any:
    """The client of redis-py that the online store writes with."""
    return store._get_client(config.online_store)


def redis_key(project: str, key: EntityKey, version: int) -> bytes:
    """The Redis key of an entity; version: of the keys' serialization."""
    found: bytes = _redis_key(project, key, version)
    return found


def redis_field(view: str, feature: str) -> bytes:
    """The field of a feature in an entity's Redis hash."""
    found: bytes = _mmh3(f"{view}:{feature}")
    return found


def time_field(view: str) -> bytes:
    """The field of a view's time in an entity's Redis hash."""
    return f"_ts:{view}".encode()


def value(stored: bytes) -> Any:
    """A stored value as Feast's feature server answers it."""
    return native(Value.FromString(stored))


def native(found: Value) -> Any:
    """A value as Feast's feature server answers it."""
    return _value_to_native(found)


def time(stored: bytes) -> str:
    """A stored time as Feast's feature server answers it."""
    text: str = _timestamp_to_str(Timestamp.FromString(stored))
    return text
