"""Whatever values a tick may have: a publish, a view, a refresh and a backfill bear them."""

import math
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.kinds import HIGHEST_PRICE, LARGEST_SIZE, LEAST
from ingest.validate import Known, validate
from tests.pit.conftest import SYMBOL, Scene
from tests.pit.oracle import Event, Quote, Trade

SIGNED = "SYN_CL"
KNOWN = Known(frozenset({1}), frozenset({SYMBOL, SIGNED}), frozenset({SIGNED}))
AGGREGATES = (
    *("ohlc_1m", "ohlc_5m", "ohlc_15m", "ohlc_1h", "ohlc_1d", "flow_1m", "flow_1h"),
    *("quote_1m", "quote_1h", "mid_1m", "range_1h", "latency_1m"),
)


def edges(most: float) -> st.SearchStrategy[float]:
    """Numbers around every bound, and any others."""
    near = [
        edge
        for bound in (0.0, LEAST, 1.0, 100.0, most, 1.7976931348623157e308)
        for edge in (bound, math.nextafter(bound, 0), math.nextafter(bound, math.inf))
    ]
    return (
        st.sampled_from([*near, *(-edge for edge in near)])
        | st.floats(-most, most)
        | st.floats(LEAST, 1)
        | st.floats(allow_nan=True)
    )


PRICES, SIZES = edges(HIGHEST_PRICE), edges(LARGEST_SIZE)
TRADES = st.builds(Trade, PRICES, SIZES, st.sampled_from(["buy", "sell", None]))
QUOTES = st.builds(
    Quote, st.none() | PRICES, st.none() | SIZES, st.none() | PRICES, st.none() | SIZES
)


def accepted(kind: str, symbol: str, values: Trade | Quote) -> bool:
    """Whether ingest takes a tick of these values."""
    record = {
        **{"tenant_id": 1, "symbol": symbol, "ts": 10**15, "seq": 0, "action": "new"},
        **{"known_at": None, **vars(values)},
    }
    return validate(kind, record, KNOWN, 10**16, 0) is None


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TRADES, min_size=30, max_size=90), st.lists(QUOTES, max_size=40), st.integers(1, 3))
def test_accepted_ticks_fail_nothing(
    small_world: object, trades: list[Trade], quotes: list[Quote], a_minute: int
) -> None:
    scene = Scene(small_world)  # type: ignore[arg-type]
    world, connection = scene.world, scene.world.connection
    for symbol in (SYMBOL, SIGNED):
        good = [one for one in trades if accepted("trade", symbol, one)]
        quoted = [one for one in quotes if accepted("quote", symbol, one)]
        # the same ones again: enough bars for every window
        again = good * (70 // max(len(good), 1) + 1)
        ticks: list[tuple[int, Trade | Quote]] = [*enumerate(again), *enumerate(quoted)]
        world.apply(
            Event("new", scene.tenant, symbol, at, place, values, at)
            for place, values in ticks
            for at in [scene.at(place / a_minute)]
        )
    world.publish(scene.at(200))
    assert connection.execute("select * from feature.set_aside").fetchall() == []
    assert connection.execute(
        "select count(*) from feature.changed_bar where tenant_id = %s", [scene.tenant]
    ).fetchone() == (0,)
    for view in ("feature.feature_1m", "feature.range_volatility_1h", "market.range_1h"):
        rows = connection.execute(
            f"select * from {view} where tenant_id = %s".encode(), [scene.tenant]
        ).fetchall()
        assert all(math.isfinite(v) for row in rows for v in row if isinstance(v, float))
    outside = connection.execute(
        "select low, vwap, high from feature.log where tenant_id = %s"
        " and not vwap between low and high",
        [scene.tenant],
    ).fetchall()
    assert outside == []


@pytest.mark.parametrize(("price", "size"), [(0.1, 3.0), (8.43, 7.0), (70.47, 3.0)])
def test_a_bar_of_one_price_has_it_as_vwap(scene: Scene, price: float, size: float) -> None:
    scene.trade(scene.at(0), price, size=size)
    scene.trade(scene.at(1), price, size=size)
    scene.trade(scene.at(1, 1), price, size=size + 1)
    scene.world.publish(scene.at(2))
    assert scene.log("low, vwap, high") == [(price, price, price)] * 2
    viewed = scene.world.connection.execute(
        "select vwap from feature.feature_1m where tenant_id = %s", [scene.tenant]
    ).fetchall()
    assert viewed == [(price,)] * 2


def test_one_stub_quote_is_not_the_spread(scene: Scene) -> None:
    scene.trade(scene.at(0), 100)
    for second in range(59):
        scene.quote(scene.at(0, second), 99.995, 100.005)
    scene.quote(scene.at(0, 59), 0.01, 199_999.99)
    scene.world.publish(scene.at(1))
    ((spread,),) = scene.log("spread_bps")
    assert spread == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("bid", "ask", "spread"),
    [
        (1.0, 2.0, 10_000 / 1.5),
        (1.0, math.nextafter(2, 3), None),
        (1.0, 1.0, 0.0),
        (1.0, math.nextafter(1, 0), None),
        (-0.5, 0.5, None),
        (-2.0, -1.0, None),
        (0.0, 0.0, None),
        (0.0, 1.0, None),
    ],
)
def test_a_spread_is_of_quotes_whose_ask_is_at_most_twice_their_bid(
    scene: Scene, bid: float, ask: float, spread: float | None
) -> None:
    scene.trade(scene.at(0), 100)
    scene.quote(scene.at(0), bid, ask)
    scene.world.publish(scene.at(1))
    ((found,),) = scene.log("spread_bps")
    assert found == (None if spread is None else pytest.approx(spread))


