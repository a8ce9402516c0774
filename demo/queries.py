"""What the demo reads back, all of it from SQL."""

FEATURES = """
    select f.tenant_id, f.symbol, f.bucket, f.open, f.high, f.low, f.close, f.volume, f.vwap,
        f.sma_20, f.volatility_1h, f.regime_tag, f.spread_bps, f.order_imbalance
    from feature.feature_1m as f
    order by f.tenant_id, f.symbol, f.bucket
"""

# All that was replayed is history: its knowledge clock is the captures' own.
DECLARE_HISTORY = "call feature.declare_history()"

TICK_RANGE = "select date_trunc('minute', min(ts)), max(ts) + interval '1 minute' from market.trade"

# The bar whose close was restated most, as it was known at its close and as it is known now.
RESTATED = """
    with version as (
        select
            l.tenant_id,
            l.symbol,
            l.bucket,
            first_value(l.known_at) over bar as known_at,
            abs(l.close / first_value(l.close) over bar - 1) as change
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

    select m.tenant_id, s.symbol, s.as_of, s.known_as_of, s.bucket, s.known_at, s.close, s.vwap,
        s.sma_20, s.volatility_1h, s.regime_tag
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

COUNTS = """
    select 'trades' as what, count(*) as rows from market.trade
    union all select 'quotes', count(*) from market.quote
    union all select 'versions replaced by corrections', count(*) from market.trade_superseded
        where cause = 'correction'
    union all select 'versions removed by cancels', count(*) from market.trade_superseded
        where cause = 'cancel'
    union all select 'one-minute bars', count(*) from market.ohlc_1m
"""

# A field is fresh when the last input of its bar was known no later than the contract allows.
FRESHNESS = """
    with trade_bar as (
        select tenant_id, symbol, time_bucket(interval '1 minute', ts) as bucket,
            max(known_at) as known_at
        from market.trade group by 1, 2, 3
    ),

    quote_bar as (
        select tenant_id, symbol, time_bucket(interval '1 minute', ts) as bucket,
            max(known_at) as known_at
        from market.quote group by 1, 2, 3
    ),

    input as (
        select 'trade' as kind, greatest(
            extract(epoch from known_at - bucket) - 60, 0
        )::double precision as late_s from trade_bar
        union all
        select 'quote', greatest(
            extract(epoch from known_at - bucket) - 60, 0
        )::double precision from quote_bar
    )

    select
        c.field,
        c.available_after_s,
        count(*) as bars,
        count(*) filter (where i.late_s <= c.available_after_s) as bars_in_time,
        percentile_disc(0.99) within group (order by i.late_s) as p99_late_s,
        max(i.late_s) as max_late_s
    from market.contract as c
    inner join input as i
        on i.kind = case when c.field = 'spread_bps' then 'quote' else 'trade' end
    group by c.ordinal, c.field, c.available_after_s
    order by c.ordinal
"""
