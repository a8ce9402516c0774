"""What a tenant sees through api: its own and what it is entitled to, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

from tests.conftest import Databases
from tests.tenancy.world import VIEWS, World

START = datetime(2024, 1, 1, tzinfo=UTC)
HELD = {1: {"OWN", "BOTH"}, 2: {"OWN"}, 3: {"BOTH", "FEED"}}
VISIBLE = {1: {1, 3}, 2: {2}, 3: {3}}


@contextmanager
def changed(world: World, change: str, undo: str) -> Iterator[None]:
    with psycopg.connect(world.url, autocommit=True) as connection:
        connection.execute(change)
        yield
        connection.execute(undo)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("tenant", VISIBLE)
def test_a_view_shows_own_and_entitled_rows(world: World, view: str, tenant: int) -> None:
    relation = {
        **dict.fromkeys(("feature_version", "feature_1m", "regime"), "feature.log"),
        **dict.fromkeys(("momentum_1m_feature_version", "momentum_1m"), "feature.momentum_1m_log"),
        **dict.fromkeys(("daily_feature_version", "daily"), "feature.daily_log"),
        **{"set_aside": "feature.set_aside"},
    }.get(view, f"market.{view}")
    with psycopg.connect(world.url) as everything:
        held = everything.execute(
            f"select distinct tenant_id, symbol from {relation} where tenant_id = any(%s)",
            [list(VISIBLE[tenant])],
        ).fetchall()
    assert held
    with world.act_as(world.logins[tenant]) as connection:
        seen = connection.execute(
            sql.SQL("select distinct tenant_id, symbol from api.{}").format(sql.Identifier(view))
        ).fetchall()
    assert sorted(seen) == sorted(held)


@pytest.mark.parametrize(
    ("change", "undo"),
    [
        (
            "update api.entitlement set valid_to = clock_timestamp()",
            "update api.entitlement set valid_to = null",
        ),
        (
            "update api.entitlement set valid_from = valid_from + interval '1 day'",
            "update api.entitlement set valid_from = valid_from - interval '1 day'",
        ),
    ],
)
def test_an_entitlement_counts_while_it_is_valid(world: World, change: str, undo: str) -> None:
    with changed(world, change, undo), world.act_as(world.logins[1]) as connection:
        assert connection.execute("select distinct tenant_id from api.trade").fetchall() == [(1,)]


def test_a_suspended_tenant_sees_nothing(world: World) -> None:
    change = "update api.tenant set status = '{}' where tenant_id = 1"
    suspended = changed(world, change.format("suspended"), change.format("active"))
    with suspended, world.act_as(world.logins[1]) as connection:
        for view in ("trade", "ohlc_1m", "feature_1m", "tenant", "entitlement"):
            counted = connection.execute(f"select count(*) from api.{view}")
            assert counted.fetchone() == (0,)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_point_in_time_read_is_the_plain_one_of_what_is_visible(
    world: World, data: st.DataObject
) -> None:
    tenant = data.draw(st.sampled_from(sorted(VISIBLE)))
    held = {s: t for t in VISIBLE[tenant] for s in HELD[t] if s != "BOTH"}
    pairs = data.draw(
        st.lists(
            st.tuples(st.sampled_from(["OWN", "FEED", "NONE"]), st.integers(0, 9000)), max_size=12
        )
    )
    unknown = {symbol for symbol, _ in pairs} - set(held)
    as_of = [START + timedelta(seconds=second) for symbol, second in pairs if symbol in held]
    symbols = [symbol for symbol, _ in pairs if symbol in held]
    call = "feature_pit_snapshot(%s::text[], %s::timestamptz[], null::timestamptz[]"
    with world.act_as(world.logins[tenant]) as connection:
        ours = connection.execute(
            f"select * from api.{call})",
            [symbols, as_of],
        ).fetchall()
    if unknown:
        every = [symbol for symbol, _ in pairs]
        with (
            world.act_as(world.logins[tenant]) as connection,
            pytest.raises(psycopg.errors.UndefinedObject) as caught,
        ):
            connection.execute(f"select * from api.{call})", [every, [START] * len(every)])
        assert set(re.findall(r"'(\w+)'", caught.value.diag.message_primary or "")) == unknown
    with psycopg.connect(world.url) as connection:
        plain = [
            connection.execute(
                f"select * from public.{call}, %s)",
                [[symbol], [moment], held[symbol]],
            ).fetchone()
            for symbol, moment in zip(symbols, as_of, strict=True)
        ]
    assert ours == plain


def test_a_point_in_time_read_of_another_tenant_is_refused(world: World) -> None:
    with world.act_as(world.logins[2]) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="tenant 1 is not yours"):
            connection.execute(
                "select * from api.feature_pit_snapshot(array['OWN'], now(), p_tenant_id => 1)"
            )
        # what only others have reads as what nobody has, and as what has an instrument alone
        said = set()
        for symbol in ("FEED", "NONE", "SYN_GC"):
            with pytest.raises(psycopg.errors.UndefinedObject, match=symbol) as caught:
                connection.execute(
                    "select bucket, is_stale from api.feature_pit_snapshot(array[%s],"
                    " timestamptz '2024-01-01 01:00+00')",
                    [symbol],
                )
            said.add(str(caught.value).replace(symbol, "it"))
        assert len(said) == 1, said


def test_arrays_that_count_from_another_number_are_paired_all_the_same(world: World) -> None:
    moments = ["2024-01-01 00:05+00", "2024-01-01 01:00+00"]
    with world.act_as(world.logins[2]) as connection:
        found = [
            connection.execute(
                "select as_of, bucket, close from api.feature_pit_snapshot("
                "%s::text[], %s::timestamptz[])",
                [shift + "{OWN,OWN}", shift + "{" + ",".join(moments) + "}"],
            ).fetchall()
            for shift in ("", "[0:1]=")
        ]
    assert found[0] == found[1]
    assert found[0][0] != found[0][1]


def test_a_symbol_that_two_visible_tenants_have_is_asked_by_tenant(world: World) -> None:
    with world.act_as(world.logins[1]) as connection:
        with pytest.raises(psycopg.errors.AmbiguousParameter, match=r"BOTH is held by .* 1, 3"):
            connection.execute("select * from api.feature_pit_snapshot(array['BOTH'], now())")
        closes = [
            connection.execute(
                "select close from api.feature_pit_snapshot(array['BOTH'],"
                " timestamptz '2024-01-01 01:00+00', p_tenant_id => %s)",
                [tenant],
            ).fetchone()
            for tenant in (1, 3)
        ]
    assert closes[0] != closes[1]
    with world.act_as(world.logins[3]) as connection:
        row = connection.execute(
            "select close from api.feature_pit_snapshot(array['BOTH'],"
            " timestamptz '2024-01-01 01:00+00')"
        ).fetchone()
    assert row == closes[1]


def test_a_tenant_writes_its_own_rows_only(world: World) -> None:
    with world.act_as(world.logins[1]) as connection:
        added = connection.execute(
            "insert into api.watchlist (symbol) values ('OWN') returning tenant_id"
        ).fetchone()
        assert added == (1,)
        for write in (
            "insert into api.watchlist values (2, 'OWN')",
            "insert into api.prediction (tenant_id, model, symbol, as_of, value)"
            " values (2, 'm', 'OWN', now(), 1)",
            "update api.watchlist set tenant_id = 2",
            "insert into api.entitlement (tenant_id, dataset) values (1, 'feed')",
            "update api.tenant set status = 'active'",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(write)
    with world.act_as(world.logins[2]) as connection:
        assert connection.execute("select * from api.watchlist").fetchall() == []
        assert connection.execute("delete from api.watchlist").rowcount == 0


def test_a_direct_login_and_a_pooled_one_see_the_same(world: World, databases: Databases) -> None:
    if databases.kind == "embedded":
        pytest.skip("the embedded engine lets everybody in as its one superuser")
    pool = world.logins[1].replace("t1", "pool")
    with psycopg.connect(world.url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create role {} login in role market_pool").format(sql.Identifier(pool))
        )
    url = psycopg.conninfo.make_conninfo(world.url, user=pool)
    try:
        with psycopg.connect(url) as pooled:
            for tenant, login in world.logins.items():
                with pooled.transaction():
                    pooled.execute(sql.SQL("set local role {}").format(sql.Identifier(login)))
                    seen = pooled.execute("select distinct tenant_id from api.trade").fetchall()
                    assert {row[0] for row in seen} == VISIBLE[tenant]
                direct = psycopg.conninfo.make_conninfo(world.url, user=login)
                with psycopg.connect(direct) as connection:
                    seen = connection.execute("select distinct tenant_id from api.trade").fetchall()
                    assert {row[0] for row in seen} == VISIBLE[tenant]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                pooled.execute("select from api.trade")
    finally:
        with psycopg.connect(world.url, autocommit=True) as connection:
            connection.execute(sql.SQL("drop role {}").format(sql.Identifier(pool)))


def test_definitions_that_mix_over_tenants_are_told_once(world: World) -> None:
    """Of tenant 1 the bars are of the first, of the feed of tenant 3 one is of the second."""
    at = START + timedelta(days=1)
    with psycopg.connect(world.url) as connection:
        for number in (1, 2):
            connection.execute(
                "insert into feature.definition"
                " values (%s, 'market_1m', repeat(%s::text, 64), '', '{}', now())",
                [number, number],
            )
        connection.execute(
            "insert into feature.log (tenant_id, symbol, bucket, known_at, open, high, low, close,"
            " volume, cause, definition) values (3, 'FEED', %s, %s, 1, 1, 1, 1, 1, 'close', 2)",
            [at, at + timedelta(minutes=1)],
        )
    then, now = START + timedelta(minutes=60), at + timedelta(minutes=1)
    said = "rows of market_1m are of several definitions: 1 made {}, 2 made {}"
    with world.act_as(world.logins[1]) as connection:
        told: list[str] = []
        connection.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
        for symbols, moments, found in [
            (["OWN", "OWN", "FEED"], [then, then, now], [said.format(2, 1)]),
            (["FEED", "FEED"], [then, now], [said.format(1, 1)]),
            (["FEED", "FEED", "OWN"], [then, now, then], [said.format(1, 1)]),
            (["OWN", "FEED"], [then, then], []),
        ]:
            told.clear()
            rows = connection.execute(
                "select symbol, close from api.feature_pit_snapshot(%s, %s::timestamptz[])",
                [symbols, moments],
            ).fetchall()
            assert (told, [symbol for symbol, _ in rows]) == (found, symbols)
            assert None not in [close for _, close in rows]
        # the hint names where to look
        named = connection.execute(
            "select definition, left(sha256, 1) from api.definition order by 1"
        )
        assert named.fetchall() == [(1, "1"), (2, "2")]
