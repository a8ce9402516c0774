with bar as (
    select
        tenant_id,
        symbol,
        bucket,
        open,
        high,
        low,
        close
    from {{ ref('int_session__own') }}
),

with_previous as (
    select
        *,
        lag(close) over (partition by tenant_id, symbol order by bucket) as previous_close
    from bar
),

moved as (
    select
        *,
        -- greatest() passes over a NULL, and of the first session there is no true range
        case
            when previous_close is not null
                then greatest(high - low, abs(high - previous_close), abs(low - previous_close))
        end as true_range,
        -- no logarithm of a price at or below zero; least() passes over the first session's NULL
        case
            when least(close, previous_close) > 0 then ln(close / previous_close)
        end as log_return
    from with_previous
),

-- sums of float8 depend on their frame alone: int_momentum__trailing
windowed as (
    select
        *,
        count(true_range) over last_ranges as ranges,
        avg(true_range) over last_ranges as mean_range,
        count(log_return) over last_returns as log_returns,
        sum(log_return * log_return) over last_returns as squared_return_sum
    from moved
    window
        last_ranges as (
            partition by tenant_id, symbol
            order by bucket
            rows between {{ var('atr_sessions') | int - 1 }} preceding and current row
        ),
        last_returns as (
            partition by tenant_id, symbol
            order by bucket
            rows between {{ var('session_volatility_returns') | int - 1 }} preceding and current row
        )
),

gated as (
    select
        tenant_id,
        symbol,
        bucket,
        previous_close,
        case when previous_close > 0 then open / previous_close - 1 end as gap,
        case when ranges = {{ var('atr_sessions') }} then mean_range end as atr_14,
        case
            when log_returns = {{ var('session_volatility_returns') }} then sqrt(squared_return_sum)
        end as realised_volatility_20
    from windowed
)

select * from gated
