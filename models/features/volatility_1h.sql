with bar as (
    select * from {{ ref('int_bar__trailing') }}
),

final as (
    select
        tenant_id,
        symbol,
        bucket,
        volatility_1h
    from bar
)

select * from final
