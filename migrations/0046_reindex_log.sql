-- depends: 0040_create_feature_set
-- purpose: logs were indexed by series and then minute, and read by that; feature.index_log() makes
--   the index by minute and then series, and the functions that read come with other arguments
-- lock: access exclusive on each log and its chunks, for a moment
set local role market_owner;

do $$
declare
    v_made text;
begin
    for v_made in
        select format('index feature.%I', i.indexname)
        from pg_indexes as i
        where i.schemaname = 'feature' and i.indexname ~ 'log_bar_key$'
        union all
        select format('function %s', p.oid::regprocedure)
        from pg_proc as p
        where p.pronamespace = 'feature'::regnamespace and p.proname ~ 'pit_(query|branch)$'
    loop
        execute format('drop %s', v_made);
    end loop;
end
$$;
