-- depends: functions/feature/define_formula functions/feature/name_of
--   functions/feature/newest_query functions/feature/published_list functions/feature/try_newest
create or replace function feature.compile_newest(p_set market.feature_set) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_newest constant text := 'feature.' || feature.name_of(p_set.feature_set, 'newest_value');
    c_window constant text := 'feature.' || feature.name_of(p_set.feature_set, 'window_value');
    c_inputs constant text := feature.published_list(p_set.feature_set, 'input', ', %I');
    v_problem constant text := feature.try_newest(p_set);
    v_types text;
    v_arrays text := '$1, $2, $3, $4';
begin
    if v_problem is not null then
        raise warning 'windows of % are computed for all bars, not for the newest alone: %',
            p_set.feature_set, v_problem
            using hint = 'Publishes take longer, and are right. Frames in one named window of a '
                'series in order of time, in the last step that has windows, are what is known to '
                'work.';
        if to_regproc(c_newest) is not null then
            execute format('drop function %s', to_regproc(c_newest)::regprocedure);
        end if;
        return;
    end if;
    select
        coalesce(string_agg(format(', %s[]', to_regtype(c.data_type)::text), '' order by f.place), ''),
        v_arrays || coalesce(string_agg(format(', $%s', 4 + f.no), '' order by f.place), '')
    into v_types, v_arrays
    from (
        select
            p.feature_set,
            p.field,
            p.place,
            row_number() over (order by p.place) as no
        from feature.published_field() as p
        where p.feature_set = p_set.feature_set and p.is_input
    ) as f
    inner join market.contract as c on f.feature_set = c.feature_set and f.field = c.field;
    perform feature.define_formula(
        format(
            '%s(integer[], integer[], text[], timestamp with time zone[]%s) returns %s', c_newest,
            v_types, pg_get_function_result(c_window::regproc)
        ),
        feature.newest_query(
            p_set,
            format(
                'unnest(%s) as newest_bar (series_no, tenant_id, symbol, bucket%s)', v_arrays, c_inputs
            )
        ),
        'What ' || c_window || '() gives of bars that are each the newest of their series, from the '
        'logs: of series_no, tenant_id, symbol, bucket and the own fields that windows read, each as '
        'an array. Made of the same views by feature.compile().',
        -- in a worker of a parallel query
        'stable parallel safe'
    );
end
$$;
revoke all on function feature.compile_newest(market.feature_set) from public;
comment on function feature.compile_newest(market.feature_set) is
'Makes the function newest_value of a set (feature.name_of()), if feature.try_newest() finds that '
'it gives what window_value gives; else there is none, with a warning. Step of '
'feature.try_windows().';
