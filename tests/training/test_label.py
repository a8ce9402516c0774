"""The shipped label against the trades themselves, and labels that fail."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pandas as pd
import psycopg
import pytest

from feast_repo.receipts import AT, SYMBOL, TENANT
from tests.training import day
from training.dataset import labels
from training.declaration import read
from training.errors import DatasetError

DIRECTION = read("direction_5m")
CLOSE = """
    select s.bucket, s.close
    from feature_pit_snapshot(array[%s], %s::timestamptz, p_tenant_id => %s) as s
"""


@pytest.fixture(scope="module")
def connection(modelled_database: str) -> Iterator[psycopg.Connection]:
    day.load(modelled_database, 90)
    with psycopg.connect(modelled_database, autocommit=True) as opened:
        yield opened


def pairs(*at: tuple[str, float]) -> pd.DataFrame:
    """Symbols and minutes after the day's first."""
    moments = [day.FIRST + timedelta(minutes=minute) for _, minute in at]
    return pd.DataFrame(
        {
            TENANT: [day.TENANT] * len(at),
            SYMBOL: [symbol for symbol, _ in at],
            AT: pd.to_datetime(moments, utc=True),
        }
    )


def test_it_is_whether_the_close_is_higher_five_minutes_later(
    connection: psycopg.Connection,
) -> None:
    # among them one late trade at minute 30, and moments that end a microsecond short of a bar
    asked = pairs(
        *((symbol, minute) for minute in range(1, 80) for symbol in day.SYMBOLS),
        *((symbol, 20 - 1e-6 / 60) for symbol in day.SYMBOLS),
    )
    values, known_at = labels(connection, DIRECTION, asked)
    assert set(values) == {0.0, 1.0}
    assert (known_at == asked[AT] + timedelta(minutes=5)).all()
    for row, value in zip(asked.itertuples(), values, strict=True):
        at = row.event_timestamp.to_pydatetime()
        (_, now), (_, then) = (
            connection.execute(CLOSE, [row.symbol, moment, day.TENANT]).fetchone() or (None, None)
            for moment in (at, at + timedelta(minutes=5))
        )
        assert value == float(then > now), (row.symbol, at)


def test_what_has_no_newer_bar_has_no_label(connection: psycopg.Connection) -> None:
    values, _ = labels(connection, DIRECTION, pairs(("SYN_BTCUSD", 92), ("SYN_BTCUSD", -10)))
    assert all(math.isnan(value) for value in values)


def test_what_is_not_known_yet_has_none_and_says_when(connection: psycopg.Connection) -> None:
    row = connection.execute("select published_at from feature.clock").fetchone()
    assert row is not None
    at = pd.to_datetime([row[0], row[0] + timedelta(days=1)], utc=True)
    asked = pairs(("SYN_BTCUSD", 1), ("SYN_BTCUSD", 1)).assign(**{AT: at})
    values, known_at = labels(connection, DIRECTION, asked)
    assert all(math.isnan(value) for value in values)
    assert (known_at == at + timedelta(minutes=5)).all()


def test_no_pairs_have_no_labels(connection: psycopg.Connection) -> None:
    values, known_at = labels(connection, DIRECTION, pairs())
    assert len(values) == len(known_at) == 0


ROWS = "unnest($1::text[], $2::timestamptz[]) with ordinality as a (symbol, as_of, place)"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select 1 / 0 from nowhere where $1 = $2 and $3", "direction_5m.sql.* fails"),
        (
            f"select a.place, 1 / ($3::integer - 1) as value, a.as_of as known_at from {ROWS}",
            "fails: division by zero",
        ),
        (
            f"select a.place, a.as_of as at, $3::integer as v from {ROWS}",
            "gives place, at, v: it must give place, value, known_at",
        ),
        (
            f"select a.place, 1 as value, a.as_of + interval '1 s' * $3::integer as known_at"
            f" from {ROWS} limit 1",
            "gives 1 rows for 2 pairs",
        ),
        (
            f"select 1 as place, 1 as value, a.as_of + interval '1 s' * $3::integer as known_at"
            f" from {ROWS}",
            "must give each place from 1 on once",
        ),
        (
            f"select a.place, 1.5 as value, a.as_of + interval '1 s' * $3::integer as known_at"
            f" from {ROWS}",
            "at place 1: it must be 0, 1 or NULL",
        ),
        (
            f"select a.place, 'NaN'::float8 as value, a.as_of + interval '1 s' * $3::integer"
            f" as known_at from {ROWS}",
            "is nan at place 1: it must be 0, 1 or NULL",
        ),
        (
            f"select a.place, 1 as value, case when $3::integer > 0 then a.as_of end as known_at"
            f" from {ROWS}",
            "was known at 2025-.*: a label is known after its features",
        ),
        (
            f"select a.place, 1 as value, case when $3::integer < 0 then a.as_of end as known_at"
            f" from {ROWS}",
            "was known at no time",
        ),
        (
            "delete from market.trade where symbol = any($1::text[]) and tenant_id = $3::integer"
            " and ts = any($2::timestamptz[]) returning 1 as place, 1 as value, ts as known_at",
            "fails: cannot execute DELETE in a read-only transaction",
        ),
    ],
)
def test_a_label_that_fails_is_named(modelled_database: str, query: str, said: str) -> None:
    asked = pairs(("SYN_BTCUSD", 10), ("SYN_ETHUSD", 10))
    with psycopg.connect(modelled_database) as connection:
        connection.read_only = True
        with pytest.raises(DatasetError, match=f"the label of direction_5m .*{said}"):
            labels(connection, replace(DIRECTION, label_sql=query), asked)
