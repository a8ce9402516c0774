{# As dbt-postgres has it, but without functions: dbt would take feature.volatility_1h() for the
   view of that name, and try to rename it. #}
{% macro postgres__list_relations_without_caching(schema_relation) %}
    {% call statement('list_relations_without_caching', fetch_result=True) -%}
        select
            '{{ schema_relation.database }}' as database,
            c.relname as name,
            n.nspname as schema,
            case c.relkind
                when 'v' then 'view' when 'm' then 'materialized_view' else 'table'
            end as type
        from pg_catalog.pg_class as c
        inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
        where c.relkind in ('r', 'p', 'v', 'm') and n.nspname ilike '{{ schema_relation.schema }}'
    {%- endcall %}
    {{ return(load_result('list_relations_without_caching').table) }}
{% endmacro %}
