with bar as (
    select * from {{ ref('int_bar__trailing') }}
),

scored as (
    select
        *,
        -- the move over the trend's bars, in standard deviations of a move of that length
        case
            when least(close, close_before_trend) > 0
                then ln(close / close_before_trend) / (
                    nullif(volatility_1h, 0)
                    * sqrt(
                        {{ var('regime_trend_bars') }}::double precision
                        / {{ var('volatility_minutes') }}
                    )
                )
        end as trend_score
    from bar
),

tagged as (
    select
        tenant_id,
        symbol,
        bucket,
        sma_20,
        volatility_1h,
        case
            when volatility_baseline is null or trend_score is null then null
            when volatility_1h > {{ var('regime_volatile_ratio') }} * volatility_baseline
                then 'volatile'
            when trend_score >= {{ var('regime_trend_score') }} then 'trend_up'
            when trend_score <= -{{ var('regime_trend_score') }} then 'trend_down'
            else 'range'
        end as regime_tag
    from scored
)

select * from tagged
