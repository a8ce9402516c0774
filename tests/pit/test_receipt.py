"""A receipt stands for an answer: equal while it is given, and names what differs.

RECEIPT_MUTATIONS: how many cells are changed, 60 unless told; the long form has 10000.
"""

import math
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from tests.pit.conftest import SYMBOL, Scene
from tests.pit.test_known_reference import EDITS, MORNING, SHARE, answered, edit
from tests.pit.world import World

MUTATIONS = int(os.environ.get("RECEIPT_MUTATIONS", "60"))
RECEIPT = "select feature.receipt(%s, %s::timestamptz[], %s::timestamptz[], %s)"
VERIFY = "select * from feature.verify(%s, %s, %s::timestamptz[], %s::timestamptz[], %s)"
NUMBERS = ["open", "high", "low", "volume", "vwap", "sma_20", "volatility_1h", "spread_bps"]
NUMBERS += ["order_imbalance"]

__all__ = ["answered"]  # a fixture


class Asked:
    """A question about a scene's bars."""

    def __init__(self, scene: Scene, as_ofs: list[datetime], symbol: str = SYMBOL) -> None:
        self.scene, self.as_ofs = scene, as_ofs
        self.symbols = [symbol] * len(as_ofs)

    def receipt(self, known: list[datetime] | None = None) -> str:
        row = self.scene.world.connection.execute(
            RECEIPT, [self.symbols, self.as_ofs, known, self.scene.tenant]
        ).fetchone()
        assert row is not None
        assert isinstance(row[0], str)
        return row[0]

    def verify(self, receipt: str, known: list[datetime] | None = None) -> dict[str, Any]:
        with self.scene.world.connection.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(
                VERIFY, [receipt, self.symbols, self.as_ofs, known, self.scene.tenant]
            ).fetchall()
        assert len(rows) == 1
        return rows[0]


@pytest.fixture(scope="module")
def asked(small_world: World) -> Asked:
    """Thirty bars, each published with its close, and a question about each."""
    scene = Scene(small_world)
    for minute in range(30):
        scene.bars(1, minute)
        scene.world.publish(scene.at(minute + 1))
    return Asked(scene, [scene.at(minute) for minute in range(1, 31)])


@contextmanager
def past_the_guard(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """As a superuser who goes round the triggers; taken back at the end."""
    with connection.transaction(force_rollback=True):
        connection.execute("set local session_replication_role = replica")
        yield


def test_it_is_short_and_printable_and_equal(asked: Asked) -> None:
    receipt = asked.receipt()
    assert len(receipt) <= 200
    assert receipt.isascii()
    assert receipt.isprintable()
    assert " " not in receipt
    assert asked.receipt() == receipt
    found = asked.verify(receipt)
    assert (found["is_equal"], found["field"], found["place"]) == (True, None, None)
    assert found["said"].startswith("equal: 30 rows of market_1m as of the publish of 202")


def test_it_stays_equal_whatever_is_published_and_learned_later(answered: Scene) -> None:
    asked = Asked(answered, [MORNING, MORNING + timedelta(minutes=3)], SHARE)
    receipt = asked.receipt()
    answered.trade(MORNING, 1.0, MORNING + timedelta(hours=2), symbol=SHARE)
    answered.world.publish(MORNING + timedelta(hours=3))
    for statement in EDITS.values():
        with answered.world.connection.transaction(force_rollback=True):
            edit(answered, statement)
            answered.world.connection.execute("call feature.publish()")
            assert asked.verify(receipt)["is_equal"]


def test_as_of_when_it_was_known_is_part_of_it(asked: Asked) -> None:
    world = asked.scene.world
    at = world.published_at()
    one = asked.receipt([at] * 30)
    each = asked.receipt([at] * 29 + [at - timedelta(minutes=1)])
    assert asked.verify(one)["is_equal"]
    assert asked.verify(each, [at] * 29 + [at - timedelta(minutes=1)])["is_equal"]
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="known_as_of of its own"):
        asked.verify(each)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="says as of when"):
        asked.verify(one, [at] * 30)


def mutated(rng: random.Random, value: float | str | None) -> float | str | None:
    """Another value of a cell: the next number, another sign of zero, NaN, NULL, or no text."""
    if isinstance(value, str):
        return rng.choice(["", None, value + " ", value.upper()])
    choices = [None, math.nan, 0.0, -0.0, rng.random()]
    if value is not None:
        choices += [math.nextafter(value, math.inf), math.nextafter(value, -math.inf), -value]
    return rng.choice([c for c in choices if repr(c) != repr(value)])


