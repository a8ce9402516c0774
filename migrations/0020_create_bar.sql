-- depends: 0006_create_quote 0013_create_policy_setting
-- purpose: one-minute bars as a vendor made them, and the versions that corrections and cancels
--   replaced
-- lock: none, the tables are new
set local role market_owner;

-- bounds: see 0005_create_trade
create table market.bar (
    tenant_id integer not null,
    symbol text not null,
    ts timestamptz not null check (
        ts >= timestamptz '2000-01-01 00:00:00+00'
        and ts = date_bin(interval '1 minute', ts, timestamptz '2000-01-01 00:00:00+00')
    ),
    seq bigint not null check (seq = 0),
    open double precision not null check (
        open = 0 or abs(open) between double precision '1e-12' and double precision '1e12'
    ),
    high double precision not null check (
        high = 0 or abs(high) between double precision '1e-12' and double precision '1e12'
    ),
    low double precision not null check (
        low = 0 or abs(low) between double precision '1e-12' and double precision '1e12'
    ),
    close double precision not null check (
        close = 0 or abs(close) between double precision '1e-12' and double precision '1e12'
    ),
    volume double precision check (
        volume = 0 or volume between double precision '1e-12' and double precision '1e18'
    ),
    vwap double precision check (
        vwap = 0 or abs(vwap) between double precision '1e-12' and double precision '1e12'
    ),
    known_at timestamptz not null check (known_at < 'infinity'),
    source_topic text,
    source_partition integer,
    source_offset bigint,
    check (low <= least(open, close) and greatest(open, close) <= high),
    check (known_at >= ts + interval '1 minute'),
    constraint bar_key unique (tenant_id, symbol, ts, seq)
) with (
    timescaledb.hypertable,
    timescaledb.partition_column = 'ts',
    timescaledb.chunk_interval = '7 days',
    timescaledb.segmentby = 'tenant_id, symbol',
    timescaledb.orderby = 'ts, seq',
    timescaledb.create_default_indexes = false
);
comment on table market.bar is
'One row per one-minute bar that a vendor made, as it is believed now, identified by (tenant_id, '
'symbol, ts, seq). An instrument whose bars are made of them says so: market.instrument.bars_from.';
comment on column market.bar.ts is
'Start of the minute, inclusive; the bar ends 1 minute later, exclusive.';
comment on column market.bar.seq is '0: a minute has one bar.';
comment on column market.bar.open is 'First price, in the instrument''s currency.';
comment on column market.bar.high is 'Highest price.';
comment on column market.bar.low is 'Lowest price.';
comment on column market.bar.close is 'Last price.';
comment on column market.bar.volume is 'Units traded; NULL: not told.';
comment on column market.bar.vwap is
'Mean price by size, as the vendor counts it; NULL: not told.';
comment on column market.bar.known_at is
'Knowledge time: when this system could first have used this version; never before the bar''s end.';

create table market.bar_superseded (
    like market.bar,
    superseded_at timestamptz not null,
    cause text not null check (cause in ('correction', 'cancel')),
    superseded_topic text,
    superseded_partition integer,
    superseded_offset bigint,
    check (superseded_at >= known_at)
);

create index bar_superseded_key on market.bar_superseded (tenant_id, symbol, ts, seq);
comment on table market.bar_superseded is
'One row per version of a vendor''s bar that a correction or cancel replaced. It was believed in '
'[known_at, superseded_at).';

-- what is not said above means the same of every kind
do $$
declare
    v_column record;
begin
    for v_column in
        select
            o.attrelid::regclass as relation,
            o.attname,
            coalesce(
                col_description('market.bar'::regclass, b.attnum),
                col_description('market.trade_superseded'::regclass, t.attnum)
            ) as said
        from pg_attribute as o
        left join pg_attribute as b
            on o.attname = b.attname and b.attrelid = 'market.bar'::regclass
        left join pg_attribute as t
            on o.attname = t.attname and t.attrelid = 'market.trade_superseded'::regclass
        where
            o.attrelid in ('market.bar'::regclass, 'market.bar_superseded'::regclass)
            and o.attnum > 0
    loop
        execute format(
            'comment on column %s.%I is %L', v_column.relation, v_column.attname, v_column.said
        );
    end loop;
end
$$;

grant select, insert, delete on market.bar to market_ingest;

grant select, insert on market.bar_superseded to market_ingest;

insert into market.policy_setting (relation, policy, span, reason)
select
    'bar' as relation,
    s.policy,
    s.span,
    s.reason
from market.policy_setting as s
where s.relation = 'quote' and s.policy in ('chunk', 'columnstore');
