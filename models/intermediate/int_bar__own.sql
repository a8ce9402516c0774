with bar as (
    select * from {{ ref('int_bar__closed') }}
),

quote_bar as (
    select * from {{ ref('stg_quote_bar') }}
),

flow as (
    select * from {{ ref('stg_flow') }}
),

joined as (
    select
        bar.*,
        quote_bar.spread_bps_sum,
        quote_bar.spread_bps_count,
        -- a bar without one of the sides has NULL there, which is no size
        coalesce(flow.buy_size, 0) as buy_size,
        coalesce(flow.sell_size, 0) as sell_size
    from bar
    left join quote_bar
        on
            bar.tenant_id = quote_bar.tenant_id
            and bar.symbol = quote_bar.symbol
            and bar.bucket = quote_bar.bucket
    left join flow
        on
            bar.tenant_id = flow.tenant_id
            and bar.symbol = flow.symbol
            and bar.bucket = flow.bucket
),

final as (
    select
        tenant_id,
        symbol,
        bucket,
        open,
        high,
        low,
        close,
        volume,
        -- a mean of prices lies between them; that of rounded products need not
        case
            when volume > 0 and notional is not null
                then greatest(low, least(high, notional / volume))
        end as vwap,
        spread_bps_sum / nullif(spread_bps_count, 0) as spread_bps,
        (buy_size - sell_size) / nullif(buy_size + sell_size, 0) as order_imbalance
    from joined
)

select * from final
