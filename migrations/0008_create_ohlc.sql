-- depends: 0005_create_trade
-- purpose: the one-minute bar and the longer bars, each rolled up from the next shorter one
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

-- a parent's bars have different buckets, so ordering by bucket leaves no tie
create materialized view market.ohlc_5m
with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
    tenant_id,
    symbol,
    time_bucket(interval '5 minutes', bucket) as bucket,
    first(open, bucket) as open,
    max(high) as high,
    min(low) as low,
    last(close, bucket) as close,
    sum(volume) as volume,
    sum(notional) as notional,
    sum(trades)::bigint as trades
from market.ohlc_1m
group by 1, 2, 3
with no data;
comment on view market.ohlc_5m is
'One row per (tenant_id, symbol, 5 minutes) that traded, rolled up exactly from market.ohlc_1m.';
comment on column market.ohlc_5m.tenant_id is 'Owner, market.tenant.';
comment on column market.ohlc_5m.symbol is 'Instrument, market.instrument.';
comment on column market.ohlc_5m.bucket is
'Start of the bar, inclusive; it ends 5 minutes later, exclusive.';
comment on column market.ohlc_5m.open is 'First trade''s price by (ts, seq).';
comment on column market.ohlc_5m.high is 'Highest price.';
comment on column market.ohlc_5m.low is 'Lowest price.';
comment on column market.ohlc_5m.close is 'Last trade''s price by (ts, seq).';
comment on column market.ohlc_5m.volume is 'Sum of size, units traded.';
comment on column market.ohlc_5m.notional is 'Sum of price x size; vwap is notional / volume.';
comment on column market.ohlc_5m.trades is 'Number of trades.';

create materialized view market.ohlc_15m
with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
    tenant_id,
    symbol,
    time_bucket(interval '15 minutes', bucket) as bucket,
    first(open, bucket) as open,
    max(high) as high,
    min(low) as low,
    last(close, bucket) as close,
    sum(volume) as volume,
    sum(notional) as notional,
    sum(trades)::bigint as trades
from market.ohlc_5m
group by 1, 2, 3
with no data;
comment on view market.ohlc_15m is
'One row per (tenant_id, symbol, 15 minutes) that traded, rolled up exactly from market.ohlc_5m.';
comment on column market.ohlc_15m.tenant_id is 'Owner, market.tenant.';
comment on column market.ohlc_15m.symbol is 'Instrument, market.instrument.';
comment on column market.ohlc_15m.bucket is
'Start of the bar, inclusive; it ends 15 minutes later, exclusive.';
comment on column market.ohlc_15m.open is 'First trade''s price by (ts, seq).';
comment on column market.ohlc_15m.high is 'Highest price.';
comment on column market.ohlc_15m.low is 'Lowest price.';
comment on column market.ohlc_15m.close is 'Last trade''s price by (ts, seq).';
comment on column market.ohlc_15m.volume is 'Sum of size, units traded.';
comment on column market.ohlc_15m.notional is 'Sum of price x size; vwap is notional / volume.';
comment on column market.ohlc_15m.trades is 'Number of trades.';

create materialized view market.ohlc_1h
with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
    tenant_id,
    symbol,
    time_bucket(interval '1 hour', bucket) as bucket,
    first(open, bucket) as open,
    max(high) as high,
    min(low) as low,
    last(close, bucket) as close,
    sum(volume) as volume,
    sum(notional) as notional,
    sum(trades)::bigint as trades
from market.ohlc_15m
group by 1, 2, 3
with no data;
comment on view market.ohlc_1h is
'One row per (tenant_id, symbol, 1 hour) that traded, rolled up exactly from market.ohlc_15m.';
comment on column market.ohlc_1h.tenant_id is 'Owner, market.tenant.';
comment on column market.ohlc_1h.symbol is 'Instrument, market.instrument.';
comment on column market.ohlc_1h.bucket is
'Start of the bar, inclusive; it ends 1 hour later, exclusive.';
comment on column market.ohlc_1h.open is 'First trade''s price by (ts, seq).';
comment on column market.ohlc_1h.high is 'Highest price.';
comment on column market.ohlc_1h.low is 'Lowest price.';
comment on column market.ohlc_1h.close is 'Last trade''s price by (ts, seq).';
comment on column market.ohlc_1h.volume is 'Sum of size, units traded.';
comment on column market.ohlc_1h.notional is 'Sum of price x size; vwap is notional / volume.';
comment on column market.ohlc_1h.trades is 'Number of trades.';

create materialized view market.ohlc_1d
with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
    tenant_id,
    symbol,
    time_bucket(interval '1 day', bucket) as bucket,
    first(open, bucket) as open,
    max(high) as high,
    min(low) as low,
    last(close, bucket) as close,
    sum(volume) as volume,
    sum(notional) as notional,
    sum(trades)::bigint as trades
from market.ohlc_1h
group by 1, 2, 3
with no data;
comment on view market.ohlc_1d is
'One row per (tenant_id, symbol, 1 day) that traded, rolled up exactly from market.ohlc_1h. The '
'day is UTC, not a trading session.';
comment on column market.ohlc_1d.tenant_id is 'Owner, market.tenant.';
comment on column market.ohlc_1d.symbol is 'Instrument, market.instrument.';
comment on column market.ohlc_1d.bucket is
'Start of the bar, inclusive; it ends 1 day later, exclusive.';
comment on column market.ohlc_1d.open is 'First trade''s price by (ts, seq).';
comment on column market.ohlc_1d.high is 'Highest price.';
comment on column market.ohlc_1d.low is 'Lowest price.';
comment on column market.ohlc_1d.close is 'Last trade''s price by (ts, seq).';
comment on column market.ohlc_1d.volume is 'Sum of size, units traded.';
comment on column market.ohlc_1d.notional is 'Sum of price x size; vwap is notional / volume.';
comment on column market.ohlc_1d.trades is 'Number of trades.';
