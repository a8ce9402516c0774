"""Every continuous aggregate equals a plain GROUP BY over the ticks, whatever happened before."""

import math
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Databases
from tests.paused import pause_jobs
from tests.refreshing import when_free

T0 = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)
REFRESH_ORDER = [
    "ohlc_1m",
    "ohlc_5m",
    "ohlc_15m",
    "ohlc_1h",
    "ohlc_1d",
    "flow_1m",
    "flow_1h",
    "quote_1m",
    "quote_1h",
    "mid_1m",
    "range_1h",
    "latency_1m",
]

OHLC = """
    select symbol, date_bin('{width}', ts, '2000-01-01Z') as bucket,
        (array_agg(price order by ts, seq))[1], max(price), min(price),
        (array_agg(price order by ts desc, seq desc))[1], sum(size), sum(price * size), count(*)
    from market.trade where tenant_id = %(tenant)s group by 1, 2
"""
FLOW = """
    select symbol, date_bin('{width}', ts, '2000-01-01Z') as bucket,
        sum(case side when 'buy' then size end), sum(case side when 'sell' then size end),
        count(case side when 'buy' then 1 end), count(case side when 'sell' then 1 end)
    from market.trade where tenant_id = %(tenant)s group by 1, 2
"""
QUOTE = """
    select symbol, date_bin('{width}', ts, '2000-01-01Z') as bucket,
        sum(case when 0 < bid and bid <= ask and ask <= bid + bid
            then (ask - bid) / ((bid + ask) * 0.5) * 10000 end),
        count(case when 0 < bid and bid <= ask and ask <= bid + bid then 1 end),
        (array_agg(bid order by ts desc, seq desc) filter (where bid is not null))[1],
        (array_agg(ask order by ts desc, seq desc) filter (where ask is not null))[1], count(*)
    from market.quote where tenant_id = %(tenant)s group by 1, 2
"""
MID = """
    select symbol, date_bin('1 minute', ts, '2000-01-01Z') as bucket,
        (array_agg(mid order by ts, seq))[1], max(mid), min(mid),
        (array_agg(mid order by ts desc, seq desc))[1], count(*)
    from market.quote cross join lateral (select (bid + ask) * 0.5 as mid) as m
    where tenant_id = %(tenant)s and 0 < bid and bid <= ask and ask <= bid + bid
    group by 1, 2
"""
VOLATILITY = f"""
    select symbol, date_bin('1 hour', bucket, '2000-01-01Z'), count(*), sum(n),
        sum(power(ln(h) - ln(l), 2)) / (4 * ln(2::float8)),
        sum(0.5 * power(ln(h) - ln(l), 2) - (2 * ln(2::float8) - 1) * power(ln(c) - ln(o), 2)),
        sum((ln(h) - ln(c)) * (ln(h) - ln(o)) + (ln(l) - ln(c)) * (ln(l) - ln(o)))
    from ({OHLC.format(width="1 minute")}) as bar (symbol, bucket, o, h, l, c, volume, notional, n)
    group by 1, 2
"""
LATENCY = """
    select symbol, date_bin('1 minute', ts, '2000-01-01Z') as bucket, count(*),
        sum(extract(epoch from known_at) - extract(epoch from ts)) * 1000,
        max(extract(epoch from known_at) - extract(epoch from ts)) * 1000,
        count(case when known_at >= date_bin('1 minute', ts, '2000-01-01Z') + '1 min' then 1 end)
    from market.trade where tenant_id = %(tenant)s group by 1, 2
"""
# relation: (plain query, columns that are sums and may differ by rounding)
PLAIN: dict[str, tuple[str, set[str]]] = {
    "ohlc_1m": (OHLC.format(width="1 minute"), {"volume", "notional"}),
    "ohlc_5m": (OHLC.format(width="5 minutes"), {"volume", "notional"}),
    "ohlc_15m": (OHLC.format(width="15 minutes"), {"volume", "notional"}),
    "ohlc_1h": (OHLC.format(width="1 hour"), {"volume", "notional"}),
    "ohlc_1d": (OHLC.format(width="1 day"), {"volume", "notional"}),
    "flow_1m": (FLOW.format(width="1 minute"), {"buy_size", "sell_size"}),
    "flow_1h": (FLOW.format(width="1 hour"), {"buy_size", "sell_size"}),
    "quote_1m": (QUOTE.format(width="1 minute"), {"spread_bps_sum"}),
    "quote_1h": (QUOTE.format(width="1 hour"), {"spread_bps_sum"}),
    "mid_1m": (MID, set()),
    "range_1h": (
        VOLATILITY,
        {"parkinson_sum", "garman_klass_sum", "rogers_satchell_sum"},
    ),
    "latency_1m": (LATENCY, {"lag_ms_sum"}),
}

