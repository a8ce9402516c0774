"""A tenant with features, whose models predict as the router has them predict."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tests.conftest import Databases
from tests.pit.conftest import DAY, SYMBOL, Past
from tests.pit.world import World
from training.bundle import Bundle, Column, row_digest

MARKET = "market_1m"
MOMENTUM = "momentum_1m"
REGIMES = ("range", "trend_down", "trend_up", "volatile")
COLUMNS = (
    Column(MARKET, "close"),
    Column(MARKET, "regime_tag", REGIMES),
    Column(MOMENTUM, "rsi_14"),
    Column(MARKET, "vwap"),
)
# whether the close is higher after one minute
LABEL = """
    select a.place, (l.close > n.close)::integer, a.later_at
    from unnest($1, $2) with ordinality as p (symbol, as_of, place)
    cross join lateral (select p.place, p.as_of + interval '1 minute' as later_at) as a
    cross join lateral public.feature_pit_snapshot(array[p.symbol], array[p.as_of], null, $3) as n
    cross join lateral public.feature_pit_snapshot(array[p.symbol], array[a.later_at], null, $3)
        as l
    where a.later_at <= (select c.published_at from feature.clock as c);
"""
PREFIX = {MARKET: "feature", MOMENTUM: "momentum_1m"}
Values = Mapping[str, Any]


class Desk(Past):
    """A tenant, and models of its own."""

    numbers = count(1)
    models = count(1)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.anew()
        # nearer to each other than those of others: there are many, and none may be of tomorrow
        self.day = DAY + next(self.numbers) * timedelta(days=3)
        self.live = self.day + timedelta(days=2)
        self.world.set_clock(self.live, self.live)
        self.run = world.connection.execute
        self.run("call access.set_tenant(%s, p_name => %s)", [self.tenant, f"tenant {self.tenant}"])

    def anew(self) -> None:
        """Go on with another model."""
        self.model = f"model_{next(self.models)}"

    def register(
        self,
        version: int = 1,
        columns: Sequence[Column] = COLUMNS,
        label: str = LABEL,
        **others: Any,
    ) -> dict[str, Any]:
        """Register a version; returns its card. others: what the card has besides."""
        card = {
            "name": self.model,
            "tenant_id": self.tenant,
            "columns": [
                {"feature_set": c.feature_set, "field": c.field, "categories": list(c.categories)}
                for c in columns
            ],
            "label": {"sql": label, "horizon_s": 60, "name": "rises"},
            **others,
        }
        self.register_card(version, card)
        return card

    def register_card(self, version: int, card: Values) -> None:
        """Register a version with a whole card."""
        self.run(
            "select model.register(%s, %s, %s, 'run', %s)",
            [self.model, version, self.tenant, Jsonb(card)],
        )

    def predict(
        self,
        as_of: datetime,
        value: float = 0.5,
        *,
        columns: Sequence[Column] = COLUMNS,
        generation: int | None = None,
        symbol: str = SYMBOL,
        **others: Any,
    ) -> uuid.UUID:
        """Write a prediction as the router does."""
        sets = dict.fromkeys(c.feature_set for c in columns)
        inputs = {
            name: {
                "as_of": as_of.isoformat(),
                "generation": generation or self.generation(name),
            }
            for name in sets
        }
        row = {
            "tenant_id": self.tenant,
            "prediction_id": uuid.uuid4(),
            "model": self.model,
            "version": 1,
            "alias": "champion",
            "route": "champion",
            "symbol": symbol,
            "as_of": as_of,
            "value": value,
            "inputs": Jsonb(inputs),
            "latency_ms": 1.5,
            **others,
        }
        if "feature_hash" not in row:
            row["feature_hash"] = self.digest_of(as_of, columns, symbol)
        names = ", ".join(row)
        marks = ", ".join(f"%({name})s" for name in row)
        self.run(f"insert into api.prediction ({names}) values ({marks})".encode(), row)
        return uuid.UUID(str(row["prediction_id"]))

    def digest_of(self, as_of: datetime, columns: Sequence[Column], symbol: str = SYMBOL) -> str:
        """SHA-256 of the row of numbers, as the router encodes it."""
        values = {
            name: self.rows(
                f"select * from {prefix}_pit_snapshot(array[%s], array[%s::timestamptz], null, %s)",
                symbol,
                as_of,
                self.tenant,
            )[0]
            for name, prefix in PREFIX.items()
        }
        bundle = Bundle({}, tuple(columns), None)
        (row,) = bundle.encode([[values[c.feature_set][c.field] for c in columns]])
        return row_digest(row)

    def generation(self, name: str) -> int:
        """The one in use."""
        found: int = self.rows(
            "select max(generation) as n from feature.generation where feature_set = %s", name
        )[0]["n"]
        return found

    def replay(self, prediction: uuid.UUID) -> dict[str, Any]:
        """The one row of model.replay()."""
        (row,) = self.rows("select * from model.replay(%s)", prediction)
        return row

    def note_labels(self) -> None:
        """As the database's job does."""
        self.run("call model.note_labels()")

    def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        """All rows of a query."""
        with self.world.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query.encode(), arguments).fetchall()


@pytest.fixture(scope="module")
def desk_world(databases: Databases, modelled_database: str) -> Iterator[World]:
    """A migrated, seeded database with the dbt models."""
    world = World(modelled_database, databases.kind)
    yield world
    world.close()


@pytest.fixture
def desk(desk_world: World) -> Desk:
    """A tenant of the test's own with an hour of bars."""
    made = Desk(desk_world)
    made.bars(60)
    made.backfill()
    return made


@pytest.fixture(scope="module")
def shared_desk(desk_world: World) -> Desk:
    """A tenant for all examples of a property."""
    return Desk(desk_world)
