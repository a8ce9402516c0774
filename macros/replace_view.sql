{# dbt's own way with a view drops it, and with it whatever others have hung on it: for a while
   there is none, grants and dependants are gone for good. Here
   - what did not change is not touched;
   - what can be replaced in place is, so that its grants and dependants stay;
   - else (a column that goes, or has another type) the former view moves aside in the same
     transaction, and its grants are copied: whoever reads it goes on with the former one until it
     is made anew too. drop_former_views() ends those that nobody reads any more.
   Readers wait for a lock for a second at most: whoever holds it longer, the replacing waits. #}
{% materialization view, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set made = make_intermediate_relation(target_relation, '__dbt_' ~ invocation_id[:8]) -%}
    {%- set former = make_backup_relation(
        target_relation, 'view' if existing is none else existing.type,
        '__former_' ~ invocation_id[:8]
    ) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement('main') -%}
        {{ get_create_view_as_sql(made, sql) }}
    {%- endcall %}
    {%- set change = view_change(existing, made) -%}

    {%- if change == 'none' -%}
        {% call noop_statement('main', 'UNCHANGED', 'UNCHANGED') %}{% endcall %}
        {% do adapter.drop_relation(made) %}
    {%- elif change == 'replace' -%}
        {% do adapter.drop_relation(made) %}
        {% call statement('change') -%}
            {{ with_short_locks(target_relation, get_replace_view_sql(target_relation, sql)) }}
        {%- endcall %}
    {%- else -%}
        {% call statement('change') -%}
            {{ with_short_locks(target_relation, move_view_sql(existing, former, made)) }}
        {%- endcall %}
        {%- if existing is not none -%}
            {% do adapter.cache_renamed(existing, former) %}
        {%- endif -%}
        {% do adapter.cache_renamed(made, target_relation) %}
    {%- endif -%}

    {% do grant_what_is_missing(target_relation, config.get('grants') or {}) %}
    {%- if comments_differ(target_relation) -%}
        {% do persist_docs(target_relation, model) %}
    {%- endif -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{# What it takes to put the view `made` in the place of what is there: 'none' where they are the
   same, 'replace' where "create or replace" does it (the columns that were are the first ones
   still), else 'move'. #}
{% macro view_change(existing, made) %}
    {%- if existing is none or not existing.is_view -%}
        {{ return('move') }}
    {%- endif -%}
    {%- set found = run_query("
        with side as (
            select
                r.oid,
                pg_get_viewdef(r.oid) as definition,
                (
                    select array_agg(
                        row(a.attname, a.atttypid, a.atttypmod, a.attcollation)::text
                        order by a.attnum
                    )
                    from pg_attribute as a
                    where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
                ) as columns
            from (values ('" ~ existing ~ "'::regclass), ('" ~ made ~ "'::regclass)) as r (oid)
        )

        select case
            when b.definition = a.definition and b.columns = a.columns then 'none'
            when b.columns = a.columns[:cardinality(b.columns)] then 'replace'
            else 'move'
        end
        from side as b, side as a
        where b.oid = '" ~ existing ~ "'::regclass and a.oid = '" ~ made ~ "'::regclass
    ") -%}
    {{ return(found.columns[0].values()[0]) }}
{% endmacro %}


{# Move what is there aside, if it is, and `made` into its place, with its grants. #}
{% macro move_view_sql(existing, former, made) %}
    {%- if existing is not none %}
        alter {{ existing.type | replace('_', ' ') }} {{ existing }}
        rename to {{ adapter.quote(former.identifier) }};
    {%- endif %}
    alter view {{ made }} rename to {{ adapter.quote(this.identifier) }};
    {%- if existing is not none %}
        for v_grant in
            select
                g.privilege_type,
                case g.grantee when 0 then 'public' else g.grantee::regrole::text end as grantee,
                g.is_grantable
            from pg_class as c
            cross join aclexplode(c.relacl) as g
            where c.oid = '{{ former }}'::regclass and g.grantee <> c.relowner
        loop
            execute format(
                'grant %s on {{ this }} to %s%s', v_grant.privilege_type, v_grant.grantee,
                case when v_grant.is_grantable then ' with grant option' else '' end
            );
        end loop;
    {%- endif %}
{% endmacro %}


{# A lock that is waited for keeps every later reader waiting too: wait briefly, and often. #}
{% macro with_short_locks(relation, commands) %}
    do $short_locks$
    declare
        v_grant record;
    begin
        for v_try in 1..120 loop
            begin
                set local lock_timeout = '1s';
                {{ commands }}
                set local lock_timeout to default;
                return;
            exception when lock_not_available then
                perform pg_sleep(0.5 + random());
            end;
        end loop;
        raise exception '{{ relation }} was read without a pause for minutes'
            using errcode = 'lock_not_available',
            hint = 'Nothing was changed. Run dbt again when the long queries on it have ended '
                '(pg_stat_activity).';
    end
    $short_locks$
{% endmacro %}


{# Those of the configuration; what others have granted stays. #}
{% macro grant_what_is_missing(relation, wanted) %}
    {%- set there = adapter.standardize_grants_dict(run_query(get_show_grant_sql(relation))) -%}
    {%- set missing = diff_of_two_dicts(wanted, there) -%}
    {%- if missing -%}
        {% do call_dcl_statements(get_dcl_statement_list(relation, missing, get_grant_sql)) %}
    {%- endif -%}
{% endmacro %}


{# Whether the comments in the database are other than those of the model's yml. #}
{% macro comments_differ(relation) %}
    {%- set found = run_query("
        select a.attname, col_description(a.attrelid, a.attnum)
        from pg_attribute as a
        where a.attrelid = '" ~ relation ~ "'::regclass and a.attnum > 0
        union all
        select '', obj_description('" ~ relation ~ "'::regclass, 'pg_class')
    ") -%}
    {%- set there = {} -%}
    {%- for row in found.rows -%}
        {%- do there.update({row[0]: row[1] or ''}) -%}
    {%- endfor -%}
    {%- set differing = [] -%}
    {%- if there[''] != (model.description or '') -%}
        {%- do differing.append('') -%}
    {%- endif -%}
    {%- for name, column in model.columns.items() -%}
        {%- if name in there and there[name] != (column.description or '') -%}
            {%- do differing.append(name) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(differing | length > 0) }}
{% endmacro %}