def test_a_changed_cell_is_found_with_its_row_and_field(asked: Asked) -> None:
    """Any one of them: 0 are missed, and place and field are told."""
    connection = asked.scene.world.connection
    rng = random.Random(7)  # noqa: S311
    with past_the_guard(connection):
        connection.execute(
            "update feature.log set regime_tag = '' where tenant_id = %s and bucket < %s",
            [asked.scene.tenant, asked.scene.at(15)],
        )
        connection.execute(
            "update feature.log set spread_bps = -0.0, order_imbalance = 0.0, vwap = 'NaN'"
            " where tenant_id = %s and bucket >= %s",
            [asked.scene.tenant, asked.scene.at(20)],
        )
        receipt = asked.receipt()
        for _ in range(MUTATIONS):
            minute, field = rng.randrange(30), rng.choice([*NUMBERS, "regime_tag"])
            column = sql.Identifier(field)
            row = connection.execute(
                sql.SQL("select {} from feature.log where tenant_id = %s and bucket = %s").format(
                    column
                ),
                [asked.scene.tenant, asked.scene.at(minute)],
            ).fetchone()
            assert row is not None
            value = row[0]
            if field == "regime_tag":
                other: float | str | None = mutated(rng, value or "range")
                other = "up" if other == value else other
            else:
                other = mutated(rng, value)
            with connection.transaction(force_rollback=True):
                connection.execute(
                    sql.SQL(
                        "update feature.log set {} = %s where tenant_id = %s and bucket = %s"
                    ).format(column),
                    [other, asked.scene.tenant, asked.scene.at(minute)],
                )
                found = asked.verify(receipt)
            said = f"{field} of minute {minute}: {value!r} -> {other!r}"
            assert (found["is_equal"], found["field"], found["place"]) == (
                False,
                field,
                minute + 1,
            ), said
            assert (found["symbol"], found["as_of"]) == (SYMBOL, asked.scene.at(minute + 1)), said
            assert found["moved"] == "versions of the log", said
        assert asked.verify(receipt)["is_equal"]


def test_where_several_rows_differ_the_fields_are_told(asked: Asked) -> None:
    connection = asked.scene.world.connection
    receipt = asked.receipt()
    with past_the_guard(connection):
        connection.execute(
            "update feature.log set volume = 2 * volume where tenant_id = %s", [asked.scene.tenant]
        )
        found = asked.verify(receipt)
    assert (found["is_equal"], found["place"], found["field"]) == (False, None, "volume")
    assert found["said"].startswith("not equal: several rows differ")


def test_reference_data_that_was_rewritten_is_named(answered: Scene) -> None:
    connection = answered.world.connection
    asked = Asked(answered, [MORNING], SHARE)
    receipt = asked.receipt()
    with past_the_guard(connection):
        connection.execute("delete from market.session_month")
        found = asked.verify(receipt)
        assert (found["is_equal"], found["place"]) == (False, 1)
        assert found["moved"] == "reference data"
        assert "close" in found["field"].split(", ")
    with past_the_guard(connection):
        connection.execute("update market.contract_version set max_staleness_s = 61")
        found = asked.verify(receipt)
        assert found["is_equal"] or found["moved"] == "contract"


def test_its_parts_name_what_it_was_made_of(asked: Asked) -> None:
    connection = asked.scene.world.connection
    parts = asked.receipt().split(".")
    row = connection.execute(
        "select left(d.hash, 6), left(replace(c.database_id::text, '-', ''), 6)"
        " from feature.clock as c cross join feature.current_definition as n"
        " inner join feature.definition as d using (definition) where n.feature_set = 'market_1m'"
    ).fetchone()
    assert row is not None
    assert (parts[4], parts[2]) == row
    newest = connection.execute(
        "select 'market_1m:' || max(generation) from feature.generation"
        " where feature_set = 'market_1m'"
    ).fetchone()
    assert (parts[0], (parts[1],), parts[3]) == ("pit1", newest, "11")


