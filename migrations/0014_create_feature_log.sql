-- depends: 0003_create_reference 0005_create_trade 0006_create_quote
-- purpose: the bitemporal log of features, the clock that orders it, and the queue that feeds it
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

create table feature.restatement (
    tenant_id integer not null,
    symbol text not null,
    bucket timestamptz not null,
    known_at timestamptz not null,
    cause text not null check (cause in ('late', 'correction', 'cancel')),
    known_from timestamptz not null,
    known_to timestamptz not null,
    primary key (tenant_id, symbol, bucket, known_at)
);
comment on table feature.restatement is
'One row per bar whose ticks changed after a version of it, or of a later bar, was published, and '
'the publish that took the change: what feature.explain_restatement() reads.';
comment on column feature.restatement.tenant_id is 'Owner, market.tenant.';
comment on column feature.restatement.symbol is 'Instrument, market.instrument.';
comment on column feature.restatement.bucket is 'Start of the bar whose ticks changed.';
comment on column feature.restatement.known_at is 'Stamp of the publish.';
comment on column feature.restatement.cause is 'late, correction or cancel: the last that applies.';
comment on column feature.restatement.known_from is 'Earliest knowledge time of the changes.';
comment on column feature.restatement.known_to is 'Latest knowledge time of the changes.';

create table feature.backfill_run (
    run_id bigint generated always as identity primary key,
    range_from timestamptz not null,
    range_to timestamptz not null,
    done_to timestamptz not null,
    versions bigint not null default 0,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    check (range_from <= done_to and done_to <= range_to)
);
comment on table feature.backfill_run is
'One row per backfill: its range and how far it has come. A call with the range of an unfinished '
'one goes on where that stopped.';
comment on column feature.backfill_run.run_id is 'Number of the run.';
comment on column feature.backfill_run.range_from is 'First bucket, inclusive.';
comment on column feature.backfill_run.range_to is 'Last bucket, exclusive.';
comment on column feature.backfill_run.done_to is 'Bars before this are done.';
comment on column feature.backfill_run.versions is 'Versions appended so far.';
comment on column feature.backfill_run.started_at is 'When it was first called.';
comment on column feature.backfill_run.finished_at is 'When it was done; NULL: not yet.';

grant insert, update on feature.backfill_run to market_operator;

do $$
declare
    v_ts constant text := (
        select quote_ident(n.nspname)
        from pg_extension as e
        inner join pg_namespace as n on e.extnamespace = n.oid
        where e.extname = 'timescaledb'
    );
begin
    -- A tenth of the size, but four times the time of a point-in-time read (bench/pit): what is read
    -- most stays in the row store. There is no retention: an answer given once can be given again.
    execute format('call %s.remove_columnstore_policy(''feature.log'', if_exists => true)', v_ts);
    execute format(
        'call %s.add_columnstore_policy(''feature.log'', after => interval ''182 days'')', v_ts
    );
end
$$;
