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

-- each longer bar from the next shorter one
do $$
declare
    c_bars constant text[] := array[
        ['ohlc_5m', 'ohlc_1m', '5 minutes', ''],
        ['ohlc_15m', 'ohlc_5m', '15 minutes', ''],
        ['ohlc_1h', 'ohlc_15m', '1 hour', ''],
        ['ohlc_1d', 'ohlc_1h', '1 day', ' The day is UTC, not a trading session.']
    ];
    v_bar text[];
    v_column record;
begin
    foreach v_bar slice 1 in array c_bars loop
        -- a parent's bars have different buckets, so ordering by bucket leaves no tie
        execute format(
            'create materialized view market.%1$I
            with (timescaledb.continuous, timescaledb.materialized_only = false) as
            select
                tenant_id,
                symbol,
                time_bucket(interval %3$L, bucket) as bucket,
                first(open, bucket) as open,
                max(high) as high,
                min(low) as low,
                last(close, bucket) as close,
                sum(volume) as volume,
                sum(notional) as notional,
                sum(trades)::bigint as trades
            from market.%2$I
            group by 1, 2, 3
            with no data',
            v_bar[1], v_bar[2], v_bar[3]
        );
        execute format(
            'comment on view market.%I is %L', v_bar[1],
            format(
                'One row per (tenant_id, symbol, %s) that traded, rolled up exactly from '
                'market.%s.%s',
                v_bar[3], v_bar[2], v_bar[4]
            )
        );
        for v_column in
            select
                a.attname,
                col_description(a.attrelid, a.attnum) as said
            from pg_attribute as a
            where a.attrelid = 'market.ohlc_1m'::regclass and a.attnum > 0
        loop
            execute format(
                'comment on column market.%I.%I is %L', v_bar[1], v_column.attname,
                replace(v_column.said, '1 minute later', v_bar[3] || ' later')
            );
        end loop;
    end loop;
end
$$;
