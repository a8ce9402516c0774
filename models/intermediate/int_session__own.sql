with minute as (
    select * from {{ ref('stg_market_1m__session') }}
),

final as (
    select
        tenant_id,
        symbol,
        bar as bucket,
        (array_agg(open order by bucket))[1] as open,
        max(high) as high,
        min(low) as low,
        (array_agg(close order by bucket))[count(*)::integer] as close,
        -- in order, so that the same minutes always give the same bits
        sum(volume order by bucket) as volume
    from minute
    group by tenant_id, symbol, bar
)

select * from final
