-- depends: 0004_create_trade 0005_create_quote 0016_create_feature_log
-- purpose: every change of a tick leaves the bar it changed in a queue, in the same transaction
-- lock: share row exclusive on the tick tables for an instant
set local role market_owner;

create table feature.changed_bar (
    tenant_id integer not null,
    symbol text not null,
    bucket timestamptz not null,
    cause text not null check (cause in ('late', 'correction', 'cancel')),
    known_from timestamptz not null,
    known_to timestamptz not null,
    bars_before boolean not null default false
);
comment on table feature.changed_bar is
'A queue: one row per statement and bar whose ticks it changed, until a publish has taken it.';
comment on column feature.changed_bar.tenant_id is 'Owner, market.tenant.';
comment on column feature.changed_bar.symbol is 'Instrument, market.instrument.';
comment on column feature.changed_bar.bucket is 'Start of the bar.';
comment on column feature.changed_bar.cause is
'late: a tick was added (late only if the bar was published before); correction; cancel.';
comment on column feature.changed_bar.known_from is 'Earliest knowledge time of these changes.';
comment on column feature.changed_bar.known_to is 'Latest knowledge time of these changes.';
comment on column feature.changed_bar.bars_before is
'Bars that its windows read were added before it: they are to be looked at even if its ticks stay.';

create function feature.record_added() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into feature.changed_bar (tenant_id, symbol, bucket, cause, known_from, known_to)
    select
        a.tenant_id,
        a.symbol,
        date_bin(interval '1 minute', a.ts, timestamptz '2000-01-01 00:00:00+00'),
        'late',
        min(a.known_at),
        max(a.known_at)
    from added as a
    group by 1, 2, 3;
    return null;
end
$$;
revoke all on function feature.record_added() from public;
comment on function feature.record_added() is
'Trigger of market.trade and market.quote: puts the bars of added ticks into feature.changed_bar.';

create function feature.record_superseded() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into feature.changed_bar (tenant_id, symbol, bucket, cause, known_from, known_to)
    select
        a.tenant_id,
        a.symbol,
        date_bin(interval '1 minute', a.ts, timestamptz '2000-01-01 00:00:00+00'),
        a.cause,
        min(a.superseded_at),
        max(a.superseded_at)
    from added as a
    group by 1, 2, 3, 4;
    return null;
end
$$;
revoke all on function feature.record_superseded() from public;
comment on function feature.record_superseded() is
'Trigger of market.trade_superseded and market.quote_superseded: puts the bars of corrected and '
'cancelled ticks into feature.changed_bar.';

create trigger changed_bar_added
after insert on market.trade
referencing new table as added
for each statement execute function feature.record_added();

create trigger changed_bar_added
after insert on market.quote
referencing new table as added
for each statement execute function feature.record_added();

create trigger changed_bar_superseded
after insert on market.trade_superseded
referencing new table as added
for each statement execute function feature.record_superseded();

create trigger changed_bar_superseded
after insert on market.quote_superseded
referencing new table as added
for each statement execute function feature.record_superseded();
