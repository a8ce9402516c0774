"""What feature.compile() refuses; tests/models/test_compile.py has the same as a user meets it."""

import psycopg
import pytest

from tests.pit.conftest import Scene

BARS, WINDOWS, MODEL = (
    "intermediate.int_bar__own",
    "intermediate.int_bar__return",
    "feature.feature_1m",
)
CONTRACT = (
    "insert into market.contract (feature_set, ordinal, field, data_type, unit, formula,"
    " available_after_s, max_staleness_s, feature_view)"
    " values ('market_1m', 12, '{}', '{}', 'x', 'x', 30, 900, 'x')"
)


def refused(scene: Scene, statements: list[str], said: str) -> None:
    """compile() after these statements says so, and makes nothing."""
    connection = scene.world.connection
    made = "select oid, xmin::text from pg_proc where pronamespace = 'feature'::regnamespace"
    with connection.transaction(force_rollback=True):
        for statement in statements:
            connection.execute(statement.encode())
        before = connection.execute(made).fetchall()
        with pytest.raises(psycopg.Error, match=said), connection.transaction():
            connection.execute("call feature.compile()")
        assert connection.execute(made).fetchall() == before


def changed(scene: Scene, view: str, old: str, new: str) -> str:
    """The statement that puts `new` into a view's definition where it says `old`, once."""
    row = scene.world.connection.execute("select pg_get_viewdef(%s::regclass)", [view]).fetchone()
    assert row is not None
    assert row[0].count(old) == 1
    return f"create or replace view {view} as {row[0].replace(old, new)}"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "select s.* from staging.stg_bar as s inner join market.tenant as t using (tenant_id)",
            r"market\.tenant has a column tenant_id",
        ),
        ("select * from feature.stg_bar", r"stg_bar has the name of another relation"),
        ("select * from staging.stg_bar where 1 / (1 - 1) = 1", "division by zero"),
        ("select * from feature.bar_table", r"feature\.bar_table is no view"),
        (
            "select * from staging.stg_bar where bucket < clock_timestamp()",
            r"int_bar__closed reads the clock: use now",
        ),
        ("select * from feature.bar_copy", r"feature\.bar_copy is no view"),
    ],
    ids=["tenant_id", "same name", "fails over no rows", "table", "clock", "materialized view"],
)
def test_what_a_model_may_not_read_is_refused(scene: Scene, source: str, said: str) -> None:
    columns = "tenant_id, symbol, bucket, open, high, low, close, volume, notional"
    refused(
        scene,
        [
            "create view feature.stg_bar as select * from staging.stg_bar",
            "create table feature.bar_table as select * from staging.stg_bar",
            "create materialized view feature.bar_copy as select * from staging.stg_bar",
            "create or replace view intermediate.int_bar__closed as"
            f" select {columns} from ({source}) as bar",
        ],
        said,
    )


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            CONTRACT.format("range", "double precision"),
            r"range is no column of feature\.feature_1m: add it there, or take its line out",
        ),
        (
            "update market.contract set data_type = 'text' where field = 'vwap'",
            r"vwap is text in market\.contract and double precision in feature\.feature_1m",
        ),
        (
            "update market.contract set data_type = 'unknown_type' where field = 'vwap'",
            r"vwap is unknown_type in market\.contract and double precision in feature\.feature_1m",
        ),
        (
            "alter table feature.log rename column vwap to average",
            r"vwap is no column of feature\.log with type double precision: run make migrate",
        ),
        (
            "update market.contract set null_when = 'at times'",
            r"no own field of market_1m is there in every bar: one must have an empty null",
        ),
        ("delete from market.contract", r"market\.contract has no field: run make migrate"),
    ],
    ids=["not in the model", "other type", "no type", "not in the log", "no presence", "empty"],
)
def test_a_contract_that_the_models_do_not_keep_is_refused(
    scene: Scene, statement: str, said: str
) -> None:
    refused(scene, [statement], said)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("bar.volume,", "bar.volume * 2 as volume,", rf"volume of {MODEL} is not that of {BARS}"),
        ("bar.high,", "bar.low as high,", rf"high of {MODEL} is not that of {BARS}: compute it"),
        (
            "windows.sma_20,",
            "windows.sma_20 + 0 as sma_20,",
            rf"sma_20 of {MODEL} is not a column of a view of windows: compute it in a model",
        ),
        (
            "windows.sma_20,",
            "bar.close as sma_20,",
            rf"sma_20 of {MODEL} is not a column of a view of windows",
        ),
        ("FROM final", "FROM final WHERE volume > 0", rf"{MODEL} does more than left join by"),
        ("FROM final", "FROM final LIMIT 10", rf"{MODEL} does more than left join by"),
        ("LEFT JOIN", "JOIN", rf"{MODEL} does more than left join by"),
        (
            "bar.tenant_id = windows.tenant_id",
            "bar.close = windows.sma_20",
            rf"{MODEL} does more than left join by",
        ),
    ],
    ids=["own", "swapped", "window", "own as window", "where", "limit", "inner join", "on"],
)
def test_feature_1m_joins_by_the_key_and_passes_on(
    scene: Scene, old: str, new: str, said: str
) -> None:
    refused(scene, [changed(scene, MODEL, old, new)], said)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("market.bar_1m", rf"{WINDOWS} reads market\.bar_1m, which is made of ticks: let it"),
        ("market.ohlc_1m", rf"{WINDOWS} reads market\.ohlc_1m, which is made of ticks"),
        ("staging.stg_bar", rf"{WINDOWS} reads staging\.stg_bar, which is made of ticks"),
        (
            "(select tenant_id, symbol, ts as bucket, price as close from market.trade)",
            rf"{WINDOWS} reads market\.trade, which is made of ticks: let it read {BARS}",
        ),
        (
            f"(select * from {BARS})",
            rf"{WINDOWS} reads open of {BARS}, which no window's field of market_1m in market",
        ),
        (
            f"(select tenant_id, symbol, bucket, close from {BARS} where volume > 0)",
            rf"{WINDOWS} reads volume of {BARS}, which no window's field of market_1m in market",
        ),
    ],
    ids=["bar", "aggregate", "staging", "tick", "every column", "not among the inputs"],
)
def test_windows_read_the_bar_model_and_their_inputs_alone(
    scene: Scene, source: str, said: str
) -> None:
    of = changed(scene, WINDOWS, f"FROM {BARS}", f"FROM {source} as int_bar__own")
    refused(scene, [of], said)
