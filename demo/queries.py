"""What the demo reads back, all of it from SQL."""

FEATURES = """
    select f.tenant_id, f.symbol, f.bucket, f.open, f.high, f.low, f.close, f.volume, f.vwap,
        f.sma_20, f.volatility_1h, f.regime_tag, f.spread_bps, f.order_imbalance
    from feature.feature_1m as f
    order by f.tenant_id, f.symbol, f.bucket
"""

REJECTED = """
    select d.reason, count(*) as messages, min(d.message) as example
    from market.dead_letter as d
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
