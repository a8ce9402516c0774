with bar as (
    select * from {{ ref('int_bar__regime') }}
),

final as (
    select
        tenant_id,
        symbol,
        bucket,
        regime_tag
    from bar
)

select * from final
