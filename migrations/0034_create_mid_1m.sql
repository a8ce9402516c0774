-- depends: 0006_create_quote 0013_create_policy_setting
-- purpose: the one-minute bar of mids, for instruments whose bars are made of quotes
-- lock: share row exclusive on market.quote for an instant; created empty
set local role market_owner;

-- the quotes that spread_bps counts: see 0010_create_quote_aggregates
create materialized view market.mid_1m
with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
    tenant_id,
    symbol,
    time_bucket(interval '1 minute', ts) as bucket,
    first((bid + ask) / 2, timestamptz_send(ts) || int8send(seq)) as open,
    max((bid + ask) / 2) as high,
    min((bid + ask) / 2) as low,
    last((bid + ask) / 2, timestamptz_send(ts) || int8send(seq)) as close,
    count(*) as quotes
from market.quote
where bid > 0 and ask between bid and 2 * bid
group by 1, 2, 3
with no data;
comment on view market.mid_1m is
'One row per (tenant_id, symbol, minute) with a quote of bid > 0 and bid <= ask <= 2 x bid: the '
'bar of their mids, (bid + ask) / 2. Crossed, one-sided and stub quotes are left out.';
comment on column market.mid_1m.tenant_id is 'Owner, market.tenant.';
comment on column market.mid_1m.symbol is 'Instrument, market.instrument.';
comment on column market.mid_1m.bucket is
'Start of the bar, inclusive; it ends 1 minute later, exclusive.';
comment on column market.mid_1m.open is 'First mid by (ts, seq).';
comment on column market.mid_1m.high is 'Highest mid.';
comment on column market.mid_1m.low is 'Lowest mid.';
comment on column market.mid_1m.close is 'Last mid by (ts, seq).';
comment on column market.mid_1m.quotes is 'Number of those quotes.';

insert into market.policy_setting (relation, policy, span, end_offset, every, reason)
select
    'mid_1m' as relation,
    s.policy,
    s.span,
    s.end_offset,
    s.every,
    s.reason
from market.policy_setting as s
where s.relation = 'quote_1m' and s.policy in ('chunk', 'refresh', 'columnstore');
