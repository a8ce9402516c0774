"""A day of two symbols that always trade, the same in every database: what models learn from here.

The close follows the side of the flow a little, so that there is something to learn.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg

FIRST: Final = datetime(2025, 3, 4, 8, tzinfo=UTC)
TENANT: Final = 1
SYMBOLS: Final = ("SYN_BTCUSD", "SYN_ETHUSD")
MINUTES: Final = 480

# a trade and a quote in each minute; a pseudo-random walk of integers, which no server rounds
TRADES: Final = """
    insert into market.trade (tenant_id, symbol, ts, seq, price, size, side, known_at)
    select
        w.tenant_id,
        w.symbol,
        w.ts,
        w.n,
        1000 + sum(w.step) over (partition by w.symbol order by w.n) / 8.0,
        1 + w.dice %% 5,
        case when w.dice %% 7 = 0 then null when w.step > 0 then 'buy' else 'sell' end,
        w.ts + interval '40 ms'
    from (
        select
            %(tenant_id)s::integer as tenant_id,
            s.symbol,
            n,
            %(first)s::timestamptz + n * interval '1 minute' + interval '20 s' as ts,
            d.dice,
            case
                when (n / 12 + s.place) %% 2 = 0 then d.dice %% 5 - 1
                else 1 - d.dice %% 5
            end as step
        from unnest(%(symbols)s::text[]) with ordinality as s (symbol, place)
        cross join generate_series(0, %(minutes)s - 1) as n
        cross join lateral (
            select ('x' || left(md5(s.symbol || n::text), 6))::bit(24)::integer as dice
        ) as d
    ) as w
    on conflict do nothing
"""
# one trade an hour that is known only three minutes later
LATE: Final = """
    insert into market.trade (tenant_id, symbol, ts, seq, price, size, side, known_at)
    select
        t.tenant_id,
        t.symbol,
        t.ts + interval '5 s',
        t.seq + 100000,
        t.price + 2,
        3,
        'sell',
        t.ts + interval '3 minutes'
    from market.trade as t
    where
        t.tenant_id = %(tenant_id)s
        and t.symbol = any(%(symbols)s::text[])
        and t.ts >= %(first)s
        and t.seq %% 60 = 30
    on conflict do nothing
"""
QUOTES: Final = """
    insert into market.quote
        (tenant_id, symbol, ts, seq, bid, bid_size, ask, ask_size, known_at)
    select
        t.tenant_id,
        t.symbol,
        t.ts + k.later,
        t.seq * 2 + k.nth,
        t.price - 0.25,
        1 + t.seq %% (3 + k.nth),
        t.price + 0.25,
        1 + t.seq %% (4 - k.nth),
        t.ts + k.later + interval '40 ms'
    from market.trade as t
    cross join (values (0, interval '1 s'), (1, interval '9 s')) as k (nth, later)
    where
        t.tenant_id = %(tenant_id)s
        and t.symbol = any(%(symbols)s::text[])
        and t.ts >= %(first)s
    on conflict do nothing
"""


def load(url: str, minutes: int = MINUTES) -> None:
    """Bring the day into a modelled database, as history."""
    given = {"tenant_id": TENANT, "symbols": list(SYMBOLS), "first": FIRST, "minutes": minutes}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TRADES, given)
        connection.execute(QUOTES, given)
        connection.execute(LATE, given)
        connection.execute(
            "call feature.backfill(%s, %s)", [FIRST, FIRST + timedelta(minutes=minutes + 5)]
        )
