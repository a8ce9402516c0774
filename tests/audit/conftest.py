"""The database whose audit chain is looked at."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.audit.chain import Connection


@pytest.fixture(scope="module")
def connection(database: str) -> Iterator[Connection]:
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened
