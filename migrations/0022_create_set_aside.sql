-- depends: 0014_create_feature_log
-- purpose: series whose formulas fail, so that they stop no other one's publish
-- lock: none, the table is new
set local role market_owner;

create table feature.set_aside (
    tenant_id integer not null,
    symbol text not null,
    since timestamptz not null,
    tries integer not null check (tries > 0),
    tried_at timestamptz not null,
    try_after timestamptz not null,
    amends integer not null,
    sqlstate text not null,
    message text not null,
    primary key (tenant_id, symbol)
);
comment on table feature.set_aside is
'One row per series whose formulas failed at a publish: it has no new versions, and its changed '
'bars wait in feature.changed_bar, until one succeeds. It is tried again after 30 s, then after '
'twice as long each time, 10 minutes at most; at once when a tick of it is corrected or cancelled, '
'or a formula changed.';
comment on column feature.set_aside.tenant_id is 'Owner, market.tenant.';
comment on column feature.set_aside.symbol is 'Instrument, market.instrument.';
comment on column feature.set_aside.since is 'Stamp of the first publish that failed.';
comment on column feature.set_aside.tries is 'How many publishes have tried since, and failed.';
comment on column feature.set_aside.tried_at is 'Stamp of the last of them.';
comment on column feature.set_aside.try_after is 'The first publish after this tries again.';
comment on column feature.set_aside.amends is
'Its rows of correction and cancel in the queue when that had failed: one more, and it is tried '
'again.';
comment on column feature.set_aside.sqlstate is 'Error code of the last failure.';
comment on column feature.set_aside.message is 'What PostgreSQL said.';
