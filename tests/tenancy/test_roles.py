"""Each role can do its work and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import psycopg
import pytest

from ingest.consume.ticks import Ticks, create_incoming
from tests.ingest.consume.test_ticks import rows_of

Connection = psycopg.Connection[Any]
NOW = datetime(2024, 3, 11, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def url(modelled_database: str) -> str:
    with psycopg.connect(modelled_database, autocommit=True) as connection:
        # a copy of a database has not its rights to connect
        connection.execute("call access.lockdown()")
    return modelled_database


@contextmanager
def acting_as(url: str, role: str) -> Iterator[Connection]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"set role {role}")
        yield connection


def write(connection: Connection, rows: pl.DataFrame) -> None:
    Ticks().write(connection, "trade", rows)


def test_ingest_writes_corrects_and_cancels(url: str) -> None:
    with acting_as(url, "market_ingest") as connection:
        create_incoming(connection, "trade")
        for first, events in enumerate(
            (
                [("new", second, "SYN_ES", 1, 0) for second in range(3)],
                [("correction", 0, "SYN_ES", 2, 1), ("cancel", 1, "SYN_ES", 1, 1)],
            )
        ):
            with connection.transaction():
                write(connection, rows_of(events, 10 * first))
                connection.execute("delete from pg_temp.incoming_trade")
        connection.execute(
            "insert into market.kafka_offset (topic, partition, next_offset, epoch)"
            " values ('trades', 0, 12, 1)"
        )
        found = connection.execute("select count(*) from market.trade").fetchone()
    assert found == (2,)


def test_an_operator_publishes_backfills_and_checks_the_audit(url: str) -> None:
    with acting_as(url, "market_operator") as connection:
        connection.execute("call feature.publish()")
        connection.execute("call feature.backfill(%s, %s)", [NOW, NOW + timedelta(minutes=5)])
        assert connection.execute("select * from audit.verify()").fetchall() == []
        backfills = connection.execute("select count(*) from audit.event where kind = 'backfill'")
        assert (backfills.fetchone() or [0])[0] > 0


def test_a_reader_reads_everything_of_market_and_feature(url: str) -> None:
    with acting_as(url, "market_reader") as connection:
        for relation in ("market.trade", "market.ohlc_1m", "feature.log", "feature.feature_1m"):
            connection.execute(f"select * from {relation} limit 1").fetchall()
        row = connection.execute(
            "select symbol from feature_pit_snapshot(array['SYN_ES'], now(), p_tenant_id => 1)"
        ).fetchone()
    assert row == ("SYN_ES",)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("market_reader", "delete from market.trade"),
        ("market_reader", "insert into feature.log select * from feature.log limit 0"),
        ("market_reader", "call feature.publish()"),
        ("market_reader", "select * from audit.event"),
        ("market_reader", "select hash from api.api_key"),
        ("market_reader", "create table market.mine (a integer)"),
        ("market_reader", "create temporary table mine (a integer)"),
        ("market_ingest", "update market.trade set price = 1"),
        ("market_ingest", "select * from feature.log"),
        ("market_ingest", "truncate market.trade"),
        ("market_ingest", "select * from api.tenant"),
        ("market_ingest", "select drop_chunks('market.trade', now())"),
        ("market_operator", "delete from audit.event"),
        ("market_operator", "select audit.record('ddl', 'x', 'y')"),
        ("market_operator", "delete from feature.backfill_run"),
        ("market_operator", "call access.remove_tenant(1)"),
        ("market_pool", "select * from api.trade"),
        ("market_pool", "select * from market.trade"),
        ("market_deploy", "delete from audit.event"),
        ("market_deploy", "update model.promotion set version = 2"),
        ("market_pool", "select model.promote('m', 'champion', 1, 'why')"),
        ("market_pool", "select model.set_canary_share('m', 1)"),
        ("market_pool", "select * from model.label"),
        ("market_reader", "select model.register('m', 1, 1, 'run', '{}')"),
        ("market_reader", "select model.withdraw_canary('m', 1, 'why')"),
        ("market_reader", "call model.note_labels()"),
        ("market_reader", "insert into model.label_clock (seen_to) values (now())"),
    ],
)
def test_a_role_is_refused_what_is_not_its_work(url: str, role: str, statement: str) -> None:
    with (
        acting_as(url, role) as connection,
        pytest.raises(
            (
                psycopg.errors.InsufficientPrivilege,
                psycopg.errors.ObjectNotInPrerequisiteState,
            )
        ),
    ):
        connection.execute(statement)
