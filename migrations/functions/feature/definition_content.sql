-- depends: functions/feature/name_of functions/feature/published_list functions/feature/sets_read
create or replace function feature.definition_content(p_set text) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    c_has_windows constant boolean := feature.published_list(p_set, 'window', '%s') <> '';
    v_content text;
begin
    select format(
        e'set %s: bars of %s, made of %s, windows reach %s bars and %s minutes\n', p_set, s.grain,
        s.made_of, s.reach_bars, s.reach_minutes
    )
    into strict v_content
    from market.feature_set as s
    where s.feature_set = p_set;
    v_content := v_content || (
        select string_agg(format(e'field %s %s\n', f.field, c.data_type), '' order by f.place)
        from feature.published_field() as f
        inner join market.contract as c on f.feature_set = c.feature_set and f.field = c.field
        where f.feature_set = p_set
    );
    v_content := v_content || coalesce((
        select string_agg(format(e'reads %s %s\n', d.feature_set, d.hash), '' order by d.feature_set)
        from feature.current_definition as c
        inner join feature.definition as d on c.definition = d.definition
        where
            c.feature_set = any(feature.sets_read(p_set))
            or c.feature_set = (
                select s.made_of from market.feature_set as s where s.feature_set = p_set
            )
    ), '');
    return v_content || (
        select string_agg(format(e'%s\n%s', w.name, p.prosrc), '' order by w.name)
        from unnest(array['own_value', case when c_has_windows then 'window_value' end])
            as w (name)
        inner join pg_proc as p
            on to_regproc('feature.' || feature.name_of(p_set, w.name)) = p.oid
    );
end
$$;
revoke all on function feature.definition_content(text) from public;
comment on function feature.definition_content(text) is
'All that decides the values of the set p_set as it is compiled, as one text: its line in '
'market.feature_set, its fields with their types, the definitions of the sets that it reads or is '
'made of, and the bodies of own_value and window_value, which hold the text of the views with the '
'dbt variables put in. For feature.note_definitions(), which has noted those other sets before.';
