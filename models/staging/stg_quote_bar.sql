with source as (
    select * from {{ source('market', 'quote_1m') }}
),

renamed as (
    select
        tenant_id,
        symbol,
        bucket,
        spread_bps_sum,
        spread_bps_count
    from source
)

select * from renamed
