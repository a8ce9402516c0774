-- depends: 0054_drop_window_query
-- purpose: which formulas a version was made by
-- lock: access exclusive on each log; no row is written, and all are read once for the new check:
--   publishes wait about a second for five million versions
set local role market_owner;

create table feature.definition (
    definition integer primary key,
    feature_set text not null,
    hash text not null check (hash ~ '^[0-9a-f]{64}$'),
    content text not null,
    fields text[] not null,
    known_at timestamptz not null,
    unique (feature_set, hash)
);
comment on table feature.definition is
'One row per definition that a set of features has ever had: all that decides its values. '
'Append-only. One that comes again is the same row.';
comment on column feature.definition.definition is
'Its number, which the versions that it made carry in their log.';
comment on column feature.definition.feature_set is 'The set that it is of.';
comment on column feature.definition.hash is 'SHA-256 of content, in UTF-8, in hexadecimal digits.';
comment on column feature.definition.content is
'The set''s line, its fields with their types, the definitions of the sets that it reads, and the '
'bodies of its functions own_value and window_value.';
comment on column feature.definition.fields is 'Its fields, in the order of market.contract.';
comment on column feature.definition.known_at is
'Stamp of the last publish before it was first compiled.';

create table feature.current_definition (
    feature_set text primary key,
    definition integer not null references feature.definition
);
comment on table feature.current_definition is
'One row per set that is published: the definition that publishes and backfills compute with.';
comment on column feature.current_definition.feature_set is 'The set.';
comment on column feature.current_definition.definition is 'See feature.definition.';

do $$
declare
    v_log record;
begin
    -- those of sets that have gone, too
    for v_log in
        select
            c.oid::regclass as name,
            k.conname as "check",
            c.relname || '_cause_check' as new_check
        from pg_catalog.pg_class as c
        inner join pg_catalog.pg_attribute as a on c.oid = a.attrelid and a.attname = 'cause'
        inner join pg_catalog.pg_constraint as k
            on c.oid = k.conrelid and k.contype = 'c' and k.conkey = array[a.attnum]
        where
            c.relnamespace = 'feature'::pg_catalog.regnamespace
            and c.relkind = 'r'
            and c.relname ~ '^(.*_)?log$'
    loop
        execute format(
            'alter table %s drop constraint %I, add column definition integer', v_log.name,
            v_log.check
        );
        execute format(
            'alter table %s add constraint %I '
            'check (cause in (''close'', ''late'', ''correction'', ''cancel'', ''definition''))',
            v_log.name, v_log.new_check
        );
        execute format(
            'comment on column %s.definition is %L', v_log.name,
            'Which formulas made it, feature.definition. NULL: made before they were noted.'
        );
    end loop;
end
$$;
comment on column feature.log.cause is
'Why the version is there: close (the bar''s first), or what changed it or a bar before it that '
'it is made from: late, correction or cancel; the last of these that applies. definition: other '
'formulas made the bar''s last version, whatever changed beside.';

-- made again by its file, with a column more
do $$
declare
    v_function regprocedure;
begin
    for v_function in
        select p.oid::regprocedure
        from pg_catalog.pg_proc as p
        where
            p.pronamespace = 'feature'::pg_catalog.regnamespace
            and p.proname ~ '^(.*_)?explain_restatement$'
    loop
        execute format('drop function %s', v_function);
    end loop;
end
$$;
