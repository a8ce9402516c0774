"""Every field of feature_1m equals the oracle: on the real files, and on a walk that fills all."""

import math
from collections.abc import Iterator
from functools import cache

import pandas as pd
import psycopg
import pytest
from psycopg import sql

from tests.models import oracle, ticks

QUIET = {"SYN_ES": 0.02, "SYN_CL": 0.3, "SYN_GC": 0.6, "SYN_EURUSD": 0.1}
REAL = ["ESH4", "BTCUSDT", "USDJPY"]
# its trades are there all the same, and count for nothing
QUOTED = ("SYN_EURUSD", "USDJPY")
NO_QUOTES = pd.DataFrame(columns=ticks.QUOTE)
NO_TRADES = pd.DataFrame(columns=ticks.TRADE)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@cache
def source(symbol: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trades and quotes of a symbol."""
    if symbol in QUIET:
        made = ticks.walk(symbol, seed=list(QUIET).index(symbol), quiet=QUIET[symbol])
        return ticks.crude(*made) if symbol == "SYN_CL" else made
    if not ticks.DATA.is_dir():
        pytest.skip("the real files are not here: ../shared/data")
    if symbol == "ESH4":
        return ticks.esh4_trades(), NO_QUOTES
    if symbol == "BTCUSDT":
        return ticks.btcusdt_trades(), ticks.btcusdt_quotes()
    return NO_TRADES, ticks.usdjpy_quotes()


@cache
def expected(symbol: str) -> pd.DataFrame:
    """What the oracle makes of them."""
    return oracle.features(*source(symbol), "quote" if symbol in QUOTED else "trade")


@pytest.fixture(scope="module")
def built(modelled_database: str) -> Iterator[psycopg.Connection]:
    """The database with the ticks of all symbols that are there and dbt's models."""
    with psycopg.connect(modelled_database, autocommit=True) as connection:
        connection.execute("set timezone = 'UTC'")
        # a policy's refresh at the same moment would refuse this test's own
        connection.execute(
            "select alter_job(job_id, scheduled => false) from timescaledb_information.jobs"
            " where proc_name = 'policy_refresh_continuous_aggregate'"
        )
        connection.execute(
            "update market.instrument set bars_from = 'quote' where symbol = any(%s)",
            [list(QUOTED)],
        )
        for symbol in [*QUIET, *(REAL if ticks.DATA.is_dir() else [])]:
            trades, quotes = source(symbol)
            ticks.copy(connection, "trade", trades)
            ticks.copy(connection, "quote", quotes)
        yield connection


def compare(connection: psycopg.Connection, symbol: str) -> None:
    """Fail on the first field that differs by more than 1e-12 relative."""
    columns = sql.SQL(", ").join(map(sql.Identifier, ["bucket", *oracle.FIELDS]))
    query = sql.SQL(
        "select {} from feature.feature_1m where tenant_id = 1 and symbol = %s order by bucket"
    )
    rows = connection.execute(query.format(columns), [symbol]).fetchall()
    wanted = expected(symbol)
    assert [row[0] for row in rows] == list(wanted.index)
    for bucket, *values in rows:
        for field, value in zip(oracle.FIELDS, values, strict=True):
            want = wanted.loc[bucket, field]
            if isinstance(want, float):
                same = value is not None and math.isclose(value, want, rel_tol=1e-12)
            else:
                same = value == want
            assert same, f"{symbol} {bucket} {field}: {value!r}, not {want!r}"


@pytest.mark.parametrize("symbol", [*QUIET, *REAL])
def test_every_field_equals_the_oracle_before_any_refresh(
    built: psycopg.Connection, symbol: str
) -> None:
    source(symbol)
    compare(built, symbol)


def test_every_field_equals_the_oracle_after_a_refresh(built: psycopg.Connection) -> None:
    for name in ["ohlc_1m", "flow_1m", "quote_1m", "mid_1m"]:
        built.execute(f"call refresh_continuous_aggregate('market.{name}', null, null)".encode())
    for symbol in [*QUIET, *(REAL if ticks.DATA.is_dir() else [])]:
        compare(built, symbol)


def test_the_walks_fill_every_field_and_every_tag() -> None:
    walks = pd.concat([expected(symbol) for symbol in QUIET])
    share = walks.notna().mean()
    assert (share > 0.4).all(), share
    assert {"volatile", "trend_up", "trend_down", "range"} <= set(walks["regime_tag"])
    assert walks[["sma_20", "spread_bps", "order_imbalance"]].isna().any().all()


@pytest.mark.parametrize(
    ("symbol", "bars", "field"),
    [("ESH4", 30, "sma_20"), ("BTCUSDT", 1, "order_imbalance"), ("USDJPY", 30, "sma_20")],
)
def test_a_real_file_has_what_it_is_compared_for(symbol: str, bars: int, field: str) -> None:
    found = expected(symbol)
    assert len(found) >= bars
    assert found[field].notna().any()


def test_a_tenant_and_symbol_alone_give_what_the_whole_view_gives(
    built: psycopg.Connection,
) -> None:
    whole = built.execute(
        "with f as materialized (select * from feature.feature_1m)"
        " select * from f where symbol = 'SYN_CL' order by bucket"
    ).fetchall()
    alone = built.execute(
        "select * from feature.feature_1m where tenant_id = 1 and symbol = 'SYN_CL' order by bucket"
    ).fetchall()
    assert whole == alone
    assert len(alone) > 100
