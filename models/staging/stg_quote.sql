with source as (
    -- by name: where a message came from is nothing that a publish computes with
    select
        tenant_id,
        symbol,
        ts,
        seq,
        bid,
        bid_size,
        ask,
        ask_size
    from {{ source('market', 'quote') }}
)

select * from source
