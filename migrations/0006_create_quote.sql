-- depends: 0005_create_trade
-- purpose: quotes as they stand now, and the versions that corrections and cancels replaced
-- lock: none, the tables are new
set local role market_owner;

-- bounds: see 0005_create_trade
create table market.quote (
    tenant_id integer not null,
    symbol text not null,
    ts timestamptz not null check (ts >= timestamptz '2000-01-01 00:00:00+00'),
    seq bigint not null check (seq >= 0),
    bid double precision check (
        bid = 0 or abs(bid) between double precision '1e-12' and double precision '1e12'
    ),
    bid_size double precision check (
        bid_size = 0 or bid_size between double precision '1e-12' and double precision '1e18'
    ),
    ask double precision check (
        ask = 0 or abs(ask) between double precision '1e-12' and double precision '1e12'
    ),
    ask_size double precision check (
        ask_size = 0 or ask_size between double precision '1e-12' and double precision '1e18'
    ),
    known_at timestamptz not null check (known_at < 'infinity'),
    source_topic text,
    source_partition integer,
    source_offset bigint,
    check (bid is not null or ask is not null),
    check (known_at >= ts),
    constraint quote_key unique (tenant_id, symbol, ts, seq)
) with (
    timescaledb.hypertable,
    timescaledb.partition_column = 'ts',
    timescaledb.chunk_interval = '7 days',
    timescaledb.segmentby = 'tenant_id, symbol',
    timescaledb.orderby = 'ts, seq',
    timescaledb.create_default_indexes = false
);
comment on table market.quote is
'One row per best bid and offer update as it is believed now, identified by (tenant_id, symbol, '
'ts, seq).';
comment on column market.quote.tenant_id is 'Owner, market.tenant.';
comment on column market.quote.symbol is 'Instrument, market.instrument.';
comment on column market.quote.ts is 'Event time: when it happened at the venue.';
comment on column market.quote.seq is 'Order among equal ts, given by the venue or the capture.';
comment on column market.quote.bid is 'Best bid, price; NULL: no bid.';
comment on column market.quote.bid_size is 'Units at the best bid; NULL: not known.';
comment on column market.quote.ask is 'Best ask, price; NULL: no ask.';
comment on column market.quote.ask_size is 'Units at the best ask; NULL: not known.';
comment on column market.quote.known_at is
'Knowledge time: when this system could first have used this version; never before ts.';
comment on column market.quote.source_topic is
'Kafka topic it came from; NULL: loaded without Kafka.';
comment on column market.quote.source_partition is 'Kafka partition.';
comment on column market.quote.source_offset is 'Kafka offset.';

create table market.quote_superseded (
    like market.quote including comments,
    superseded_at timestamptz not null,
    cause text not null check (cause in ('correction', 'cancel')),
    superseded_topic text,
    superseded_partition integer,
    superseded_offset bigint,
    check (superseded_at >= known_at)
);

-- not a hypertable: corrections are rare, and every new trade or quote is looked up here by its key
create index quote_superseded_key on market.quote_superseded (tenant_id, symbol, ts, seq);
comment on table market.quote_superseded is
'One row per version of a quote that a correction or cancel replaced. It was believed in '
'[known_at, superseded_at).';

-- what a superseded version has beside the tick's own columns means the same of every kind
do $$
declare
    v_column record;
begin
    for v_column in
        select
            a.attname,
            col_description(a.attrelid, a.attnum) as said
        from pg_attribute as a
        where
            a.attrelid = 'market.trade_superseded'::regclass
            and a.attname ~ '^(superseded_|cause$)'
    loop
        execute format(
            'comment on column market.quote_superseded.%I is %L', v_column.attname, v_column.said
        );
    end loop;
end
$$;

grant select, insert, delete on market.quote to market_ingest;

grant select, insert on market.quote_superseded to market_ingest;
