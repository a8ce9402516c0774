create or replace view market.bar_1m as
select
    b.tenant_id,
    b.symbol,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.notional,
    b.trades
from market.ohlc_1m as b
where
    not exists (
        select from market.instrument as i
        where i.symbol = b.symbol and i.bars_from <> 'trade'
    )
union all
select
    b.tenant_id,
    b.symbol,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    null::double precision as volume,
    null::double precision as notional,
    null::bigint as trades
from market.mid_1m as b
inner join market.instrument as i on b.symbol = i.symbol
where
    i.bars_from = 'quote'
    -- says nothing new, but can be asked of each quote, before they are added up
    and b.symbol = any(
        array(
            select q.symbol from market.instrument as q
            where q.bars_from = 'quote'
        )
    )
union all
select
    b.tenant_id,
    b.symbol,
    b.ts as bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.vwap * b.volume as notional,
    null::bigint as trades
from market.bar as b
inner join market.instrument as i on b.symbol = i.symbol
where
    i.bars_from = 'bar'
    -- as above
    and b.symbol = any(
        array(
            select v.symbol from market.instrument as v
            where v.bars_from = 'bar'
        )
    );
grant select on market.bar_1m to market_reader;
comment on view market.bar_1m is
'One row per (tenant_id, symbol, minute) that has a bar: market.ohlc_1m, or, as '
'market.instrument.bars_from says, market.mid_1m of quotes, or market.bar as its vendor made it. '
'What dbt''s models read.';
comment on column market.bar_1m.tenant_id is 'Owner, market.tenant.';
comment on column market.bar_1m.symbol is 'Instrument, market.instrument.';
comment on column market.bar_1m.bucket is
'Start of the bar, inclusive; it ends 1 minute later, exclusive.';
comment on column market.bar_1m.open is 'First price by (ts, seq).';
comment on column market.bar_1m.high is 'Highest price.';
comment on column market.bar_1m.low is 'Lowest price.';
comment on column market.bar_1m.close is 'Last price by (ts, seq).';
comment on column market.bar_1m.volume is
'Sum of size, units traded. NULL: a bar of quotes, or not told.';
comment on column market.bar_1m.notional is
'Sum of price x size; of a vendor''s bar vwap x volume. NULL: a bar of quotes, or not told.';
comment on column market.bar_1m.trades is
'Number of trades that it is made of. NULL: a bar of quotes, or a vendor''s.';
