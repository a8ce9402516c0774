"""Ticks of one series that hypothesis makes, with all that a feed brings, and their way in."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
import psycopg
from hypothesis import strategies as st
from psycopg import sql

from tests.models import ticks
from tests.models.oracle_sets import BAR, QUOTE, TRADE, Ticks

MINUTE = timedelta(minutes=1)
# prices of a decimal feed, whose sums and differences round
ABOVE = [100.0, 100.1, 100.2, 100.3, 99.9, 99.7, 0.1, 250.0]
BELOW = [-100.0, -100.1, -37.63, -0.1]
PRICES = [ABOVE, ABOVE, [*ABOVE, 0.0, *BELOW], BELOW]
SIZES = [0.1, 0.2, 0.3, 1.0, 7.5, 40.0]


@dataclass(frozen=True)
class Moment:
    """What came at one moment: a trade and a quote, and what a vendor's bar says of the minute."""

    price: float
    size: float
    volume: float | None
    spread: float | None
    bid_size: float | None
    ask_size: float | None


Pattern = list[tuple[int, Moment]]


@st.composite
def patterns(draw: st.DrawFn, places: int, least: int) -> list[Pattern]:
    """What comes in a stretch of time, which series are put together from, as they can repeat it.

    Each is `least` to four moments at these places in the stretch, a place more than once too.
    """
    told = st.sampled_from([None, 0.0, *SIZES])
    moment = st.builds(
        Moment,
        price=st.sampled_from(draw(st.sampled_from(PRICES))),
        size=st.sampled_from(SIZES),
        volume=st.sampled_from([*SIZES, None]),
        # crossed, locked, wide, a stub, and without a bid
        spread=st.sampled_from([0.1, 0.1, 0.2, 0.3, 0.0, -0.1, 1e6, None]),
        bid_size=told,
        ask_size=told,
    )
    at = st.integers(0, places - 1)
    return draw(
        st.lists(
            st.lists(st.tuples(at, moment), min_size=least, max_size=4), min_size=1, max_size=8
        )
    )


def made(came: Sequence[tuple[datetime, Moment]], bars_from: str) -> Ticks:
    """The ticks of these moments; they come in another order than they happened."""
    trades, quotes, bars = [], [], {}
    for seq, (at, one) in enumerate(came):
        ask = one.price if one.spread is None else one.price + one.spread
        bid = None if one.spread is None else one.price
        trades.append((at, seq, one.price, one.size, None))
        quotes.append((at, seq, bid, one.bid_size, ask, one.ask_size))
        minute = at.replace(second=0, microsecond=0)
        low, high = min(one.price, one.price - 0.3), one.price + 0.1
        bars[minute] = (minute, one.price, high, low, one.price, one.volume)
    return Ticks(
        frame(trades[::-1], TRADE),
        frame(quotes[::-1], QUOTE),
        frame(list(bars.values())[::-1], BAR),
        bars_from,
    )


def frame(rows: Sequence[tuple[object, ...]], columns: list[str]) -> pd.DataFrame:
    """The rows, with None for what is not there."""
    made = pd.DataFrame(rows, columns=columns).astype(object)
    made["ts"] = pd.to_datetime(made["ts"], utc=True)
    return made.where(made.notna(), None)


@contextmanager
def loaded(
    connection: psycopg.Connection, symbol: str, series: Ticks
) -> Iterator[psycopg.Connection]:
    """The database with these ticks of a symbol, of tenant 1, until the end."""
    with connection.transaction(force_rollback=True):
        load(connection, symbol, series)
        yield connection


def load(connection: psycopg.Connection, symbol: str, series: Ticks) -> None:
    """Have the ticks in the database as those of tenant 1."""
    connection.execute(
        "update market.instrument set bars_from = %s where symbol = %s and bars_from <> %s",
        [series.bars_from, symbol, series.bars_from],
    )
    for table, of in (("trade", series.trades), ("quote", series.quotes), ("bar", series.bars)):
        if len(of):
            known_at = of["ts"] + (MINUTE if table == "bar" else 0 * MINUTE)
            more = {"tenant_id": 1, "symbol": symbol, "known_at": known_at}
            more |= {"seq": 0} if table == "bar" else {}
            ticks.copy(connection, table, of.assign(**more))


def rows(
    connection: psycopg.Connection, model: str, fields: Sequence[str], symbol: str
) -> list[tuple[object, ...]]:
    """Bucket and fields of a model of dbt's, of tenant 1 and a symbol."""
    query = sql.SQL(
        "select bucket, {} from feature.{} where tenant_id = 1 and symbol = %s order by bucket"
    ).format(sql.SQL(", ").join(map(sql.Identifier, fields)), sql.Identifier(model))
    return connection.execute(query, [symbol]).fetchall()
