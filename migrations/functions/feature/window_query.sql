-- depends: functions/feature/passed_on functions/feature/query_of
create or replace function feature.window_query(p_model regclass, p_bars regclass) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    c_bars_name constant text := (select c.relname from pg_class as c where c.oid = p_bars);
    v_views regclass[];
    v_columns text;
    v_joins text;
begin
    select
        coalesce(array_agg(v.relation order by v.name), '{}'),
        string_agg(v.columns, '' order by v.name),
        string_agg(
            format(
                e'\nleft join %1$I\n    on\n'
                '        o.series_no = %1$I.tenant_id\n'
                '        and o.bucket = %1$I.bucket\n'
                '        -- says nothing new, but can be asked before the join\n'
                '        and %1$I.bucket >= (select min(bucket) from pg_temp.window_output)',
                v.name
            ), '' order by v.name
        )
    into v_views, v_columns, v_joins
    from (
        select
            p.relation,
            c.relname::text as name,
            string_agg(
                format(', %I.%I as %I', c.relname, p.source, p.field), '' order by f.ordinal
            ) as columns
        from market.contract as f
        inner join feature.passed_on(p_model) as p on f.field = p.field
        inner join pg_class as c on p.relation = c.oid
        where p.relation <> p_bars
        group by p.relation, c.relname
    ) as v;
    return feature.query_of(v_views, jsonb_build_object(
        c_bars_name,
        format(
            'select series_no as tenant_id, symbol, bucket%s from pg_temp.window_bar',
            feature.published_list('input', ', %I')
        )
    ))
    || format(
        e'\n\nselect o.series_no, o.bucket%s\nfrom pg_temp.window_output as o%s', v_columns, v_joins
    );
end
$$;
revoke all on function feature.window_query(regclass, regclass) from public;
comment on function feature.window_query(regclass, regclass) is
'The query of feature.window_value(): of each series and bar of window_output what the views that '
'p_model joins to its bar model p_bars make of the own fields in window_bar. For '
'feature.compile().';
