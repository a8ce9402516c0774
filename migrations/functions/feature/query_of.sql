create or replace function feature.query_of(p_models regclass[], p_inputs jsonb) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select 'with ' || string_agg(
        format('%I as (%s)', p.name, p.query), e',\n\n' order by p.is_input desc, p.place
    )
    from (
        select
            i.key as name,
            e'\n' || i.value || e'\n' as query,
            true as is_input,
            i.place
        from jsonb_each_text(p_inputs) with ordinality as i (key, value, place)
        union all
        select
            n.name,
            -- what is now for who reads the views is the publish's stamp here; asked once, not per row
            e'\n' || regexp_replace(
                n.definition, '\mnow\(\)',
                '(select current_setting(''feature.moment'')::timestamp with time zone)', 'g'
            ) || e'\n',
            false,
            n.place
        from feature.made_of(p_models, array(select jsonb_object_keys(p_inputs)))
            with ordinality as n (relation, name, definition, depth, place)
        where n.definition is not null
    ) as p
$$;
revoke all on function feature.query_of(regclass[], jsonb) from public;
comment on function feature.query_of(regclass[], jsonb) is
'The views p_models over other inputs, as a with clause: the definitions of the dbt models and '
'aggregates that they are made of, those named in p_inputs (name of a tick table, aggregate or '
'model -> query with its columns) replaced. Names are without schemas: run it with market, '
'staging, intermediate and feature on the path, where a name that it does not define is a table. '
'Keys are opaque to the formulas: a caller may number series in tenant_id. now() becomes the '
'setting feature.moment, which the caller sets.';
