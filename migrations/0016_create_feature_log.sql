-- depends: 0002_create_reference
-- purpose: the bitemporal log of features, and the clock that orders what is written to it
-- lock: none, the tables are new
set local role market_owner;

-- one week of 100 symbols is a million rows: few, large chunks, because each probe of a
--   point-in-time read pays for choosing a chunk (bench/pit)
create table feature.log (
    tenant_id integer not null,
    symbol text not null,
    bucket timestamptz not null,
    known_at timestamptz not null,
    open double precision,
    high double precision,
    low double precision,
    close double precision,
    volume double precision,
    vwap double precision,
    sma_20 double precision,
    volatility_1h double precision,
    regime_tag text,
    spread_bps double precision,
    order_imbalance double precision,
    cause text not null check (cause in ('close', 'late', 'correction', 'cancel')),
    check (known_at >= bucket + interval '1 minute'),
    -- a bar that has gone has no values at all
    check (
        close is not null
        or coalesce(
            open, high, low, volume, vwap, sma_20, volatility_1h, spread_bps, order_imbalance
        ) is null and regime_tag is null and cause <> 'close'
    ),
    constraint log_key unique (tenant_id, symbol, bucket, known_at)
) with (
    timescaledb.hypertable,
    timescaledb.partition_column = 'bucket',
    timescaledb.chunk_interval = '28 days',
    timescaledb.segmentby = 'tenant_id, symbol',
    timescaledb.orderby = 'bucket desc, known_at desc',
    timescaledb.create_default_indexes = false
);
comment on table feature.log is
'One row per version of a bar''s features: what was known of the bar from known_at until the '
'known_at of its next version. Append-only. A version without values says that the bar has gone, '
'because all its trades were cancelled.';
comment on column feature.log.tenant_id is 'Owner, market.tenant.';
comment on column feature.log.symbol is 'Instrument, market.instrument.';
comment on column feature.log.bucket is
'Start of the bar, inclusive; it ends 1 minute later, exclusive.';
comment on column feature.log.known_at is
'Knowledge time: from when the version could be read. Of a publish, its stamp; of a backfill, the '
'knowledge time of the event that caused it. Never before the bar''s close.';
comment on column feature.log.open is 'See market.contract, as all values.';
comment on column feature.log.high is 'See market.contract.';
comment on column feature.log.low is 'See market.contract.';
comment on column feature.log.close is 'See market.contract. NULL: the bar has gone.';
comment on column feature.log.volume is 'See market.contract.';
comment on column feature.log.vwap is 'See market.contract.';
comment on column feature.log.sma_20 is 'See market.contract.';
comment on column feature.log.volatility_1h is 'See market.contract.';
comment on column feature.log.regime_tag is 'See market.contract.';
comment on column feature.log.spread_bps is 'See market.contract.';
comment on column feature.log.order_imbalance is 'See market.contract.';
comment on column feature.log.cause is
'Why the version is there: close (the bar''s first), or what changed it or a bar before it that '
'it is made from: late, correction or cancel; the last of these that applies.';

create function feature.refuse_change() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'feature.log is append-only: % refused', tg_op
        using errcode = 'object_not_in_prerequisite_state',
        hint = 'A change of history is a new version: correct the events, then call '
            'feature.publish(). Old chunks go with the retention policy.';
end
$$;
revoke all on function feature.refuse_change() from public;
comment on function feature.refuse_change() is
'Trigger of feature.log: refuses UPDATE, DELETE and TRUNCATE to everyone, its owner included. '
'Errors: 55000, always.';

create trigger log_is_append_only
before update or delete on feature.log
for each row execute function feature.refuse_change();

create trigger log_is_never_emptied
before truncate on feature.log
for each statement execute function feature.refuse_change();

create table feature.clock (
    only_row boolean primary key default true check (only_row),
    live_from timestamptz not null,
    published_at timestamptz not null,
    check (published_at >= live_from)
);
comment on table feature.clock is
'One row: the knowledge clock of feature.log. Its lock puts publishes in order.';
comment on column feature.clock.only_row is 'Always true.';
comment on column feature.clock.live_from is
'When this database began to publish. What was known by then is history, for feature.backfill(); '
'what became known later is published.';
comment on column feature.clock.published_at is
'Stamp of the last publish. Readers are held to it: nothing known by then is still to be written.';
insert into feature.clock (live_from, published_at) values (now(), now());

create table feature.series (
    symbol text not null,
    tenant_id integer not null,
    primary key (symbol, tenant_id)
);
comment on table feature.series is
'One row per tenant and symbol that feature.log holds; written with its first version.';
comment on column feature.series.symbol is 'Instrument, market.instrument.';
comment on column feature.series.tenant_id is 'Owner, market.tenant.';
