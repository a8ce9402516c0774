with source as (
    select * from {{ source('market', 'bar_1m') }}
),

renamed as (
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
        trades
    from source
)

select * from renamed
