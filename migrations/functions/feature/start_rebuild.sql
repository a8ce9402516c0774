-- depends: functions/feature/hold_rebuild functions/feature/inputs_in_use
--   functions/feature/kept_from functions/feature/make_next_log functions/feature/sets_behind
--   functions/feature/stop_clock
create or replace function feature.start_rebuild(p_set text, p_reason text) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
    v_sets text[];
    v_set text;
    v_left regclass;
    v_run integer;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('feature.rebuild', 0)) then
        raise exception 'another call of feature.rebuild() is running'
            using errcode = 'lock_not_available', hint = 'Let it end: "make status" says how far it is.';
    end if;
    perform feature.require_formulas();
    v_sets := array(
        select s.feature_set
        from feature.published_set() as s
        where p_set is null or s.feature_set = p_set or p_set = any(feature.sets_behind(s.feature_set))
        order by s.place
    );
    if p_set is not null and p_set <> all(v_sets) then
        raise exception 'no set % is published', p_set
            using errcode = 'undefined_object',
            hint = 'They are: ' || (
                select string_agg(s.feature_set, ', ' order by s.place)
                from feature.published_set() as s
            ) || '.';
    end if;
    -- a publish that comes later sees that there is a rebuild, and notes what it changes
    perform feature.stop_clock();
    -- of a call that was interrupted
    for v_left in
        select c.oid
        from pg_class as c
        where
            c.relnamespace = 'feature'::regnamespace
            and c.relkind = 'r'
            and c.relname ~ '^(.*_)?log_next$'
    loop
        execute format('drop table %s', v_left);
    end loop;
    delete from feature.rebuild_run;
    delete from feature.rebuild_series;
    delete from feature.rebuild_change;
    insert into feature.rebuild_run (feature_sets, known_to, kept_from, inputs, reason)
    select v_sets, c.published_at, feature.kept_from(), feature.inputs_in_use(), p_reason
    from feature.clock as c
    returning run_id into v_run;
    perform feature.hold_rebuild(v_run);
    foreach v_set in array v_sets loop
        perform feature.make_next_log(v_set);
    end loop;
    return v_run;
end
$$;
revoke all on function feature.start_rebuild(text, text) from public;
grant execute on function feature.start_rebuild(text, text) to market_operator;
comment on function feature.start_rebuild(text, text) is
'Begins a generation of the set p_set and of the sets that read it, NULL: of all, in place of one '
'that was left half-made; returns the number of the call. From then on publishes note in '
'feature.rebuild_change what they change. First step of feature.rebuild(). Errors: 42704 for a set '
'that is not published, 42P01 when "dbt run" has not made the models, 55P03 while another call '
'runs.';
