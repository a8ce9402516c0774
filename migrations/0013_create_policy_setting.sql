-- depends: 0008_create_ohlc 0009_create_flow 0010_create_quote_aggregates 0011_create_range_1h
--   0012_create_latency_1m
-- purpose: one table that holds every interval of chunks, refresh, columnstore and retention
-- lock: none, the table is new
set local role market_owner;

create table market.policy_setting (
    relation text not null,
    policy text not null check (policy in ('chunk', 'refresh', 'columnstore', 'retention')),
    span interval not null check (span > interval '0'),
    end_offset interval,
    every interval,
    reason text not null check (reason <> ''),
    primary key (relation, policy),
    check ((policy = 'refresh') = (end_offset is not null)),
    check ((policy = 'refresh') = (every is not null))
);
comment on table market.policy_setting is
'One row per policy of a hypertable or continuous aggregate of the schema market. After a change: '
'call market.apply_policies().';
comment on column market.policy_setting.relation is 'Table or aggregate, without its schema.';
comment on column market.policy_setting.policy is
'chunk: length of a chunk. refresh: window that the job keeps materialized. columnstore: age at '
'which a chunk becomes columnar. retention: age at which it is dropped; without a row it stays. '
'Of trade and quote it also says which ticks are accepted: market.earliest_accepted().';
comment on column market.policy_setting.span is
'chunk: length. refresh: how far back from now the window starts, at most as far as a retention '
'lets it (market.refresh_reach()). columnstore, retention: age.';
comment on column market.policy_setting.end_offset is
'refresh: how far before now the window ends; NULL for the others.';
comment on column market.policy_setting.every is
'refresh: how often the job runs; NULL for the others.';
comment on column market.policy_setting.reason is 'Why this interval.';

insert into market.policy_setting (relation, policy, span, reason)
select
    relation,
    'chunk' as policy,
    interval '7 days' as span,
    'a statement over all ticks locks each chunk and each of its indexes. 7,300 days are 1,043 '
    'chunks, which a default server''s lock table holds; of one day they would be 7,300, and a '
    'count over twelve years fails there. With tens of millions of rows a day: 1 day, and locks'
        as reason
from unnest(array['trade', 'quote']) as r (relation);

insert into market.policy_setting (relation, policy, span, reason)
select
    relation,
    'columnstore' as policy,
    interval '7 days' as span,
    'corrections come within a week nearly always; a later one decompresses only its own segment'
        as reason
from unnest(array['trade', 'quote']) as r (relation);

insert into market.policy_setting (relation, policy, span, reason)
select
    relation,
    'chunk' as policy,
    chunk as span,
    'one bar a bucket is small: long chunks keep plans short' as reason
from (
    values
    ('ohlc_1m', interval '7 days'),
    ('flow_1m', interval '7 days'),
    ('quote_1m', interval '7 days'),
    ('latency_1m', interval '7 days'),
    ('ohlc_5m', interval '28 days'),
    ('ohlc_15m', interval '84 days'),
    ('ohlc_1h', interval '364 days'),
    ('flow_1h', interval '364 days'),
    ('quote_1h', interval '364 days'),
    ('range_1h', interval '364 days'),
    ('ohlc_1d', interval '3640 days')
) as c (relation, chunk);

insert into market.policy_setting (relation, policy, span, end_offset, every, reason)
select
    relation,
    'refresh' as policy,
    interval '36500 days' as span,
    end_offset,
    every,
    'only invalidated ranges are recomputed: a window over all that was ever accepted is cheap and '
    'catches every late tick; a retention of the ticks ends it'
        as reason
from (
    values
    ('ohlc_1m', interval '1 minute', interval '1 minute'),
    ('flow_1m', interval '1 minute', interval '1 minute'),
    ('quote_1m', interval '1 minute', interval '1 minute'),
    ('latency_1m', interval '1 minute', interval '1 minute'),
    ('ohlc_5m', interval '5 minutes', interval '5 minutes'),
    ('ohlc_15m', interval '15 minutes', interval '5 minutes'),
    ('ohlc_1h', interval '1 hour', interval '15 minutes'),
    ('flow_1h', interval '1 hour', interval '15 minutes'),
    ('quote_1h', interval '1 hour', interval '15 minutes'),
    ('range_1h', interval '1 hour', interval '15 minutes'),
    ('ohlc_1d', interval '1 day', interval '1 hour')
) as c (relation, end_offset, every);

insert into market.policy_setting (relation, policy, span, reason)
select
    relation,
    'columnstore' as policy,
    interval '28 days' as span,
    'reads of the last weeks stay in the row store; a late refresh of an older range still works'
        as reason
from unnest(array['ohlc_1m', 'flow_1m', 'quote_1m', 'latency_1m']) as r (relation);
