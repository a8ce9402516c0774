-- depends: 0014_create_feature_log
-- purpose: which history waits for a backfill, and which series have ticks that make no bar
-- lock: access exclusive on feature.changed_bar, for a moment
-- History that a publish left to a backfill before this migration is not counted.
set local role market_owner;

alter table feature.changed_bar add column kind text not null default 'trade'
constraint changed_bar_kind_check check (kind in ('trade', 'quote', 'bar'));
comment on column feature.changed_bar.kind is
'What changed: trade, quote or bar. market.instrument.bars_from says which makes its bars.';

-- a bit a minute: loading the same bar in parts counts it once, and a day costs 180 bytes
create table feature.waiting_history (
    symbol text not null,
    tenant_id integer not null,
    day date not null,
    minutes bit(1440) not null,
    primary key (symbol, tenant_id, day)
);
comment on table feature.waiting_history is
'One row per series and UTC day with bars that were known as a whole by feature.clock.live_from, '
'have no version, and so wait for feature.backfill(). Written by publishes, taken by the backfill. '
'Read it through feature.history_waits().';
comment on column feature.waiting_history.symbol is 'Instrument, market.instrument.';
comment on column feature.waiting_history.tenant_id is 'Owner, market.tenant.';
comment on column feature.waiting_history.day is 'Day of the bars, UTC.';
comment on column feature.waiting_history.minutes is 'A bit per minute of the day: 1 waits.';

create table feature.quoted_series (
    symbol text not null,
    tenant_id integer not null,
    primary key (symbol, tenant_id)
);
comment on table feature.quoted_series is
'One row per series that had ticks that make no bar of its instrument (market.bars_from()) before '
'it had a version; it may have others since. What feature.untraded_series() looks through.';
comment on column feature.quoted_series.symbol is 'Instrument, market.instrument.';
comment on column feature.quoted_series.tenant_id is 'Owner, market.tenant.';
