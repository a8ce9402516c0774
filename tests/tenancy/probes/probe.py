"""One statement of a hostile tenant, and what it may end with."""

from __future__ import annotations

from typing import NamedTuple

DENIED = "42501"
NOTHING, OWN = "nothing", "own"


class Probe(NamedTuple):
    """One statement.

    outcome: what it may end with: SQLSTATEs, NOTHING (done, to no effect), or OWN (it answers, with
    the asker's own). needs_login: SET ROLE of a superuser cannot show it.
    """

    name: str
    statement: str
    outcome: str = DENIED
    needs_login: bool = False
