with bar as (
    select * from {{ ref('int_bar__return') }}
),

squared as (
    select
        *,
        round((log_return * log_return)::numeric, 30) as squared_return
    from bar
    -- keeps it here: in the windows it would be computed again for each bar that comes and goes
    offset 0 -- noqa: AM09
),

-- Every window in one pass: joining one view per window back together makes the planner,
-- which cannot estimate such a join, compare all bars with all bars.
-- Buckets lie on whole minutes, so (bucket - 60 min, bucket] is 59 minutes back and inclusive.
-- Squares are added as numeric, which is exact, so that a sum depends on its frame alone, and can
-- be taken off again when a bar leaves the frame: float8 would be added up afresh for each row.
-- One scale for all keeps that so; 30 digits are far beyond those of a return's square.
windowed as (
    select
        tenant_id,
        symbol,
        bucket,
        close,
        close_before_trend,
        count(*) over last_bars as bars,
        avg(close) over last_bars as mean_close,
        count(log_return) over last_hour as returns_1h,
        sum(squared_return) over last_hour as squared_return_sum_1h,
        sum(squared_return) over baseline as squared_return_sum_baseline,
        -- hours that the window's bars cover: history, or a session, can be shorter than it
        (extract(epoch from bucket - first_value(bucket) over baseline)::double precision + 60)
        / 3600 as baseline_hours
    from squared
    window
        last_bars as (
            partition by tenant_id, symbol
            order by bucket
            rows between {{ var('sma_bars') | int - 1 }} preceding and current row
        ),
        last_hour as (
            partition by tenant_id, symbol
            order by bucket
            range between interval '{{ var("volatility_minutes") | int - 1 }} minutes' preceding
            and current row
        ),
        baseline as (
            partition by tenant_id, symbol
            order by bucket
            range between interval '{{ var("regime_minutes") | int - 1 }} minutes' preceding
            and current row
        )
),

gated as (
    select
        tenant_id,
        symbol,
        bucket,
        close,
        close_before_trend,
        case when bars = {{ var('sma_bars') }} then mean_close end as sma_20,
        case
            when returns_1h >= {{ var('volatility_min_returns') }}
                then sqrt(squared_return_sum_1h::double precision)
        end as volatility_1h,
        case
            when returns_1h >= {{ var('volatility_min_returns') }}
                then sqrt(
                    squared_return_sum_baseline::double precision / greatest(baseline_hours, 1)
                )
        end as volatility_baseline
    from windowed
)

select * from gated
