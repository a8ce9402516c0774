"""A running feature API, and its clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from feast_repo.api import app as api
from feast_repo.api import keys as api_keys
from tests.conftest import Databases
from tests.feast.conftest import applied, found, published
from tests.feast.http.asking import Clock
from tests.feast.served import Served, served


@pytest.fixture(scope="package")
def online_world(
    databases: Databases, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """As tests/feast's, but one for all files of this folder, which a worker runs together."""
    url, drop = databases.create("modelled")
    with ExitStack() as until_the_end:
        until_the_end.callback(drop)
        until_the_end.enter_context(found(url, redis_url, tmp_path_factory.mktemp("state")))
        market = until_the_end.enter_context(published(url, databases.kind))
        made = served(market, applied(), url, redis_url, databases.kind)
        yield until_the_end.enter_context(made)


@pytest.fixture
def clock(online_world: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Nothing is remembered from another time."""
    moved = Clock()
    keys = online_world.app.state.api.keys
    keys._known.clear()
    for module in (api, api_keys):
        monkeypatch.setattr(
            module, "time", SimpleNamespace(monotonic=moved.monotonic, time=time.time)
        )
    yield moved
    keys._known.clear()
    keys._unknown.clear()
