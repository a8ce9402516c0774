-- depends: functions/feature/published_of
create or replace function feature.index_inputs(p_set text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    c_index constant text := split_part(c_set.log, '.', 2) || '_inputs';
    c_wanted constant text[] := array(
        select f.field
        from feature.published_field() as f
        where
            f.feature_set = p_set
            and (
                f.is_input
                or exists (
                    select from feature.read_field() as r
                    where r.from_set = p_set and f.field = r.field
                )
            )
    );
begin
    if cardinality(c_wanted) = 0 or c_wanted || c_set.always <@ array(
        select a.attname::text from pg_attribute as a
        where a.attrelid = to_regclass('feature.' || c_index)
    ) then
        return;
    end if;
    execute format('drop index if exists feature.%I', c_index);
    execute format(
        'create index %I on %s (tenant_id, symbol, bucket, known_at) include (%s)', c_index, c_set.log,
        (
            select string_agg(distinct format('%I', w), ', ')
            from unnest(c_wanted || c_set.always) as w
        )
    );
    -- A page is read no more once a vacuum has found all of it visible; the default is a fifth of
    -- the log later.
    execute format(
        'alter table %s set (autovacuum_vacuum_insert_scale_factor = 0, '
        'autovacuum_vacuum_insert_threshold = 20000)', c_set.log
    );
end
$$;
revoke all on function feature.index_inputs(text) from public;
comment on function feature.index_inputs(text) is
'Makes the index that publishes read windows'' inputs from without the log of the set p_set '
'itself, unless it is there with all of these fields. Publishes wait while it is made: about a '
'second for a million versions. Step of feature.compile().';
