-- depends: 0040_create_feature_set
-- purpose: of which bars the history of a field that was added to a set is still to be built
-- lock: none, the table is new
-- Fields that were added before this migration are not in it: of them history stays NULL.
set local role market_owner;

create table feature.waiting_field (
    feature_set text not null,
    tenant_id integer not null,
    symbol text not null,
    field text not null,
    known_after timestamptz not null,
    known_to timestamptz not null check (known_to > known_after),
    buckets tstzmultirange not null check (not isempty(buckets)),
    primary key (feature_set, tenant_id, symbol, field, known_to)
);
comment on table feature.waiting_field is
'One row per series and field that its set got when there were versions: of the bars in buckets '
'those known in (known_after, known_to] have no value of it yet. feature.backfill() gives it to '
'them, once: what is not here is never changed. Read it through feature.field_waits().';
comment on column feature.waiting_field.feature_set is 'The set that the field is of.';
comment on column feature.waiting_field.tenant_id is 'Owner, market.tenant.';
comment on column feature.waiting_field.symbol is 'Instrument, market.instrument.';
comment on column feature.waiting_field.field is 'Name of the field.';
comment on column feature.waiting_field.known_after is
'When it was published last before, exclusive; -infinity: never.';
comment on column feature.waiting_field.known_to is 'Its birth, feature.birth.born_at.';
comment on column feature.waiting_field.buckets is 'Starts of the bars that wait.';

-- made again by its file, with another argument
drop function if exists feature.wait_behind(text, timestamptz);
