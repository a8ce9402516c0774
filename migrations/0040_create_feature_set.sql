-- depends: 0036_add_feature_view 0032_create_waiting_history 0022_create_set_aside
-- purpose: sets of features, each with its grain, its models, its log and its birth
-- lock: access exclusive on the contract, feature.set_aside and feature.backfill_run, for a moment
set local role market_owner;

create table market.feature_set (
    feature_set text primary key check (feature_set ~ '^[a-z][a-z0-9_]{0,29}$'),
    grain text not null
    check (grain in ('1 minute', '5 minutes', '15 minutes', '1 hour', 'session')),
    model text not null,
    bar_model text not null,
    made_of text not null,
    reach_bars integer not null check (reach_bars between 0 and 10000),
    reach_minutes integer not null check (reach_minutes between 0 and 100000),
    description text not null,
    check ((made_of = 'tick') = (grain = '1 minute'))
);
comment on table market.feature_set is
'One row per set of features: what market.contract''s fields are grouped by.';
comment on column market.feature_set.feature_set is 'Name of the set.';
comment on column market.feature_set.grain is
'How long a bar is; session: as a trading session of the instrument''s calendar.';
comment on column market.feature_set.model is
'dbt model of the schema feature that gives one row per series and bar.';
comment on column market.feature_set.bar_model is
'dbt model of what a bar has by itself: its own fields. Windows read these of other bars.';
comment on column market.feature_set.made_of is
'tick, or the set of one-minute bars that its bars are made of.';
comment on column market.feature_set.reach_bars is
'How many earlier bars that are there a window reads at most.';
comment on column market.feature_set.reach_minutes is
'A window reads bars that start less than so many minutes earlier, and reach_bars before them.';
comment on column market.feature_set.description is 'What it is for.';

-- the set that there was before there were sets; seeds/ say the same
insert into market.feature_set (
    feature_set, grain, model, bar_model, made_of, reach_bars, reach_minutes, description
)
values (
    'market_1m', '1 minute', 'feature_1m', 'int_bar__own', 'tick', 20, 360,
    'Bars of one minute, with their trend, volatility and liquidity.'
);
alter table market.contract add column feature_set text not null default 'market_1m'
constraint contract_feature_set_fkey references market.feature_set
deferrable initially deferred;
alter table market.contract alter column feature_set drop default;
comment on column market.contract.feature_set is 'The set that the field is of.';
comment on column market.contract.inputs is
'Fields it is made from, separated by spaces, each due no later: of its set, or as '
'market_1m.close of another.';
alter table market.contract
drop constraint contract_pkey,
drop constraint contract_field_key,
add primary key (feature_set, ordinal),
add unique (feature_set, field);

create table feature.birth (
    feature_set text not null,
    field text not null,
    born_at timestamptz not null,
    ended_at timestamptz,
    primary key (feature_set, field, born_at)
);
comment on table feature.birth is
'One row per field that was ever published, and since when: what was known by then is history, for '
'feature.backfill().';
comment on column feature.birth.feature_set is 'Its set.';
comment on column feature.birth.field is 'Name of the field.';
comment on column feature.birth.born_at is
'Stamp of the last publish before the field was compiled; of the first fields '
'feature.clock.live_from.';
comment on column feature.birth.ended_at is
'Stamp of the last publish that wrote it, where the contract has it no more; its log keeps what '
'was said.';

create table feature.waiting_bar (
    feature_set text not null,
    tenant_id integer not null,
    symbol text not null,
    bucket timestamptz not null,
    closes_at timestamptz not null,
    cause text not null check (cause in ('late', 'correction', 'cancel')),
    bars_before boolean not null default false,
    primary key (feature_set, tenant_id, symbol, bucket)
);
comment on table feature.waiting_bar is
'A queue beside feature.changed_bar: one row per bar of one set that a publish is still to make: '
'it has not closed, its series is set aside in that set, or history came before it.';
comment on column feature.waiting_bar.feature_set is 'The set that it is of.';
comment on column feature.waiting_bar.tenant_id is 'Owner, market.tenant.';
comment on column feature.waiting_bar.symbol is 'Instrument, market.instrument.';
comment on column feature.waiting_bar.bucket is 'Start of the bar.';
comment on column feature.waiting_bar.closes_at is 'Its end, exclusive.';
comment on column feature.waiting_bar.cause is 'As of feature.changed_bar.';
comment on column feature.waiting_bar.bars_before is 'As of feature.changed_bar.';

create table feature.waiting_range (
    feature_set text not null,
    tenant_id integer not null,
    symbol text not null,
    range_from timestamptz not null,
    range_to timestamptz not null check (range_to > range_from),
    ready_to timestamptz not null,
    primary key (feature_set, tenant_id, symbol)
);
comment on table feature.waiting_range is
'One row per series of a set that reads other sets whose history feature.backfill() was asked for '
'and has still to build: it was interrupted, or earlier history of what it reads waits itself.';
comment on column feature.waiting_range.feature_set is 'The set.';
comment on column feature.waiting_range.tenant_id is 'Owner, market.tenant.';
comment on column feature.waiting_range.symbol is 'Instrument, market.instrument.';
comment on column feature.waiting_range.range_from is 'First bucket, inclusive.';
comment on column feature.waiting_range.range_to is 'Last bucket, exclusive.';
comment on column feature.waiting_range.ready_to is
'Up to where nothing that it reads was waiting itself, when a backfill last looked.';

alter table feature.set_aside add column feature_set text not null default 'market_1m';
comment on column feature.set_aside.feature_set is 'The set whose formulas failed on it.';
alter table feature.set_aside
drop constraint set_aside_pkey,
add primary key (tenant_id, symbol, feature_set);

alter table feature.backfill_run add column feature_set text not null default 'market_1m';
comment on column feature.backfill_run.feature_set is 'The set whose versions it builds.';

-- made again by their files, with other arguments
drop procedure if exists feature.backfill(timestamptz, timestamptz);
drop function if exists feature.backfill_slice(integer[], text[], timestamptz, timestamptz);
drop function if exists feature.bars_against(timestamptz, timestamptz);
drop function if exists feature.append_versions(timestamptz);
drop function if exists feature.append_history(timestamptz);
drop function if exists feature.find_islands();
drop function if exists feature.collect_island_bars();
drop function if exists feature.make_next_versions();
drop function if exists feature.find_moments(timestamptz);
drop function if exists feature.find_epochs();
drop function if exists feature.collect_epoch_bars();
drop function if exists feature.make_timeline(timestamptz);
drop function if exists feature.make_history(
    integer[], text[], timestamptz, timestamptz, timestamptz
);
drop function if exists feature.make_history_versions();
drop function if exists feature.put_aside(timestamptz);
drop function if exists feature.leave_out();
drop function if exists feature.published_list(text, text);
drop function if exists feature.published_field();
drop function if exists feature.reach();
drop function if exists feature.define_fields(text[], text[]);
drop function if exists feature.window_inputs(text[]);
drop function if exists feature.window_query(regclass, regclass);
drop function if exists feature.check_models(regclass, regclass);
drop function if exists feature.check_fields(regclass, regclass);
drop function if exists feature.check_windows(regclass, regclass, text[]);
drop function if exists feature.try_formulas();
drop function if exists feature.pit_version(
    text[], timestamptz[], timestamptz[], integer, interval
);
drop function if exists feature.field_list(text, text);
drop function if exists feature.with_fields(text);
