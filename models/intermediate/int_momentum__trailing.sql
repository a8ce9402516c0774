with bar as (
    -- windows read named columns of a set, so that it is known which
    select
        tenant_id,
        symbol,
        bucket,
        close,
        volume
    from {{ ref('feature_1m') }}
),

changed as (
    select
        *,
        close - lag(close) over (partition by tenant_id, symbol order by bucket) as close_change
    from bar
),

-- Sums of float8 cannot have what leaves the frame taken off: each is added up afresh, in the order
-- of its frame, and depends on that alone.
windowed as (
    select
        tenant_id,
        symbol,
        bucket,
        count(close_change) over last_changes as changes,
        sum(greatest(close_change, 0)) over last_changes as gains,
        sum(greatest(-close_change, 0)) over last_changes as losses,
        count(*) over last_bars as bars,
        avg(close) over last_bars as mean_close,
        count(volume) over last_volumes as volumes,
        avg(volume) over last_volumes as mean_volume
    from changed
    window
        last_changes as (
            partition by tenant_id, symbol
            order by bucket
            rows between {{ var('rsi_changes') | int - 1 }} preceding and current row
        ),
        last_bars as (
            partition by tenant_id, symbol
            order by bucket
            rows between {{ var('momentum_sma_bars') | int - 1 }} preceding and current row
        ),
        last_volumes as (
            partition by tenant_id, symbol
            order by bucket
            rows between {{ var('volume_sma_bars') | int - 1 }} preceding and current row
        )
),

gated as (
    select
        tenant_id,
        symbol,
        bucket,
        -- the quotient first: a hundredfold of it, and not of the gains, is 100 at most
        case
            when changes = {{ var('rsi_changes') }}
                then 100 * (gains / nullif(gains + losses, 0))
        end as rsi_14,
        case when bars = {{ var('momentum_sma_bars') }} then mean_close end as sma_50,
        case when volumes = {{ var('volume_sma_bars') }} then mean_volume end as volume_sma_20
    from windowed
)

select * from gated