price = st.integers(9_000, 11_000).map(lambda ticks: ticks / 100)
size = st.integers(1, 500).map(lambda lots: lots / 10)
key = st.tuples(st.sampled_from(["SYN_ES", "SYN_NQ"]), st.integers(0, 10_800), st.integers(0, 3))
trade = st.tuples(
    st.just("trade"), key, price, size, st.sampled_from(["buy", "sell", None]), st.integers(0, 7200)
)
quote = st.tuples(st.just("quote"), key, st.none() | price, st.none() | price)
amend = st.tuples(st.sampled_from(["correct", "cancel"]), st.integers(0, 10_000), price)
upkeep = st.tuples(st.sampled_from(["refresh", "compress"]), st.integers(0, len(REFRESH_ORDER)))
steps = st.lists(
    st.one_of(trade, trade, trade, quote, quote, amend, upkeep), min_size=1, max_size=60
)
tenants = count(1000)


@pytest.fixture(scope="module")
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as opened:
        # the test decides what is refreshed and compressed, not the server's jobs
        pause_jobs(opened)
        yield opened


def act(connection: psycopg.Connection[Any], tenant: int, step: tuple[Any, ...]) -> None:
    match step:
        case ("trade", (symbol, second, seq), price_, size_, side, lag):
            ts = T0 + timedelta(seconds=second)
            connection.execute(
                "insert into market.trade (tenant_id, symbol, ts, seq, price, size, side, known_at)"
                " values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
                (tenant, symbol, ts, seq, price_, size_, side, ts + timedelta(seconds=lag)),
            )
        case ("quote", (symbol, second, seq), bid, ask) if bid is not None or ask is not None:
            ts = T0 + timedelta(seconds=second)
            connection.execute(
                "insert into market.quote (tenant_id, symbol, ts, seq, bid, ask, known_at)"
                " values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
                (tenant, symbol, ts, seq, bid, ask, ts),
            )
        case ("correct" | "cancel" as action, which, price_):
            keys = connection.execute(
                "select symbol, ts, seq from market.trade where tenant_id = %s order by 1, 2, 3",
                (tenant,),
            ).fetchall()
            if not keys:
                return
            change = (
                "delete from market.trade"
                if action == "cancel"
                else "update market.trade set price = %s"
            )
            values = [] if action == "cancel" else [price_]
            connection.execute(
                f"{change} where tenant_id = %s and symbol = %s and ts = %s and seq = %s",
                (*values, tenant, *keys[which % len(keys)]),
            )
        case ("refresh", levels):
            for relation in REFRESH_ORDER[:levels]:
                when_free(
                    connection,
                    f"call refresh_continuous_aggregate('market.{relation}', %s, %s)",
                    (T0 - timedelta(days=2), T0 + timedelta(days=3)),
                )
        case ("compress", _):
            for relation in ("trade", "quote"):
                connection.execute(
                    f"select compress_chunk(c, true) from show_chunks('market.{relation}') as c"
                )


def rows(
    connection: psycopg.Connection[Any], query: str, tenant: int
) -> dict[Any, tuple[Any, ...]]:
    found = connection.execute(query, {"tenant": tenant}).fetchall()
    return {row[:2]: row[2:] for row in found}


