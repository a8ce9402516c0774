{# At the end of a run: drop what replace_view.sql has moved aside and nobody reads, and
   name those that somebody still reads. #}
{% macro drop_former_views() %}
    {%- if execute and flags.WHICH in ('run', 'build') -%}
        {%- set query -%}
            select
                case c.relkind when 'r' then 'table' when 'm' then 'materialized view' else 'view' end
                || format(' %I.%I', n.nspname, c.relname),
                string_agg(distinct r.ev_class::regclass::text, ', ')
                    filter (where r.ev_class <> c.oid)
            from pg_class as c
            inner join pg_namespace as n on c.relnamespace = n.oid
            left join pg_depend as d
                on
                    c.oid = d.refobjid
                    and d.refclassid = 'pg_class'::regclass
                    and d.classid = 'pg_rewrite'::regclass
            left join pg_rewrite as r on d.objid = r.oid
            where
                c.relkind in ('v', 'r', 'm')
                and n.nspname in ('staging', 'intermediate', 'feature')
                and (
                    c.relname ~ '__former_[0-9a-f]{8}$'
                    -- a model of earlier releases
                    or (n.nspname, c.relname) = ('feature', 'formula_reach')
                )
                and pg_has_role(c.relowner, 'usage')
            group by 1
        {%- endset -%}
        {#- one that goes can free another -#}
        {%- for _ in range(20) -%}
            {%- for former, readers in run_query(query).rows if readers is none -%}
                {%- do run_query('drop ' ~ former) -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- for former, readers in run_query(query).rows -%}
            {%- do log(
                readers ~ ' still read ' ~ 'the former ' ~ former ~ ': make them anew', info=true
            ) -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}
