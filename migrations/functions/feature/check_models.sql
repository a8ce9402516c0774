-- depends: functions/feature/made_of functions/feature/minutes_model
--   functions/feature/refuse_formula functions/market/tick_kinds
create or replace function feature.check_models(
    p_set text, p_model regclass, p_bars regclass
) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    c_ticks constant text[] := market.tick_kinds();
    -- other sets are read from their logs
    c_stop constant text[] := c_ticks
    || array(select s.model from market.feature_set as s where s.feature_set <> p_set)
    || array(select m from feature.minutes_model(p_set) as m where m is not null);
    v_problem record;
begin
    for v_problem in
        with node as (
            select
                f.relation,
                f.name,
                f.definition,
                c.relkind,
                s.nspname as schema_name,
                s.nspname = 'market' and c.relname = any(c_ticks) as is_tick,
                a.parent_mat_hypertable_id is not null as is_rollup,
                a.mat_hypertable_id is not null as is_aggregate,
                b.bucket_width
            from feature.made_of(array[p_model, p_bars], c_stop) as f
            inner join pg_class as c on f.relation = c.oid
            inner join pg_namespace as s on c.relnamespace = s.oid
            left join _timescaledb_catalog.continuous_agg as a
                on s.nspname = a.user_view_schema and c.relname = a.user_view_name
            left join _timescaledb_catalog.continuous_aggs_bucket_function as b
                on a.mat_hypertable_id = b.mat_hypertable_id
        )

        select
            n.relation,
            case
                when n.is_rollup or n.bucket_width::interval <> interval '1 minute'
                    then 'spans more than one bar, and a bar is recomputed from its own ticks: '
                    'read a one-minute aggregate, and make the longer span a window over bars'
                when
                    n.relkind <> 'v'
                    and n.schema_name in ('staging', 'intermediate', 'feature')
                    then 'is no view, and what a bar was at an earlier moment cannot be read from '
                    'it: give the model materialized="view", or make it a seed'
                when n.relkind not in ('v', 'r')
                    then 'is neither a view nor a table: read it through one'
                when exists (
                    select from pg_attribute as t
                    where
                        t.attrelid = n.relation and t.attname = 'tenant_id' and not n.is_tick
                        and n.relkind = 'r'
                )
                    then 'has a column tenant_id, which numbers the series while they are '
                    'recomputed: join tables by symbol'
                when n.definition ~* (
                    '\m(current_timestamp|current_date|current_time|localtime|localtimestamp|'
                    'clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\M'
                )
                    then 'reads the clock: use now(), in whose place the publish''s stamp is put'
                when exists (
                    select from node as o where n.name = o.name and n.relation <> o.relation
                )
                    then format(
                        'has the name of another relation that %s is made of: rename the model',
                        p_model
                    )
            end as rule
        from node as n
    loop
        if v_problem.rule is not null then
            perform feature.refuse_formula(format('%s %s', v_problem.relation, v_problem.rule));
        end if;
    end loop;
end
$$;
revoke all on function feature.check_models(text, regclass, regclass) from public;
comment on function feature.check_models(text, regclass, regclass) is
'Refuses models that a bar could not be recomputed with, for another moment than now: those that '
'the model p_model of the set p_set and its bar model p_bars are made of, other sets left out. '
'Errors: 0A000 with the relation and the rule that it breaks.';
