with range_hour as (
    select * from {{ ref('stg_range_hour') }}
),

final as (
    select
        tenant_id,
        symbol,
        hour,
        trades,
        sqrt(parkinson_sum) as parkinson,
        sqrt(garman_klass_sum) as garman_klass,
        -- a product of logarithms that should be 0 can come out a rounding error below
        sqrt(greatest(rogers_satchell_sum, 0)) as rogers_satchell
    from range_hour
    -- on thin trading the range reads far too low
    where trades >= {{ var('range_min_trades_1h') }} and hour <= now() - interval '1 hour'
)

select * from final