def assert_equal(connection: psycopg.Connection[Any], tenant: int) -> None:
    for relation, (plain, sums) in PLAIN.items():
        columns = [
            row[0]
            for row in connection.execute(
                "select attname from pg_attribute where attrelid = %s::regclass and attnum > 3"
                " order by attnum",
                (f"market.{relation}",),
            )
        ]
        query = (
            f"select symbol, bucket, {', '.join(columns)} from market.{relation}"
            " where tenant_id = %(tenant)s"
        )
        actual, expected = rows(connection, query, tenant), rows(connection, plain, tenant)
        assert actual.keys() == expected.keys(), relation
        for bar, values in expected.items():
            for column, got, want in zip(columns, actual[bar], values, strict=True):
                if want is None or got is None or column not in sums:
                    want = float(want) if want is not None else None
                    assert got == want, (relation, bar, column)
                else:
                    assert math.isclose(got, want, rel_tol=1e-12, abs_tol=1e-15), (
                        relation,
                        bar,
                        column,
                    )


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(script=steps)
def test_aggregates_equal_group_by_after_any_history(
    connection: psycopg.Connection[Any], script: list[tuple[Any, ...]]
) -> None:
    tenant = next(tenants)
    for step in script:
        act(connection, tenant, step)
    # what lies below a watermark is shown after its refresh; the rest at once
    act(connection, tenant, ("refresh", len(REFRESH_ORDER)))
    assert_equal(connection, tenant)


def test_unrefreshed_rows_show_at_once_at_every_level(database: str) -> None:
    """Real time: rows above the watermark, never refreshed, are in all twelve."""
    with psycopg.connect(database, autocommit=True) as connection:
        tenant = next(tenants)
        future = [
            ("trade", ("SYN_ES", 400_000 + 20 * n, n % 3), 100 + n, 1.0, "buy", n)
            for n in range(400)
        ]
        for step in future:
            act(connection, tenant, step)
        for n in range(400):
            act(connection, tenant, ("quote", ("SYN_ES", 400_000 + 20 * n, 0), 99.0, 101.0 + n))
        assert_equal(connection, tenant)


def test_equal_timestamps_open_and_close_by_seq(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        tenant = next(tenants)
        for seq in (2, 0, 3, 1):
            act(connection, tenant, ("trade", ("SYN_ES", 0, seq), 100.0 + seq, 1.0, None, 0))
        act(connection, tenant, ("refresh", len(REFRESH_ORDER)))
        for relation in REFRESH_ORDER[:5]:
            bar = connection.execute(
                f"select open, close from market.{relation} where tenant_id = %s", (tenant,)
            ).fetchall()
            assert bar == [(100.0, 103.0)], relation


def test_a_refresh_by_its_policy_hides_no_row_while_it_runs(databases: Databases) -> None:
    url, drop = databases.create("migrated")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "select alter_job(job_id, scheduled => false) from timescaledb_information.jobs"
            " where hypertable_schema = 'market'"
        )
        connection.execute(
            "insert into market.trade (tenant_id, symbol, ts, seq, price, size, known_at)"
            " select 1, 'SYN_ES', at, 0, 100, 1, at from generate_series("
            " timestamptz '2026-03-02 00:00Z', '2026-03-09 00:00Z', interval '1 minute') as s (at)"
        )
        ((job,),) = connection.execute(
            "select job_id from timescaledb_information.jobs"
            " where hypertable_name = 'ohlc_1m' and proc_name like 'policy_refresh%'"
        ).fetchall()
        count_bars = "select count(*) from market.ohlc_1m"
        expected = (7 * 24 * 60 + 1,)
        assert connection.execute(count_bars).fetchone() == expected

        def refresh() -> None:
            with psycopg.connect(url, autocommit=True) as other:
                other.execute("call run_job(%s)", (job,))

        refreshing = threading.Thread(target=refresh)
        refreshing.start()
        seen = set()
        while refreshing.is_alive():
            seen.add(connection.execute(count_bars).fetchone())
        refreshing.join()
        assert seen <= {expected}
        assert connection.execute(count_bars).fetchone() == expected
    drop()
