with source as (
    select * from {{ source('market', 'range_1h') }}
),

renamed as (
    select
        tenant_id,
        symbol,
        bucket as hour,
        bars,
        trades,
        parkinson_sum,
        garman_klass_sum,
        rogers_satchell_sum
    from source
)

select * from renamed
