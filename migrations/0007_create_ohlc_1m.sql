-- depends: 0004_create_trade
-- purpose: the one-minute bar, parent of every longer bar
-- lock: share row exclusive on its source for an instant; created empty
set local role market_owner;

-- first and last take one ordering value: big-endian bytes order as (ts, seq) does, since
--   neither is negative
create materialized view market.ohlc_1m
with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
    tenant_id,
    symbol,
    time_bucket(interval '1 minute', ts) as bucket,
    first(price, timestamptz_send(ts) || int8send(seq)) as open,
    max(price) as high,
    min(price) as low,
    last(price, timestamptz_send(ts) || int8send(seq)) as close,
    sum(size) as volume,
    sum(price * size) as notional,
    count(*) as trades
from market.trade
group by 1, 2, 3
with no data;
comment on view market.ohlc_1m is
'One row per (tenant_id, symbol, minute) that traded: the one-minute bar.';
comment on column market.ohlc_1m.tenant_id is 'Owner, market.tenant.';
comment on column market.ohlc_1m.symbol is 'Instrument, market.instrument.';
comment on column market.ohlc_1m.bucket is
'Start of the bar, inclusive; it ends 1 minute later, exclusive.';
comment on column market.ohlc_1m.open is 'First trade''s price by (ts, seq).';
comment on column market.ohlc_1m.high is 'Highest price.';
comment on column market.ohlc_1m.low is 'Lowest price.';
comment on column market.ohlc_1m.close is 'Last trade''s price by (ts, seq).';
comment on column market.ohlc_1m.volume is 'Sum of size, units traded.';
comment on column market.ohlc_1m.notional is 'Sum of price x size; vwap is notional / volume.';
comment on column market.ohlc_1m.trades is 'Number of trades.';
