with bar as (
    select
        tenant_id,
        symbol,
        bucket
    from {{ ref('int_bar__closed') }}
),

quote as (
    select
        *,
        date_bin(interval '1 minute', ts, timestamptz '2000-01-01 00:00:00+00') as bucket
    from {{ ref('stg_quote') }}
    -- those that spread_bps counts, with sizes that say something
    where
        bid > 0
        and ask between bid and 2 * bid
        and bid_size + ask_size > 0
),

followed as (
    select
        *,
        lag(bid) over by_time as previous_bid,
        lag(bid_size) over by_time as previous_bid_size,
        lag(ask) over by_time as previous_ask,
        lag(ask_size) over by_time as previous_ask_size,
        lead(ts) over by_time is null as is_last
    from quote
    window by_time as (partition by tenant_id, symbol, bucket order by ts, seq)
),

-- What a quote adds to the pressure to buy: size that came to the bid or left the ask. NULL of the
-- bar's first, which has none before it to be compared with.
with_signed_size as (
    select
        *,
        case
            when previous_bid is not null
                then
                    case when bid >= previous_bid then bid_size else 0 end
                    - case when bid <= previous_bid then previous_bid_size else 0 end
                    - case when ask <= previous_ask then ask_size else 0 end
                    + case when ask >= previous_ask then previous_ask_size else 0 end
        end as signed_size
    from followed
),

-- a window and no group: it adds up in the order of time, whatever the plan
added_up as (
    select
        *,
        sum(signed_size) over (
            partition by tenant_id, symbol, bucket order by ts, seq
        ) as flow_so_far
    from with_signed_size
),

final as (
    select
        bar.tenant_id,
        bar.symbol,
        bar.bucket,
        last_quote.flow_so_far as order_flow_imbalance,
        -- a mean of prices lies between them; that of rounded products need not
        greatest(
            last_quote.bid,
            least(
                last_quote.ask,
                (last_quote.bid * last_quote.ask_size + last_quote.ask * last_quote.bid_size)
                / (last_quote.bid_size + last_quote.ask_size)
            )
        ) as microprice
    from bar
    left join added_up as last_quote
        on
            bar.tenant_id = last_quote.tenant_id
            and bar.symbol = last_quote.symbol
            and bar.bucket = last_quote.bucket
            and last_quote.is_last
)

select * from final
