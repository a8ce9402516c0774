-- depends: functions/feature/passed_on functions/feature/query_of functions/feature/published_list
--   functions/feature/read_list functions/feature/sets_read
create or replace function feature.window_query(
    p_set text, p_model regclass, p_bars regclass
) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_views regclass[];
    v_columns text;
    v_joins text;
    v_inputs jsonb;
begin
    with field as (
        select
            f.ordinal,
            f.field,
            p.relation,
            c.relname,
            p.source
        from market.contract as f
        inner join feature.passed_on(p_model) as p on f.field = p.field
        inner join pg_class as c on p.relation = c.oid
        where f.feature_set = p_set and p.relation <> p_bars
    )

    select
        (
            select string_agg(
                format(', %I.%I as %I', f.relname, f.source, f.field), '' order by f.ordinal
            )
            from field as f
        ),
        array_agg(v.relation order by v.relname),
        string_agg(
            format(
                e'\nleft join %1$I\n    on\n'
                '        o.series_no = %1$I.tenant_id\n'
                '        and o.bucket = %1$I.bucket\n'
                '        -- says nothing new, but can be asked before the join\n'
                '        and %1$I.bucket >= (select min(bucket) from pg_temp.window_output)',
                v.relname
            ), '' order by v.relname
        )
    into v_columns, v_views, v_joins
    from (select distinct f.relation, f.relname from field as f) as v;

    select coalesce(jsonb_object_agg(i.name, i.query), '{}')
    into v_inputs
    from (
        select
            c.relname as name,
            format(
                'select series_no as tenant_id, symbol, bucket%s from pg_temp.window_bar',
                feature.published_list(p_set, 'input', ', %I')
            ) as query
        from pg_class as c
        where c.oid = p_bars
        union all
        select
            s.model,
            format(
                'select series_no as tenant_id, symbol, bucket%s from pg_temp.%I',
                feature.read_list(p_set, s.feature_set, ', %1$I'), 'window_bar_' || s.feature_set
            )
        from market.feature_set as s
        where s.feature_set = any(feature.sets_read(p_set))
    ) as i;
    return feature.query_of(v_views, v_inputs)
    || format(
        e'\n\nselect o.series_no, o.bucket%s\nfrom pg_temp.window_output as o%s', v_columns, v_joins
    );
end
$$;
revoke all on function feature.window_query(text, regclass, regclass) from public;
comment on function feature.window_query(text, regclass, regclass) is
'The query of a set''s function window_value: of each series and bar of window_output what the '
'views that its model p_model joins to its bar model p_bars make of the own fields in window_bar, '
'and of those of other sets in window_bar_<set>. For feature.compile().';
