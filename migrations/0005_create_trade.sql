-- depends: 0003_create_reference
-- purpose: trades as they stand now, and the versions that corrections and cancels replaced
-- lock: none, the tables are new
set local role market_owner;

-- A price is 0 or between 1e-12 and 1e12 away from it, a size between 1e-12 and 1e18. Then
--   price x size is at most 1e30 and never below 1e-24; the sum of 2^63 of them is below 1e50, a
--   ratio of closes between 1e-24 and 1e24, its logarithm within 56, that one's square below 3100
--   and, unless 0, above 1e-33: a double precision holds 1e-307 to 1e308. Far beyond real ones: a
--   coin of 1e-10, a share of 1e6, a bond issue of 1e12. ingest/kinds.py says the same bounds, and
--   refuses beyond them before they come here.
create table market.trade (
    tenant_id integer not null,
    symbol text not null,
    ts timestamptz not null check (ts >= timestamptz '2000-01-01 00:00:00+00'),
    seq bigint not null check (seq >= 0),
    price double precision not null check (
        price = 0 or abs(price) between double precision '1e-12' and double precision '1e12'
    ),
    size double precision not null check (
        size between double precision '1e-12' and double precision '1e18'
    ),
    side text check (side in ('buy', 'sell')),
    known_at timestamptz not null check (known_at < 'infinity'),
    source_topic text,
    source_partition integer,
    source_offset bigint,
    check (known_at >= ts),
    constraint trade_key unique (tenant_id, symbol, ts, seq)
) with (
    timescaledb.hypertable,
    timescaledb.partition_column = 'ts',
    timescaledb.chunk_interval = '7 days',
    timescaledb.segmentby = 'tenant_id, symbol',
    timescaledb.orderby = 'ts, seq',
    timescaledb.create_default_indexes = false
);
comment on table market.trade is
'One row per trade as it is believed now, identified by (tenant_id, symbol, ts, seq).';
comment on column market.trade.tenant_id is 'Owner, market.tenant.';
comment on column market.trade.symbol is 'Instrument, market.instrument.';
comment on column market.trade.ts is 'Event time: when it happened at the venue.';
comment on column market.trade.seq is 'Order among equal ts, given by the venue or the capture.';
comment on column market.trade.price is
'Price per unit, in the instrument''s currency; zero or below only of instruments that allow it.';
comment on column market.trade.size is 'Units traded.';
comment on column market.trade.side is 'Aggressor: buy or sell; NULL: not known.';
comment on column market.trade.known_at is
'Knowledge time: when this system could first have used this version; never before ts.';
comment on column market.trade.source_topic is
'Kafka topic it came from; NULL: loaded without Kafka.';
comment on column market.trade.source_partition is 'Kafka partition.';
comment on column market.trade.source_offset is 'Kafka offset.';

create table market.trade_superseded (
    like market.trade including comments,
    superseded_at timestamptz not null,
    cause text not null check (cause in ('correction', 'cancel')),
    superseded_topic text,
    superseded_partition integer,
    superseded_offset bigint,
    check (superseded_at >= known_at)
);

-- not a hypertable: corrections are rare, and every new trade or quote is looked up here by its key
create index trade_superseded_key on market.trade_superseded (tenant_id, symbol, ts, seq);
comment on table market.trade_superseded is
'One row per version of a trade that a correction or cancel replaced. It was believed in '
'[known_at, superseded_at).';
comment on column market.trade_superseded.superseded_at is
'Knowledge time of the event that replaced it: the end, exclusive, of the belief.';
comment on column market.trade_superseded.cause is 'What replaced it: correction or cancel.';
comment on column market.trade_superseded.superseded_topic is
'Kafka topic of the event that replaced it.';
comment on column market.trade_superseded.superseded_partition is 'Kafka partition of that event.';
comment on column market.trade_superseded.superseded_offset is 'Kafka offset of that event.';
grant select, insert, delete on market.trade to market_ingest;

grant select, insert on market.trade_superseded to market_ingest;
