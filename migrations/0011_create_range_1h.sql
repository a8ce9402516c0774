-- depends: 0008_create_ohlc
-- purpose: the additive parts of the range estimators
-- lock: share row exclusive on its source for an instant; created empty
set local role market_owner;

-- an hour in which a price was zero or below has no logarithm of a range: NULL
create materialized view market.range_1h
with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
    tenant_id,
    symbol,
    time_bucket(interval '1 hour', bucket) as bucket,
    count(*) as bars,
    sum(trades)::bigint as trades,
    case when min(low) > 0 then sum(
        case when low > 0 then ln(high / low) ^ 2 / (4 * ln(2.0::double precision)) end
    ) end as parkinson_sum,
    case when min(low) > 0 then sum(
        case
            when low > 0
                then
                    0.5 * ln(high / low) ^ 2
                    - (2 * ln(2.0::double precision) - 1) * ln(close / open) ^ 2
        end
    ) end as garman_klass_sum,
    case when min(low) > 0 then sum(
        case
            when low > 0
                then ln(high / close) * ln(high / open) + ln(low / close) * ln(low / open)
        end
    ) end as rogers_satchell_sum
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
'Sum of ln(high/low)^2 / (4 ln 2). Parkinson 1980, J. Business 53. NULL, as the others: a price '
'was zero or below.';
comment on column market.range_1h.garman_klass_sum is
'Sum of ln(high/low)^2 / 2 - (2 ln 2 - 1) ln(close/open)^2. Garman and Klass 1980, J. Business 53.';
comment on column market.range_1h.rogers_satchell_sum is
'Sum of ln(high/close) ln(high/open) + ln(low/close) ln(low/open). Rogers and Satchell 1991, Ann. '
'Appl. Prob. 1.';
