"""Each role does its part of Feast by a login of its own, and no other's."""

import os
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy.exc import ProgrammingError

from feast_repo.push import Push
from feast_repo.store import apply, database_url, materialize, open_store
from tests.conftest import Databases
from tests.feast.market import SYMBOLS, Market


@pytest.fixture(scope="module")
def log_in_as(
    databases: Databases, database: str, market: Market, feast_environment: None
) -> Iterator[Callable[[str], None]]:
    """log_in_as(role): from now on DATABASE_URL is of a login that has this role alone."""
    assert feast_environment is None
    if databases.kind == "embedded":
        pytest.skip("the embedded engine lets everybody in as its one superuser")
    connection = market.world.connection
    connection.execute("call access.lockdown()")
    made = []

    def log_in(role: str) -> None:
        login = f"{role}_{uuid.uuid4().hex[:8]}"
        connection.execute(f"create role {login} login in role {role}".encode())
        made.append(login)
        os.environ["DATABASE_URL"] = make_conninfo(database, user=login)
        for name in [name for name in os.environ if name.startswith("FEAST_")]:
            del os.environ[name]

    yield log_in
    for login in made:
        connection.execute(f"drop role {login}".encode())


def test_each_role_does_its_part(log_in_as: Callable[[str], None], market: Market) -> None:
    log_in_as("market_reader")
    with pytest.raises(ProgrammingError, match="permission denied"):
        open_store().list_feature_views()

    for _ in range(2):
        log_in_as("market_deploy")
        apply(open_store())

    log_in_as("market_operator")
    store = open_store()
    assert materialize(store) == market.world.published_at()
    pushing = Push(store, database_url(store))
    assert pushing.once() >= len(SYMBOLS)
    pushing.close()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        psycopg.connect(os.environ["DATABASE_URL"]).execute(
            "update feature.clock set live_from = now()"
        )

    log_in_as("market_reader")
    store = open_store()
    frame = store.get_historical_features(
        f"select {market.tenants[0]}::bigint as tenant_id, '{SYMBOLS[0]}' as symbol,"
        f" timestamptz '{market.now - timedelta(minutes=5)}' as event_timestamp",
        ["bar:close"],
    ).to_df()
    assert frame["close"].notna().all()
    with pytest.raises(ProgrammingError, match="permission denied"):
        apply(store)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        Push(store, database_url(store)).once()

    log_in_as("market_pool")
    store = open_store()
    found = store.get_online_features(
        ["bar:close"], [{"tenant_id": market.tenants[0], "symbol": SYMBOLS[0]}]
    )
    assert found.to_dict().keys() == {"tenant_id", "symbol", "close"}
