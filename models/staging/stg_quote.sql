with source as (
    select * from {{ source('market', 'quote') }}
),

renamed as (
    select
        tenant_id,
        symbol,
        ts,
        seq,
        bid,
        bid_size,
        ask,
        ask_size
    from source
)

select * from renamed
