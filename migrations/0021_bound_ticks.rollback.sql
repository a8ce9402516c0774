-- loses: trades and quotes at prices of zero and below, who allows them, the dbt views on three
--   aggregates; those show all from the ticks until they are refreshed
set local role market_owner;

delete from market.trade
where price <= 0;
delete from market.quote
where bid <= 0 or ask <= 0;

alter table market.instrument drop column allows_negative_price;

alter table market.trade
drop constraint trade_price_check,
drop constraint trade_size_check,
drop constraint trade_known_at_check,
add constraint trade_price_check check (price > 0 and price < 'infinity'),
add constraint trade_size_check check (size > 0 and size < 'infinity');

alter table market.quote
drop constraint quote_bid_check,
drop constraint quote_bid_size_check,
drop constraint quote_ask_check,
drop constraint quote_ask_size_check,
drop constraint quote_known_at_check,
add constraint quote_bid_check check (bid > 0 and bid < 'infinity'),
add constraint quote_bid_size_check check (bid_size >= 0 and bid_size < 'infinity'),
add constraint quote_ask_check check (ask > 0 and ask < 'infinity'),
add constraint quote_ask_size_check check (ask_size >= 0 and ask_size < 'infinity');

comment on column market.trade.price is 'Price per unit, in the instrument''s currency.';
comment on column market.trade_superseded.price is 'Price per unit, in the instrument''s currency.';

drop materialized view market.range_1h cascade;
drop materialized view market.quote_1h cascade;
drop materialized view market.quote_1m cascade;

-- ask >= bid leaves out crossed quotes, and one-sided ones because the comparison is NULL
create materialized view market.quote_1m
with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
    tenant_id,
    symbol,
    time_bucket(interval '1 minute', ts) as bucket,
    sum(10000 * (ask - bid) / ((ask + bid) / 2)) filter (where ask >= bid) as spread_bps_sum,
    count(*) filter (where ask >= bid) as spread_bps_count,
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
'Sum over two-sided, uncrossed quotes of 10000 x (ask - bid) / mid, basis points. NULL: none.';
comment on column market.quote_1m.spread_bps_count is
'Number of those quotes; the mean spread is sum / count.';
comment on column market.quote_1m.last_bid is
'Bid of the last quote by (ts, seq) that has one; NULL: none has.';
comment on column market.quote_1m.last_ask is
'Ask of the last quote by (ts, seq) that has one; NULL: none has.';
comment on column market.quote_1m.quotes is 'Number of quotes, one-sided and crossed included.';

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
'Sum over two-sided, uncrossed quotes of 10000 x (ask - bid) / mid, basis points. NULL: none.';
comment on column market.quote_1h.spread_bps_count is
'Number of those quotes; the mean spread is sum / count.';
comment on column market.quote_1h.last_bid is
'Bid of the last quote by (ts, seq) that has one; NULL: none has.';
comment on column market.quote_1h.last_ask is
'Ask of the last quote by (ts, seq) that has one; NULL: none has.';
comment on column market.quote_1h.quotes is 'Number of quotes, one-sided and crossed included.';

create materialized view market.range_1h
with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
    tenant_id,
    symbol,
    time_bucket(interval '1 hour', bucket) as bucket,
    count(*) as bars,
    sum(trades)::bigint as trades,
    sum(ln(high / low) ^ 2 / (4 * ln(2.0::double precision))) as parkinson_sum,
    sum(
        0.5 * ln(high / low) ^ 2 - (2 * ln(2.0::double precision) - 1) * ln(close / open) ^ 2
    ) as garman_klass_sum,
    sum(
        ln(high / close) * ln(high / open) + ln(low / close) * ln(low / open)
    ) as rogers_satchell_sum
from market.ohlc_1m
group by 1, 2, 3
with no data;
comment on view market.range_1h is
'One row per (tenant_id, symbol, hour) that traded: additive parts of the range estimators over '
'its one-minute bars. The square root of a sum is the volatility of the hour, a fraction. They '
'read low on thin trading: see the contract.';
comment on column market.range_1h.tenant_id is 'Owner, market.tenant.';
comment on column market.range_1h.symbol is 'Instrument, market.instrument.';
comment on column market.range_1h.bucket is
'Start of the bar, inclusive; it ends 1 hour later, exclusive.';
comment on column market.range_1h.bars is 'One-minute bars that traded.';
comment on column market.range_1h.trades is 'Number of trades.';
comment on column market.range_1h.parkinson_sum is
'Sum of ln(high/low)^2 / (4 ln 2). Parkinson 1980, J. Business 53.';
comment on column market.range_1h.garman_klass_sum is
'Sum of ln(high/low)^2 / 2 - (2 ln 2 - 1) ln(close/open)^2. Garman and Klass 1980, J. Business 53.';
comment on column market.range_1h.rogers_satchell_sum is
'Sum of ln(high/close) ln(high/open) + ln(low/close) ln(low/open). Rogers and Satchell 1991, Ann. '
'Appl. Prob. 1.';
