-- depends: 0002_create_roles
-- purpose: tenants, instruments and the Smart-DB contract, filled from seeds/
-- lock: none, the tables are new
set local role market_owner;

create table market.tenant (
    tenant_id integer primary key check (tenant_id > 0),
    name text not null unique
);
comment on table market.tenant is 'One row per customer whose data is kept apart.';
comment on column market.tenant.tenant_id is 'Number that every row of the tenant carries.';
comment on column market.tenant.name is 'Short name for people.';

create table market.instrument (
    symbol text primary key check (symbol <> ''),
    description text not null,
    venue text not null,
    asset_class text not null,
    currency text not null,
    calendar_id text not null,
    tick_size double precision not null check (tick_size > 0),
    allows_negative_price boolean not null default false
);
comment on table market.instrument is
'One row per instrument that ingest accepts; a tick of any other symbol goes to the dead letters.';
comment on column market.instrument.symbol is 'Name as it stands in the ticks.';
comment on column market.instrument.description is
'What it is, in words; says so when the data is synthetic.';
comment on column market.instrument.venue is 'Where it trades.';
comment on column market.instrument.asset_class is 'future, crypto, fx or equity.';
comment on column market.instrument.currency is 'ISO 4217 code, or the coin, that prices are in.';
comment on column market.instrument.calendar_id is 'Its trading calendar, market.calendar.';
comment on column market.instrument.tick_size is 'Smallest price step, in price units.';
comment on column market.instrument.allows_negative_price is
'Whether a price of it can be zero or below, as of spreads and some futures. Without it ingest '
'refuses such a price. Where a logarithm does not exist a return is NULL.';

create table market.contract (
    ordinal smallint primary key check (ordinal > 0),
    field text not null unique,
    data_type text not null,
    unit text not null,
    formula text not null,
    null_when text,
    available_after_s integer not null check (available_after_s > 0),
    max_staleness_s integer not null check (max_staleness_s > 0),
    inputs text
);
comment on table market.contract is
'The Smart-DB contract: one row per feature of feature.feature_1m.';
comment on column market.contract.ordinal is 'Position of the field in every output, from 1.';
comment on column market.contract.field is 'Name of the field, the same everywhere.';
comment on column market.contract.data_type is 'PostgreSQL type.';
comment on column market.contract.unit is 'Unit of the value.';
comment on column market.contract.formula is 'Definition over the bar [bucket, bucket + 1 minute).';
comment on column market.contract.null_when is 'When the value is NULL; empty: never.';
comment on column market.contract.available_after_s is
'Seconds after the bar''s close at which the value is due.';
comment on column market.contract.max_staleness_s is
'Seconds, in trading hours, after which a snapshot of the value counts as stale.';
comment on column market.contract.inputs is
'Fields it is made from, separated by spaces; each is due no later.';

grant select on market.tenant, market.instrument to market_ingest;
