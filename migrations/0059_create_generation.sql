-- depends: 0056_create_definition
-- purpose: generations of the logs, and what feature.rebuild() notes while it makes one
-- lock: none, the tables are new
set local role market_owner;

create table feature.generation (
    feature_set text not null,
    generation integer not null check (generation > 0),
    begun_at timestamptz not null,
    switched_at timestamptz not null,
    reason text,
    primary key (feature_set, generation)
);
comment on table feature.generation is
'One row per set and generation of its log. Append-only. The newest is the log; a former one is '
'the table <log>_g<generation>, for feature_pit_snapshot_in() and its like.';
comment on column feature.generation.feature_set is 'The set.';
comment on column feature.generation.generation is
'Its number: 1 is the log that publishes and backfills wrote, each later one is of '
'feature.rebuild().';
comment on column feature.generation.begun_at is 'When feature.rebuild() began to make it.';
comment on column feature.generation.switched_at is
'Stamp of the last publish before it came into use: what was known by then it has as history, and '
'the generation before has nothing later. -infinity: it is the first.';
comment on column feature.generation.reason is 'Why, as who called feature.rebuild() said.';

create table feature.rebuild_run (
    only_row boolean primary key default true check (only_row),
    run_id integer generated always as identity,
    feature_sets text[] not null,
    known_to timestamptz not null,
    kept_from timestamptz not null,
    inputs text not null,
    reason text,
    begun_at timestamptz not null default clock_timestamp(),
    stepped_at timestamptz not null default clock_timestamp(),
    versions bigint not null default 0
);
comment on table feature.rebuild_run is
'No row, or one: the generation that feature.rebuild() is making, or left half-made when it '
'was interrupted. The next call begins anew.';
comment on column feature.rebuild_run.only_row is 'Always true.';
comment on column feature.rebuild_run.run_id is 'Number of the call.';
comment on column feature.rebuild_run.feature_sets is 'The sets, in the order of publishes.';
comment on column feature.rebuild_run.known_to is 'What was known by then is built.';
comment on column feature.rebuild_run.kept_from is
'Bars before it are taken over as they are: retention has dropped ticks of theirs. -infinity: '
'none.';
comment on column feature.rebuild_run.inputs is
'By which formulas and for which instruments, feature.inputs_in_use().';
comment on column feature.rebuild_run.reason is 'See feature.generation.';
comment on column feature.rebuild_run.begun_at is 'When the call began.';
comment on column feature.rebuild_run.stepped_at is 'When it last committed.';
comment on column feature.rebuild_run.versions is 'How many versions it has made.';

create table feature.rebuild_series (
    feature_set text not null,
    tenant_id integer not null,
    symbol text not null,
    carried_to timestamptz,
    primary key (feature_set, tenant_id, symbol)
);
comment on table feature.rebuild_series is
'One row per set and series of which the generation in the making has versions.';
comment on column feature.rebuild_series.feature_set is 'The set.';
comment on column feature.rebuild_series.tenant_id is 'Owner, market.tenant.';
comment on column feature.rebuild_series.symbol is 'Instrument, market.instrument.';
comment on column feature.rebuild_series.carried_to is
'A formula failed on it: its versions are those of the generation before, known by then. NULL: '
'none did.';

create table feature.rebuild_change (
    tenant_id integer not null,
    symbol text not null,
    bucket timestamptz not null
);
comment on table feature.rebuild_change is
'A queue: one row per publish and series since feature.rebuild() last looked, with the first bar '
'that it recomputed or left to history. Empty while no generation is being made.';
comment on column feature.rebuild_change.tenant_id is 'Owner, market.tenant.';
comment on column feature.rebuild_change.symbol is 'Instrument, market.instrument.';
comment on column feature.rebuild_change.bucket is 'Start of the bar.';

-- made again by their files, with an argument or a column more
do $$
declare
    v_function regprocedure;
begin
    for v_function in
        select p.oid::regprocedure
        from pg_catalog.pg_proc as p
        where
            p.pronamespace = 'feature'::pg_catalog.regnamespace
            and (
                p.proname ~ '^(.*_)?pit_(query|branch|any|last)$'
                or p.proname in (
                    'told_query', 'tell_definitions', 'answer_digest', 'read_receipt'
                )
            )
    loop
        execute format('drop function %s', v_function);
    end loop;
end
$$;
