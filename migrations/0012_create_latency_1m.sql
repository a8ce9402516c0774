-- depends: 0005_create_trade
-- purpose: how late trades become known
-- lock: share row exclusive on its source for an instant; created empty
set local role market_owner;

create materialized view market.latency_1m
with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
    tenant_id,
    symbol,
    time_bucket(interval '1 minute', ts) as bucket,
    count(*) as trades,
    sum(extract(epoch from known_at - ts)::double precision * 1000) as lag_ms_sum,
    max(extract(epoch from known_at - ts)::double precision * 1000) as lag_ms_max,
    count(*) filter (
        where known_at - time_bucket(interval '1 minute', ts) >= interval '1 minute'
    ) as late_trades
from market.trade
group by 1, 2, 3
with no data;
comment on view market.latency_1m is
'One row per (tenant_id, symbol, minute) that traded: how long after the event the trades were '
'known.';
comment on column market.latency_1m.tenant_id is 'Owner, market.tenant.';
comment on column market.latency_1m.symbol is 'Instrument, market.instrument.';
comment on column market.latency_1m.bucket is
'Start of the bar, inclusive; it ends 1 minute later, exclusive.';
comment on column market.latency_1m.trades is 'Number of trades.';
comment on column market.latency_1m.lag_ms_sum is 'Sum of known_at - ts, milliseconds.';
comment on column market.latency_1m.lag_ms_max is 'Largest known_at - ts, milliseconds.';
comment on column market.latency_1m.late_trades is
'Trades known only after their one-minute bar had closed.';
