-- depends: 0005_create_trade
-- purpose: size and count by aggressor side
-- lock: share row exclusive on its source for an instant; created empty
set local role market_owner;

create materialized view market.flow_1m
with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
    tenant_id,
    symbol,
    time_bucket(interval '1 minute', ts) as bucket,
    sum(size) filter (where side = 'buy') as buy_size,
    sum(size) filter (where side = 'sell') as sell_size,
    count(*) filter (where side = 'buy') as buy_trades,
    count(*) filter (where side = 'sell') as sell_trades
from market.trade
group by 1, 2, 3
with no data;
comment on view market.flow_1m is
'One row per (tenant_id, symbol, minute) that traded: size and count by aggressor side.';
comment on column market.flow_1m.tenant_id is 'Owner, market.tenant.';
comment on column market.flow_1m.symbol is 'Instrument, market.instrument.';
comment on column market.flow_1m.bucket is
'Start of the bar, inclusive; it ends 1 minute later, exclusive.';
comment on column market.flow_1m.buy_size is 'Units traded by buying aggressors. NULL: none.';
comment on column market.flow_1m.sell_size is 'Units traded by selling aggressors. NULL: none.';
comment on column market.flow_1m.buy_trades is 'Trades with a buying aggressor.';
comment on column market.flow_1m.sell_trades is 'Trades with a selling aggressor.';

create materialized view market.flow_1h
with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
    tenant_id,
    symbol,
    time_bucket(interval '1 hour', bucket) as bucket,
    sum(buy_size) as buy_size,
    sum(sell_size) as sell_size,
    sum(buy_trades)::bigint as buy_trades,
    sum(sell_trades)::bigint as sell_trades
from market.flow_1m
group by 1, 2, 3
with no data;
comment on view market.flow_1h is
'One row per (tenant_id, symbol, hour) that traded, rolled up from market.flow_1m.';
comment on column market.flow_1h.tenant_id is 'Owner, market.tenant.';
comment on column market.flow_1h.symbol is 'Instrument, market.instrument.';
comment on column market.flow_1h.bucket is
'Start of the bar, inclusive; it ends 1 hour later, exclusive.';
comment on column market.flow_1h.buy_size is 'Units traded by buying aggressors. NULL: none.';
comment on column market.flow_1h.sell_size is 'Units traded by selling aggressors. NULL: none.';
comment on column market.flow_1h.buy_trades is 'Trades with a buying aggressor.';
comment on column market.flow_1h.sell_trades is 'Trades with a selling aggressor.';
