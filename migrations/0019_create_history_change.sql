-- depends: 0014_create_feature_log
-- purpose: what a backfill asks before it appends: has a publish taken changes of this history
-- lock: none, the table is new
set local role market_owner;

create table feature.history_change (
    symbol text not null,
    tenant_id integer not null,
    publishes bigint not null default 1,
    primary key (symbol, tenant_id)
);
comment on table feature.history_change is
'One row per series whose history has changed after it was loaded: a publish took from the queue '
'ticks of it that were known by feature.clock.live_from. A backfill that has read the ticks before '
'does its slice again.';
comment on column feature.history_change.symbol is 'Instrument, market.instrument.';
comment on column feature.history_change.tenant_id is 'Owner, market.tenant.';
comment on column feature.history_change.publishes is 'How many publishes took such changes.';
