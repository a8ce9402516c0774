-- depends: functions/feature/name_of
create or replace function feature.drop_readers(p_set text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_first constant boolean := p_set = 'market_1m';
    c_prefix constant text := case when c_first then 'feature' else p_set end;
    v_made text;
begin
    for v_made in
        select format('view api.%I', v.name)
        from unnest(array[
            case when c_first then 'feature_1m' else p_set end,
            feature.name_of(p_set, 'feature_version')
        ]) as v (name)
        where to_regclass(format('api.%I', v.name)) is not null
    loop
        execute format('drop %s cascade', v_made);
    end loop;
    for v_made in
        select p.oid::regprocedure::text
        from pg_proc as p
        where
            p.pronamespace in ('feature'::regnamespace, 'public'::regnamespace, 'api'::regnamespace)
            and p.proname = any(array[
                c_prefix || '_pit_snapshot', c_prefix || '_pit_snapshot_all',
                c_prefix || '_pit_served', c_prefix || '_pit_hash', c_prefix || '_pit_hash_of',
                c_prefix || '_pit_snapshot_in', c_prefix || '_pit_hash_in',
                feature.name_of(p_set, 'pit_query'), feature.name_of(p_set, 'pit_branch'),
                feature.name_of(p_set, 'pit_any'), feature.name_of(p_set, 'pit_apart'),
                feature.name_of(p_set, 'pit_last'), feature.name_of(p_set, 'pit_moment'),
                feature.name_of(p_set, 'pit_snapshot_of'), feature.name_of(p_set, 'leakage'),
                feature.name_of(p_set, 'explain_restatement')
            ])
    loop
        execute format('drop function %s', v_made);
    end loop;
    execute format('drop type if exists feature.%I', feature.name_of(p_set, 'pit_row'));
end
$$;
revoke all on function feature.drop_readers(text) from public;
comment on function feature.drop_readers(text) is
'Drops what answers of a set, before its files make it again with other fields, or because there '
'is no such set any more. Its log stays. Step of feature.make_logs().';