def test_other_formulas_are_named_where_the_answer_is_another(asked: Asked) -> None:
    connection = asked.scene.world.connection
    receipt = asked.receipt()
    with past_the_guard(connection):
        connection.execute("update feature.definition set hash = lpad(definition::text, 64, '0')")
        assert asked.verify(receipt)["is_equal"]
        connection.execute(
            "update feature.log set vwap = 1 where tenant_id = %s and bucket = %s",
            [asked.scene.tenant, asked.scene.at(3)],
        )
        assert asked.verify(receipt)["moved"] == "definition"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda _: "", "this is no receipt: ''"),
        (lambda _: "pit1.market_1m", "this is no receipt: 'pit1.market_1m'"),
        (lambda r: r[:60] + ("A" if r[60] != "A" else "B") + r[61:], "the receipt is damaged: "),
        (lambda r: r[:-1], "the receipt is damaged: "),
        (lambda r: r + "x", "the receipt is damaged: "),
    ],
)
def test_a_damaged_one_is_refused(asked: Asked, damage: Any, said: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue) as refused:
        asked.verify(damage(asked.receipt()))
    assert str(refused.value).startswith(said)
    assert refused.value.diag.message_hint


def test_one_of_another_database_question_or_publish_is_refused(asked: Asked) -> None:
    connection = asked.scene.world.connection
    receipt = asked.receipt()
    refused = psycopg.errors.InvalidParameterValue
    with pytest.raises(refused, match="not the question"):
        Asked(asked.scene, asked.as_ofs[::-1]).verify(receipt)
    with connection.transaction(force_rollback=True):
        connection.execute("update feature.clock set database_id = gen_random_uuid()")
        with pytest.raises(refused, match="is of another database"), connection.transaction():
            asked.verify(receipt)
        row = connection.execute(
            "select v.is_equal from feature.verify(%s, %s, %s::timestamptz[], null, %s, true) as v",
            [receipt, asked.symbols, asked.as_ofs, asked.scene.tenant],
        ).fetchone()
        assert row == (True,)
    with connection.transaction(force_rollback=True):
        earlier = asked.scene.at(29, 30)
        connection.execute(
            "update feature.clock set live_from = %s, published_at = %s", [earlier, earlier]
        )
        with pytest.raises(refused, match="which this database has not had"):
            asked.verify(receipt)


def test_every_set_has_receipts_at_one_moment_and_of_nothing(asked: Asked) -> None:
    connection = asked.scene.world.connection
    sets = connection.execute("select feature_set from market.feature_set").fetchall()
    moment = str(asked.as_ofs[-1])
    for (name,) in sets:
        row = connection.execute(
            "select feature.receipt(array[%s], %s, null, %s, %s)",
            [SYMBOL, moment, asked.scene.tenant, name],
        ).fetchone()
        assert row is not None
        found = connection.execute(
            "select v.is_equal, v.said from feature.verify(%s, array[%s], %s, %s) as v",
            [row[0], SYMBOL, moment, asked.scene.tenant],
        ).fetchone()
        assert found is not None
        assert found[0], found
        assert f" rows of {name} " in found[1]
    empty = Asked(asked.scene, [])
    assert empty.verify(empty.receipt())["is_equal"]
    with pytest.raises(psycopg.errors.UndefinedObject, match="no set nope"):
        connection.execute("select feature.receipt(array[%s], now(), p_set => 'nope')", [SYMBOL])


def test_a_tenant_has_receipts_of_what_is_its_own(asked: Asked) -> None:
    """By a login of the tenant's, through api alone."""
    connection = asked.scene.world.connection
    tenant = asked.scene.tenant
    with connection.transaction(force_rollback=True):
        connection.execute("call access.set_tenant(%s, 'a tenant')", [tenant])
        connection.execute("create role receipt_tenant login in role market_tenant")
        connection.execute(
            "insert into access.login (login, tenant_id) values ('receipt_tenant', %s)", [tenant]
        )
        connection.execute("set local session authorization receipt_tenant")
        arguments = [[SYMBOL] * 30, asked.as_ofs]
        row = connection.execute("select api.receipt(%s, %s::timestamptz[])", arguments).fetchone()
        assert row is not None
        found = connection.execute(
            "select v.is_equal from api.verify(%s, %s, %s::timestamptz[]) as v",
            [row[0], *arguments],
        ).fetchone()
        assert found == (True,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute("select feature.receipt(%s, %s::timestamptz[])", arguments)
