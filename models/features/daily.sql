-- Joins by the key and passes columns on, nothing else, as feature_1m does.
with bar as (
    select * from {{ ref('int_session__own') }}
),

windows as (
    select * from {{ ref('int_session__trailing') }}
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
        windows.previous_close,
        windows.gap,
        windows.atr_14,
        windows.realised_volatility_20
    from bar
    left join windows
        on
            bar.tenant_id = windows.tenant_id
            and bar.symbol = windows.symbol
            and bar.bucket = windows.bucket
)

select * from final
