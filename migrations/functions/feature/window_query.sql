-- depends: functions/feature/passed_on functions/feature/query_of
create or replace function feature.window_query(
    p_set text, p_model regclass, p_bars regclass, p_inputs jsonb, p_output text
) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_views regclass[];
    v_columns text;
    v_joins text;
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
                '        and %1$I.bucket >= (select min(w.bucket) from %2$s as w)',
                v.relname, p_output
            ), '' order by v.relname
        )
    into v_columns, v_views, v_joins
    from (select distinct f.relation, f.relname from field as f) as v;

    return feature.query_of(v_views, p_inputs)
    || format(
        e'\n\nselect o.series_no, o.bucket%s\nfrom %s as o%s', v_columns, p_output, v_joins
    );
end
$$;
revoke all on function feature.window_query(text, regclass, regclass, jsonb, text) from public;
comment on function feature.window_query(text, regclass, regclass, jsonb, text) is
'The query of a set''s windows: of each series_no and bucket of p_output, a table or query, what '
'the views that its model p_model joins to its bar model p_bars make of p_inputs, as of '
'feature.query_of(). For feature.compile().';
