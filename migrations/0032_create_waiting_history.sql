-- depends: 0014_create_feature_log
-- purpose: which history waits for a backfill, and which series have quotes alone
-- lock: access exclusive on feature.changed_bar, for a moment
-- History that a publish left to a backfill before this migration is not counted.
set local role market_owner;

alter table feature.changed_bar add column has_trades boolean not null default true;
comment on column feature.changed_bar.has_trades is
'Whether trades changed; false: quotes alone, which make no bar.';

-- a bit a minute: loading the same bar in parts counts it once, and a day costs 180 bytes
create table feature.waiting_history (
    symbol text not null,
    tenant_id integer not null,
    day date not null,
    minutes bit(1440) not null,
    primary key (symbol, tenant_id, day)
);
comment on table feature.waiting_history is
'One row per series and UTC day with traded bars that were known as a whole by '
'feature.clock.live_from, have no version, and so wait for feature.backfill(). Written by '
'publishes, taken by the backfill. Read it through feature.history_waits().';
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
'One row per series that had quotes before it had a version; it may have traded since. What '
'feature.untraded_series() looks through.';
comment on column feature.quoted_series.symbol is 'Instrument, market.instrument.';
comment on column feature.quoted_series.tenant_id is 'Owner, market.tenant.';
