with bar as (
    select * from {{ ref('int_bar__trailing') }}
),

final as (
    select
        tenant_id,
        symbol,
        bucket,
        sma_20
    from bar
)

select * from final
