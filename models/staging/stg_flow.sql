with source as (
    select * from {{ source('market', 'flow_1m') }}
),

renamed as (
    select
        tenant_id,
        symbol,
        bucket,
        buy_size,
        sell_size
    from source
)

select * from renamed
