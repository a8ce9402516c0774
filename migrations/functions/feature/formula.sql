create or replace function feature.formula(p_inputs jsonb) returns text
language plpgsql stable
-- With these schemas on the path definitions name each other without a schema, and so find the
-- common table expressions of those names instead of the relations.
set search_path = pg_catalog, market, staging, intermediate, feature, pg_temp
as $$
declare
    v_missing constant text := (
        select string_agg(m.name, ', ')
        from unnest(array['feature.feature_1m', 'feature.formula_reach']) as m (name)
        where to_regclass(m.name) is null
    );
    v_node record;
    v_parts text[];
begin
    if v_missing is not null then
        raise exception 'the dbt models are not in this database: % missing', v_missing
            using errcode = 'undefined_table',
            hint = 'The formulas live in the dbt models: run "dbt run" (make dbt ARGS=run).';
    end if;

    select array_agg(format('%I as (%s)', i.key, i.value))
    into v_parts
    from jsonb_each_text(p_inputs) as i;

    for v_node in
        with recursive aggregate as (
            select
                format('%I.%I', a.view_schema, a.view_name)::regclass::oid as relation,
                a.view_definition as definition,
                a.hypertable_name as source
            from timescaledb_information.continuous_aggregates as a
        ),

        node (relation, name, depth) as (
            select
                'feature.feature_1m'::regclass::oid,
                'feature_1m'::name,
                0
            union
            select
                c.oid,
                c.relname,
                n.depth + 1
            from node as n
            inner join pg_rewrite as r on n.relation = r.ev_class
            inner join pg_depend as d
                on
                    r.oid = d.objid
                    and d.classid = 'pg_rewrite'::regclass
                    and d.refclassid = 'pg_class'::regclass
                    and n.relation <> d.refobjid
            inner join pg_class as c on d.refobjid = c.oid
            where
                not p_inputs ? c.relname::text
                and n.relation not in (select a.relation from aggregate as a)
        )

        select
            n.name,
            coalesce(a.definition, pg_get_viewdef(n.relation)) as definition,
            a.source
        from node as n
        left join aggregate as a on n.relation = a.relation
        group by n.name, n.relation, a.definition, a.source
        -- what a definition reads comes before it
        order by max(n.depth) desc
    loop
        if v_node.source is not null and not p_inputs ? v_node.source::text then
            raise exception 'the inputs of the formula lack %', v_node.source
                using errcode = 'invalid_parameter_value',
                hint = format('Give "%s" or "%s".', v_node.source, v_node.name);
        end if;
        v_parts := v_parts || format('%I as (%s)', v_node.name, rtrim(v_node.definition, '; '));
    end loop;
    return 'with ' || array_to_string(v_parts, ', ');
end
$$;
revoke all on function feature.formula(jsonb) from public;
grant execute on function feature.formula(jsonb) to market_operator;
comment on function feature.formula(jsonb) is
'The query of feature.feature_1m over other inputs: the definitions of the aggregates and dbt '
'models that it is made from, those named in p_inputs replaced. p_inputs: name of a tick table, '
'aggregate or model -> query with its columns. Keys are opaque to the formulas: a caller may '
'number series, or versions of a series, in tenant_id. Errors: 42P01 when "dbt run" has not made '
'the models; 22023 when an aggregate has no input.';
