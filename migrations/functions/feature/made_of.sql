create or replace function feature.made_of(p_models regclass[], p_inputs text[])
returns table (relation regclass, name text, definition text, depth integer)
language plpgsql stable
-- with these schemas on the path, definitions name one another without a schema: query_of()
set search_path = pg_catalog, market, staging, intermediate, feature, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    with recursive source as (
        -- an aggregate's definition is its direct view's
        select
            format('%I.%I', a.user_view_schema, a.user_view_name)::regclass::oid as relation,
            format('%I.%I', a.direct_view_schema, a.direct_view_name)::regclass::oid as rewritten
        from _timescaledb_catalog.continuous_agg as a
    ),

    node (relation, rewritten, depth) as (
        select
            m.relation::oid,
            m.relation::oid,
            0
        from unnest(p_models) as m (relation)
        union
        select
            d.refobjid,
            coalesce(s.rewritten, d.refobjid),
            n.depth + 1
        from node as n
        inner join pg_rewrite as r on n.rewritten = r.ev_class
        inner join pg_depend as d
            on
                r.oid = d.objid
                and d.classid = 'pg_rewrite'::regclass
                and d.refclassid = 'pg_class'::regclass
                and n.rewritten <> d.refobjid
        left join source as s on d.refobjid = s.relation
        where n.relation::regclass::text <> all(p_inputs)
    )

    select
        n.relation::regclass,
        c.relname::text,
        -- a table, and what the caller gives, has none
        case
            when c.relkind = 'v' and c.relname <> all(p_inputs)
                then rtrim(pg_get_viewdef(n.rewritten), '; ')
        end,
        max(n.depth)
    from node as n
    inner join pg_class as c on n.relation = c.oid
    group by n.relation, n.rewritten, c.relname, c.relkind
    -- what a definition reads comes before it
    order by max(n.depth) desc, c.relname;
end
$$;
revoke all on function feature.made_of(regclass[], text[]) from public;
comment on function feature.made_of(regclass[], text[]) is
'What the views p_models are made of, themselves included: dbt''s views, the aggregates, and the '
'tables that they read, down to p_inputs, names of relations. Columns: relation; name, without its '
'schema; definition, the query of a view or an aggregate, NULL of a table or an input; depth, '
'steps away from p_models. What a definition reads comes before it.';
