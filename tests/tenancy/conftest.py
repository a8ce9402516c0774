"""The world of three tenants, and what of it can be attacked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Databases
from tests.tenancy.probes.attempt import SECRET_WORD, VICTIM, attacker, hide_secrets, names
from tests.tenancy.world import World, made_in


@pytest.fixture(scope="module")
def world(database: str) -> Iterator[World]:
    """The world, which the migrations have locked down."""
    with made_in(database) as made:
        yield made


@pytest.fixture(scope="module")
def direct(databases: Databases) -> bool:
    """Whether tenants can have logins: the embedded engine knows one superuser only."""
    return databases.kind != "embedded"


@pytest.fixture(scope="module")
def known(world: World, direct: bool) -> Iterator[dict[str, str]]:
    """The attackable names, while the victim is connected."""
    hide_secrets(world)
    with attacker(world, direct, VICTIM) as victim:
        victim.execute(f"select '{SECRET_WORD}'")
        yield {**names(world), "pid": str(victim.info.backend_pid)}
