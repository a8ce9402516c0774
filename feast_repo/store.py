"""Open the feature store, and bring its online part up to date."""

from datetime import datetime
from typing import Any

import psycopg
from feast import FeatureStore

from engine.settings import ENVIRONMENT, Env
from feast_repo.definitions import OBJECTS
from feast_repo.environment import REPO, prepare

# Feast makes the registry's tables as whoever applies first; the next one must be able to, too.
SHARE = """
    do $$
    declare
        v_table regclass;
    begin
        for v_table in
            select c.oid
            from pg_catalog.pg_class as c
            where
                c.relnamespace = 'feast'::regnamespace
                and c.relkind = 'r'
                and c.relowner <> 'market_owner'::regrole
        loop
            execute format('alter table %s owner to market_owner', v_table);
        end loop;
        grant select on all tables in schema feast to market_reader, market_pool, market_operator;
        grant insert, update, delete on all tables in schema feast to market_operator;
    end
    $$
"""


def open_store(env: Env = ENVIRONMENT) -> FeatureStore:
    """The store of the profile that FEAST_ONLINE names, on the engine in use.

    Starts the engine and the online store where they are not given.
    Errors: EngineError; Feast's own where the registry cannot be read.
    """
    return FeatureStore(repo_path=str(REPO), config=prepare(env).config())


def database_url(store: FeatureStore) -> str:
    """The database that a store of open_store() reads."""
    url: str = store.config.offline_store.database_url
    return url


def apply(store: FeatureStore) -> None:
    """Register what definitions.py names; `feast apply` also drops what it no longer names."""
    store.apply(OBJECTS)
    share_registry(database_url(store))


def share_registry(url: str) -> None:
    """Give the registry's tables to market_owner and let the project's roles use them."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SHARE)


def materialize(store: FeatureStore) -> datetime:
    """Write what was known at the last publish of every series online; return that moment.

    The same again changes nothing; after a failure, call it again. `feast materialize` and
    `materialize-incremental` do the same for a moment of the caller's; where that is after the
    last publish, and one comes while they run, the views they write can be a publish apart.
    """
    with psycopg.connect(database_url(store), autocommit=True) as connection:
        row: Any = connection.execute("select published_at from feature.clock").fetchone()
    moment: datetime = row[0]
    store.materialize_incremental(end_date=moment)
    return moment
