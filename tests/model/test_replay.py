"""A prediction is recomputed from psql: the same numbers, to the bit, also after a rebuild."""

from __future__ import annotations

import math
import struct
import uuid
from datetime import timedelta
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from tests.model.conftest import COLUMNS, MARKET, MOMENTUM, Desk
from tests.pit.test_rebuild import rebuild
from tests.pit.world import World
from training.bundle import Column, row_digest


def test_a_prediction_is_made_of_the_same_numbers_months_later(desk: Desk) -> None:
    desk.register()
    made = desk.predict(desk.at(30), 0.75)
    row = desk.replay(made)
    assert (row["same"], row["difference"]) == (True, None)
    assert (row["prediction_id"], row["model"], row["version"]) == (made, desk.model, 1)
    assert (row["tenant_id"], row["as_of"], row["value"]) == (desk.tenant, desk.at(30), 0.75)
    close, regime, rsi, vwap = row["features"]
    assert (close, vwap) == (107.25, 107.25)
    assert math.isnan(regime)
    assert rsi == 100
    assert row["feature_hash"] == row_digest(np.array(row["features"]))


def test_a_rebuild_since_changes_nothing(desk: Desk) -> None:
    """What was known then is other in the new generation: a quote came after the backfill."""
    columns = (*COLUMNS, Column(MARKET, "spread_bps"))
    desk.register(columns=columns)
    was = desk.generation(MARKET)
    made = desk.predict(desk.at(30), columns=columns)
    before = desk.replay(made)
    desk.quote(desk.at(29, 20), 99, 101)
    rebuild(desk.world)
    assert desk.generation(MARKET) == was + 1
    assert desk.digest_of(desk.at(30), columns) != before["feature_hash"]
    after = desk.replay(made)
    assert after["same"]
    assert after["feature_hash"] == before["feature_hash"]
    # of the new one it is another row
    forged = desk.predict(desk.at(30), columns=columns, feature_hash=before["feature_hash"])
    found = desk.replay(forged)
    assert not found["same"]
    assert found["difference"] == f"it was made of other features: SHA-256 {before['feature_hash']}"


def test_a_correction_since_changes_nothing(desk: Desk) -> None:
    desk.register()
    made = desk.predict(desk.at(30))
    desk.trade(desk.at(29, 40), 500, desk.live)
    desk.publish(1)
    assert desk.replay(made)["same"]


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"version": 7}, "version 7 of model .* is not registered here"),
        ({"version": None}, "what it was made of was not kept"),
        ({"inputs": None}, "what it was made of was not kept"),
        ({"feature_hash": None}, "the digest of its features was not kept"),
        ({"feature_hash": "00"}, "it was made of other features: SHA-256 00"),
        ({"inputs": Jsonb({})}, "of which moment and generation m.*_1m was"),
        ({"inputs": Jsonb({MARKET: {"as_of": "x"}})}, "of which moment and generation m"),
        (
            {"inputs": Jsonb({n: {"as_of": "x", "generation": 1} for n in (MARKET, MOMENTUM)})},
            "invalid input syntax",
        ),
        (
            {
                "inputs": Jsonb(
                    {n: {"as_of": "2024-01-01Z", "generation": 99} for n in (MARKET, MOMENTUM)}
                )
            },
            "set m.*_1m has no generation 99",
        ),
    ],
)
def test_what_cannot_be_recomputed_says_why(desk: Desk, others: dict[str, Any], said: str) -> None:
    desk.register()
    row = desk.replay(desk.predict(desk.at(30), **others))
    assert not row["same"]
    assert row["difference"] is not None
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(row["difference"])


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (Column(MARKET, "no_such"), "there is no market_1m.no_such any more"),
        (Column("no_set", "close"), "there is no no_set.close any more"),
        (Column(MARKET, "regime_tag"), "regime_tag is '.*', and the model takes a number"),
        (Column(MARKET, "regime_tag", ("x",)), "regime_tag is '.*', and the model knows x"),
    ],
)
def test_a_card_that_does_not_fit_says_why(desk: Desk, column: Column, said: str) -> None:
    # a regime wants an hour and half of returns
    desk.bars(70, 60)
    desk.backfill()
    desk.register(columns=[column])
    at = desk.at(129)
    inputs = {column.feature_set: {"as_of": at.isoformat(), "generation": desk.generation(MARKET)}}
    row = desk.replay(desk.predict(at, inputs=Jsonb(inputs), feature_hash="00"))
    assert row["features"] is None
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(row["difference"])


def test_a_text_is_its_place_among_the_categories(desk: Desk) -> None:
    desk.bars(70, 60)
    desk.backfill()
    tag = desk.ask(desk.at(129))["regime_tag"]
    columns = [Column(MARKET, "regime_tag", ("a", tag, "b"))]
    desk.register(columns=columns)
    row = desk.replay(desk.predict(desk.at(129), columns=columns))
    assert (row["same"], row["features"]) == (True, [1.0])


def test_there_is_no_such_prediction(desk: Desk) -> None:
    with pytest.raises(psycopg.errors.NoDataFound, match="there is no prediction"):
        desk.replay(uuid.uuid4())


def test_two_tenants_may_choose_the_same_number(desk: Desk, desk_world: World) -> None:
    other = Desk(desk_world)
    desk.register()
    made = desk.predict(desk.at(30))
    other.predict(desk.at(30), prediction_id=made, inputs=Jsonb({}), feature_hash=None)
    found = desk.rows("select tenant_id, same from model.replay(%s)", made)
    assert {row["tenant_id"]: row["same"] for row in found} == {
        desk.tenant: True,
        other.tenant: False,
    }


@settings(max_examples=25)
@given(values=st.lists(st.floats(), min_size=1, max_size=12))
def test_a_number_keeps_its_bits(shared_desk: Desk, values: list[float]) -> None:
    """NaN, infinities, -0 and the smallest, in a session that would round them."""
    desk = shared_desk
    desk.anew()
    symbol = f"OF_{desk.model}"
    stamps = [desk.at(minute) for minute in range(len(values))]
    with desk.world.connection.transaction():
        desk.run(
            "insert into feature.series (tenant_id, symbol) values (%s, %s)", [desk.tenant, symbol]
        )
        desk.run(
            "insert into feature.log (tenant_id, symbol, bucket, known_at, close, vwap, cause)"
            " select %s, %s, t, t + interval '1 minute', 1, v, 'close'"
            " from unnest(%s::timestamptz[], %s::float8[]) as s (t, v)",
            [desk.tenant, symbol, stamps, values],
        )
        desk.run("set local extra_float_digits = -15")
        found = desk.rows(
            "select place, float8send(number) as bits from model.numbers_of("
            "'public', %s, 'market_1m', %s, %s, %s, %s) order by place",
            Jsonb([{"feature_set": MARKET, "field": "vwap", "categories": []}]),
            desk.generation(MARKET),
            [symbol] * len(values),
            [stamp + timedelta(minutes=1) for stamp in stamps],
            desk.tenant,
        )
    wanted = [struct.pack(">d", math.nan if math.isnan(value) else value) for value in values]
    assert [bytes(row["bits"]) for row in found] == wanted
