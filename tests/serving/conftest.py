"""One database, market, Redis, Triton and router for all modules of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from serving import triton
from tests.conftest import Databases
from tests.feast.conftest import applied, found, published
from tests.feast.conftest import redis_url as redis_url
from tests.feast.served import Served, served
from tests.serving.world import Models, Routed, routed, running_triton

Clock = Callable[[], float]


@pytest.fixture(scope="package")
def online_world(
    databases: Databases, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Served, Clock]]:
    """Two hours of a market online, three tenants with keys, and the time of that market."""
    url, drop = databases.create("modelled")
    with ExitStack() as until_the_end:
        until_the_end.callback(drop)
        until_the_end.enter_context(found(url, redis_url, tmp_path_factory.mktemp("state")))
        market = until_the_end.enter_context(published(url, databases.kind))
        made = served(market, applied(), url, redis_url, databases.kind)
        world = until_the_end.enter_context(made)
        yield world, lambda: market.now.timestamp() + 1.0


@pytest.fixture(scope="package")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository of this folder's own."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="package")
def running(
    serving_python: Path,  # noqa: ARG001 - before it
    repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[triton.EmbeddedTriton]:
    """Triton, over that repository."""
    with running_triton(tmp_path_factory.mktemp("triton"), repository) as started:
        yield started


@pytest.fixture(scope="package")
def models(
    online_world: tuple[Served, Clock],
    running: triton.EmbeddedTriton,  # noqa: ARG001 - whose repository it is
    repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Models:
    """Two versions, of which the first is the champion."""
    made = Models(online_world[0], repository, tmp_path_factory.mktemp("bundles"))
    made.new(seed=1)
    made.new(seed=2)
    made.promote("champion", 1)
    return made


@pytest.fixture(scope="package")
def clock(online_world: tuple[Served, Clock]) -> Clock:
    """The market's time."""
    return online_world[1]


@pytest.fixture(scope="package")
def world(
    online_world: tuple[Served, Clock],
    models: Models,
    running: triton.EmbeddedTriton,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Routed]:
    """The router that most tests ask."""
    made, clock = online_world
    with routed(made, models, running.url, clock, tmp_path_factory.mktemp("spool")) as router:
        router.with_aliases(1)
        yield router
