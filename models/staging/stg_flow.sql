with source as (
    select * from {{ source('market', 'flow_1m') }}
),

instrument as (
    -- all that the table had at first: what it gets later is no other definition of the set
    select
        symbol,
        description,
        venue,
        asset_class,
        currency,
        calendar_id,
        tick_size,
        allows_negative_price,
        bars_from
    from {{ ref('instrument') }}
),

renamed as (
    select
        tenant_id,
        symbol,
        bucket,
        buy_size,
        sell_size
    from source
    -- where bars are made of something else, trades count for nothing
    where not exists (
        select 1 from instrument
        where instrument.symbol = source.symbol and instrument.bars_from <> 'trade'
    )
)

select * from renamed
