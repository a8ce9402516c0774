"""What the demo reads back, all of it from SQL; the fields are the contract's."""

from collections.abc import Sequence

from psycopg import sql

from demo.contract import Row, columns, compared, lead, listed

# In the order in which a narrow terminal leaves them out from the right.
NEWEST = """
    select distinct on (f.tenant_id, f.symbol) f.tenant_id, f.symbol, f.bucket, {fields}
    from feature.feature_1m as f
    order by f.tenant_id, f.symbol, f.bucket desc
"""

# Whether there is a tick of the kind that its instrument's bars are made of.
HAS_BARS = """
    select exists (
        select from market.trade as t
        where market.bars_from(t.symbol) = 'trade'
    ) or exists (
        select
        from market.instrument as i
        inner join market.quote as q on i.symbol = q.symbol
        where i.bars_from = 'quote'
    ) or exists (
        select
        from market.instrument as i
        inner join market.bar as b on i.symbol = b.symbol
        where i.bars_from = 'bar'
    )
"""

# All that was replayed is history: its knowledge clock is the captures' own.
DECLARE_HISTORY = "call feature.declare_history()"

TICK_RANGE = """
    select date_trunc('minute', min(ts)), max(ts) + interval '1 minute'
    from (
        select ts from market.trade
        union all
        select ts from market.quote
        union all
        select ts from market.bar
    ) as tick
"""

# Whether the live feed's ticks arrive: one that became known since then is there.
KNOWN_SINCE = """
    select exists (
        select from market.trade as t
        where t.ts > %(since)s - interval '1 hour' and t.known_at > %(since)s
    )
"""

# The bar whose {lead} was restated most, as it was known at its close and as it is known now.
RESTATED = """
    with version as (
        select
            l.tenant_id,
            l.symbol,
            l.bucket,
            first_value(l.known_at) over bar as known_at,
            abs({lead} / first_value({lead}) over bar - 1) as change
        from feature.log as l
        window bar as (partition by l.tenant_id, l.symbol, l.bucket order by l.known_at)
    ),

    most as (
        select v.tenant_id, v.symbol, v.known_at
        from version as v
        where v.change > 0
        order by v.change desc
        limit 1
    )

    select m.tenant_id, s.symbol, s.as_of, s.known_as_of, s.bucket, s.known_at, {fields}
    from most as m
    cross join lateral feature_pit_snapshot(
        array[m.symbol, m.symbol], array[m.known_at, m.known_at], array[m.known_at, now()],
        m.tenant_id
    ) as s
"""

REJECTED = """
    select d.reason, count(*) as messages, min(d.message) as example
    from market.dead_letter as d
    where d.settled_at is null
    group by d.reason
    order by messages desc, d.reason
"""


def newest(contract: Sequence[Row]) -> sql.Composed:
    """The last bar of each series."""
    return sql.SQL(NEWEST).format(fields=columns("f", listed(contract)))


def restated(contract: Sequence[Row]) -> sql.Composed:
    """One moment twice, as it was known and as it is; nothing where no bar was restated."""
    return sql.SQL(RESTATED).format(
        lead=sql.Identifier("l", lead(contract)),
        fields=columns("s", compared(contract)),
    )
