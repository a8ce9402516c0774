with bar as (
    select * from {{ ref('int_bar__closed') }}
),

with_return as (
    select
        tenant_id,
        symbol,
        bucket,
        open,
        high,
        low,
        close,
        volume,
        notional,
        lag(close, {{ var('regime_trend_bars') }}) over by_time as close_before_trend,
        -- no logarithm of a price at or below zero; least() passes over the first bar's NULL
        case
            when least(close, lag(close) over by_time) > 0
                then ln(close / lag(close) over by_time)
        end as log_return
    from bar
    window by_time as (partition by tenant_id, symbol order by bucket)
)

select * from with_return
