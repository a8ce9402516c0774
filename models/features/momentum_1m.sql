-- Joins by the key and passes columns on, nothing else, as feature_1m does.
with bar as (
    select * from {{ ref('int_momentum__own') }}
),

windows as (
    select * from {{ ref('int_momentum__trailing') }}
),

final as (
    select
        bar.tenant_id,
        bar.symbol,
        bar.bucket,
        windows.rsi_14,
        windows.sma_50,
        windows.volume_sma_20,
        bar.order_flow_imbalance,
        bar.microprice
    from bar
    left join windows
        on
            bar.tenant_id = windows.tenant_id
            and bar.symbol = windows.symbol
            and bar.bucket = windows.bucket
)

select * from final
