"""A migrated database with a market, a real Redis, and the feature store over both."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from feast import FeatureStore

from feast_repo import environment
from tests.conftest import Databases
from tests.feast.market import Market
from tests.feast.served import Served, served
from tests.pit.world import World


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """REDIS_URL, else an embedded server of this session's own."""
    given = os.environ.get("REDIS_URL")
    if given:
        yield given
        return
    from embedded import redis

    directory = tmp_path_factory.mktemp("redis")
    yield redis.start(directory).url
    redis.stop(directory)


@contextmanager
def found(database: str, redis_url: str, state: Path) -> Iterator[None]:
    """What `make feast` would find: DATABASE_URL and REDIS_URL, and no settings of the caller's."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("FEAST_")]:
            patch.delenv(name)
        patch.setenv("DATABASE_URL", database)
        patch.setenv("REDIS_URL", redis_url)
        patch.setattr(environment, "STATE_DIR", state)
        before = set(os.environ)
        yield
        for name in set(os.environ) - before:  # what prepare() has set; patch would set it again
            del os.environ[name]


@contextmanager
def published(database: str, kind: str) -> Iterator[Market]:
    """Two hours of a market, published."""
    world = World(database, kind)
    made = Market(world)
    made.minutes(120, seed=1, publish_every=10)
    yield made
    world.close()


def applied() -> FeatureStore:
    """The feature store of what is found, applied."""
    from feast_repo.store import apply, open_store

    opened = open_store()
    apply(opened)
    return opened


@pytest.fixture(scope="module")
def feast_environment(
    database: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """DATABASE_URL and REDIS_URL are the module's own."""
    with found(database, redis_url, tmp_path_factory.mktemp("state")):
        yield


@pytest.fixture(scope="module")
def database(modelled_database: str) -> str:
    """With dbt's models, from which publishes read the formulas."""
    return modelled_database


@pytest.fixture(scope="module")
def market(databases: Databases, database: str) -> Iterator[Market]:
    """Two hours of a market, published."""
    with published(database, databases.kind) as made:
        yield made


@pytest.fixture(scope="module")
def store(feast_environment: None, market: Market) -> FeatureStore:  # noqa: ARG001 - before it
    """The feature store over that market, applied, with Redis."""
    return applied()


@pytest.fixture(scope="module")
def online_world(
    databases: Databases, database: str, market: Market, store: FeatureStore, redis_url: str
) -> Iterator[Served]:
    """That market online, three tenants of it with keys, and the API."""
    with served(market, store, database, redis_url, databases.kind) as made:
        yield made
