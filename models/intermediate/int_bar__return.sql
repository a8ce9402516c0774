with bar as (
    -- windows read named columns of the bar model, so that compile() knows which
    select
        tenant_id,
        symbol,
        bucket,
        close
    from {{ ref('int_bar__own') }}
),

with_return as (
    select
        tenant_id,
        symbol,
        bucket,
        close,
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
