-- depends: 0006_create_quote
-- purpose: spread and last quote
-- lock: share row exclusive on its source for an instant; created empty
set local role market_owner;

-- Left out: crossed quotes, one-sided ones (the comparison is NULL), and those whose ask is beyond
--   twice their bid: such a pair is a market maker's stub, no price at which anyone trades, and one
--   of them would be the mean. Of a mid at or below zero there are no basis points.
create materialized view market.quote_1m
with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
    tenant_id,
    symbol,
    time_bucket(interval '1 minute', ts) as bucket,
    sum(10000 * (ask - bid) / nullif((ask + bid) / 2, 0)) filter (
        where bid > 0 and ask between bid and 2 * bid
    ) as spread_bps_sum,
    count(*) filter (where bid > 0 and ask between bid and 2 * bid) as spread_bps_count,
    last(bid, timestamptz_send(ts) || int8send(seq)) filter (where bid is not null) as last_bid,
    last(ask, timestamptz_send(ts) || int8send(seq)) filter (where ask is not null) as last_ask,
    count(*) as quotes
from market.quote
group by 1, 2, 3
with no data;
comment on view market.quote_1m is 'One row per (tenant_id, symbol, minute) that was quoted.';
comment on column market.quote_1m.tenant_id is 'Owner, market.tenant.';
comment on column market.quote_1m.symbol is 'Instrument, market.instrument.';
comment on column market.quote_1m.bucket is
'Start of the bar, inclusive; it ends 1 minute later, exclusive.';
comment on column market.quote_1m.spread_bps_sum is
'Sum of 10000 x (ask - bid) / mid, basis points, over the quotes with bid > 0 and bid <= ask <= '
'2 x bid. NULL: none.';
comment on column market.quote_1m.spread_bps_count is
'Number of those quotes; the mean spread is sum / count.';
comment on column market.quote_1m.last_bid is
'Bid of the last quote by (ts, seq) that has one; NULL: none has.';
comment on column market.quote_1m.last_ask is
'Ask of the last quote by (ts, seq) that has one; NULL: none has.';
comment on column market.quote_1m.quotes is
'Number of quotes, one-sided, crossed and stub ones included.';

create materialized view market.quote_1h
with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
    tenant_id,
    symbol,
    time_bucket(interval '1 hour', bucket) as bucket,
    sum(spread_bps_sum) as spread_bps_sum,
    sum(spread_bps_count)::bigint as spread_bps_count,
    last(last_bid, bucket) filter (where last_bid is not null) as last_bid,
    last(last_ask, bucket) filter (where last_ask is not null) as last_ask,
    sum(quotes)::bigint as quotes
from market.quote_1m
group by 1, 2, 3
with no data;
comment on view market.quote_1h is
'One row per (tenant_id, symbol, hour) that was quoted, rolled up from market.quote_1m.';
comment on column market.quote_1h.tenant_id is 'Owner, market.tenant.';
comment on column market.quote_1h.symbol is 'Instrument, market.instrument.';
comment on column market.quote_1h.bucket is
'Start of the bar, inclusive; it ends 1 hour later, exclusive.';
comment on column market.quote_1h.spread_bps_sum is
'Sum of 10000 x (ask - bid) / mid, basis points, over the quotes with bid > 0 and bid <= ask <= '
'2 x bid. NULL: none.';
comment on column market.quote_1h.spread_bps_count is
'Number of those quotes; the mean spread is sum / count.';
comment on column market.quote_1h.last_bid is
'Bid of the last quote by (ts, seq) that has one; NULL: none has.';
comment on column market.quote_1h.last_ask is
'Ask of the last quote by (ts, seq) that has one; NULL: none has.';
comment on column market.quote_1h.quotes is
'Number of quotes, one-sided, crossed and stub ones included.';
