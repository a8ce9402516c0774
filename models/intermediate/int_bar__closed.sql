with bar as (
    select * from {{ ref('stg_bar') }}
),

closed as (
    select
        tenant_id,
        symbol,
        bucket,
        open,
        high,
        low,
        close,
        volume,
        notional
    from bar
    -- a bar that can still change is not a feature
    where bucket <= now() - interval '1 minute'
)

select * from closed
