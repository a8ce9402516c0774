-- Joins by the key and passes columns on, nothing else: feature.compile() takes a bar's own values
-- from the bar model itself, and each window from the view that makes it.
with bar as (
    select * from {{ ref('int_bar__own') }}
),

windows as (
    select * from {{ ref('int_bar__regime') }}
),

final as (
    select
        bar.tenant_id,
        bar.symbol,
        bar.bucket,
        bar.open,
        bar.high,
        bar.low,
        bar.close,
        bar.volume,
        bar.vwap,
        windows.sma_20,
        windows.volatility_1h,
        windows.regime_tag,
        bar.spread_bps,
        bar.order_imbalance
    from bar
    left join windows
        on
            bar.tenant_id = windows.tenant_id
            and bar.symbol = windows.symbol
            and bar.bucket = windows.bucket
)

select * from final