def test_a_return_is_null_where_a_price_has_no_logarithm(scene: Scene) -> None:
    """Crude in April 2020: bars and averages go on, volatility is of the returns that there are."""
    prices = [10.0, 0.01, 0.0, -0.01, -37.63, -40.32, 1.0, 2.0]
    prices += [2.0 * math.exp((-1) ** n / 100) for n in range(60)]
    for minute, price in enumerate(prices):
        scene.trade(scene.at(minute, 30), price, symbol=SIGNED)
    scene.world.publish(scene.at(len(prices)))
    found = scene.log("low, close, vwap, sma_20, volatility_1h, regime_tag")
    assert [row[1] for row in found] == prices
    assert [row[0] for row in found] == prices == [row[2] for row in found]
    assert found[19][3] == pytest.approx(math.fsum(prices[:20]) / 20)
    logs = [
        math.log(later / one) if min(one, later) > 0 else None for one, later in pairwise(prices)
    ]
    for minute in (35, 36, 37, 60, 67):
        hour = [r for r in logs[max(0, minute - 60) : minute] if r is not None]
        volatility = found[minute][4]
        if len(hour) < 30:
            assert volatility is None
        else:
            assert volatility == pytest.approx(math.sqrt(math.fsum(r * r for r in hour)))
    # twenty bars before it the price was below zero
    assert found[36 - 11][5] is None
    assert found[67][5] is not None
    ranges = scene.world.connection.execute(
        "select bars, parkinson_sum, garman_klass_sum, rogers_satchell_sum from market.range_1h"
        " where tenant_id = %s order by bucket",
        [scene.tenant],
    ).fetchall()
    assert ranges[0] == (60, None, None, None)
    assert None not in ranges[1]


def test_what_is_beyond_the_bounds_the_tables_refuse_as_ingest_does(scene: Scene) -> None:
    """One rule, said twice: by ingest/kinds.py and by the tables' checks."""
    connection = scene.world.connection
    at = scene.at(0)
    for place, bound in enumerate((LEAST, HIGHEST_PRICE, LARGEST_SIZE, 0.0)):
        for number in (bound, math.nextafter(bound, 0), math.nextafter(bound, math.inf), -bound):
            for name in ("price", "size", "bid", "ask", "bid_size", "ask_size"):
                kind = "trade" if name in ("price", "size") else "quote"
                values: dict[str, float] = {"price": 1.0, "size": 1.0} if kind == "trade" else {}
                values[name] = number
                holds = connection.execute(
                    "select bool_and(coalesce(c.holds, true)) from (select"
                    f" {_checks(scene, kind)} as holds from (select"
                    " %(price)s::float8 as price, %(size)s::float8 as size, %(bid)s::float8 as bid,"
                    " %(ask)s::float8 as ask, %(bid_size)s::float8 as bid_size,"
                    " %(ask_size)s::float8 as ask_size) as t) as c".encode(),
                    dict.fromkeys(("price", "size", "bid", "ask", "bid_size", "ask_size")) | values,
                ).fetchone()
                tick: Trade | Quote
                if kind == "trade":
                    tick = Trade(values["price"], values["size"], None)
                else:
                    quote = dict.fromkeys(("bid", "bid_size", "ask", "ask_size")) | values
                    if quote["bid"] is quote["ask"] is None:
                        quote["bid" if name != "bid" else "ask"] = 1.0
                    tick = Quote(**quote)
                assert holds == (accepted(kind, SIGNED, tick),), (name, number, place, at)


def _checks(scene: Scene, kind: str) -> str:
    """What the checks of a table ask of its values."""
    rows = scene.world.connection.execute(
        "select pg_get_expr(conbin, conrelid) from pg_constraint where conrelid = %s::regclass"
        " and conname ~ '(price|size|bid|ask)_check'",
        [f"market.{kind}"],
    ).fetchall()
    assert len(rows) == (2 if kind == "trade" else 4)
    return " and ".join(f"coalesce({row[0]}, true)" for row in rows)


def test_a_time_that_never_comes_is_refused(scene: Scene) -> None:
    with pytest.raises(Exception, match="known_at_check"):
        scene.world.connection.execute(
            "insert into market.trade (tenant_id, symbol, ts, seq, price, size, known_at)"
            " values (%s, %s, %s, 0, 1, 1, 'infinity')",
            [scene.tenant, SYMBOL, scene.at(0) + timedelta(hours=1)],
        )


def test_every_aggregate_refreshes_over_them(scene: Scene) -> None:
    """Over the examples' ticks too. Last: bars below a watermark show only what is materialized."""
    for aggregate in AGGREGATES:
        scene.world.connection.execute(
            f"call refresh_continuous_aggregate('market.{aggregate}', null, null)".encode()
        )
    scene.world.set_clock(scene.at(300), scene.at(300))
    scene.world.backfill(scene.at(-1), scene.at(300))
