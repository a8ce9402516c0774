-- depends: functions/market/apply_policy functions/market/refresh_reach
--   functions/market/retention_margin functions/market/tick_kinds
--   functions/market/timescale_schema
-- rows: market.policy_setting
-- It runs again, too, when this text has changed: a bridge that makes aggregates anew needs it.
create or replace procedure market.apply_policies()
language plpgsql
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
    -- the extension may live in any schema
    v_ts constant text := market.timescale_schema();
    v_unknown constant text := (
        select string_agg(distinct s.relation, ', ')
        from market.policy_setting as s
        where to_regclass('market.' || quote_ident(s.relation)) is null
    );
    -- half of a margin must hold the longest bucket, a day
    c_shortest constant interval := interval '8 days';
    v_short constant text := (
        select string_agg(s.relation, ', ' order by s.relation)
        from market.policy_setting as s
        where
            s.relation = any(market.tick_kinds())
            and s.policy = 'retention'
            and s.span < c_shortest
    );
    v_relation text;
    v_is_aggregate boolean;
    v_gone text;
    v_setting market.policy_setting;
begin
    if v_unknown is not null then
        raise exception 'market.policy_setting names relations that do not exist: %', v_unknown
            using errcode = 'undefined_table',
            hint = 'Correct or delete these rows, then call market.apply_policies() again.';
    elsif v_short is not null then
        raise exception 'market.policy_setting: the retention of % is below 8 days', v_short
            using errcode = 'invalid_parameter_value',
            hint = 'What is accepted would be gone before all aggregates have it: give 8 days or '
                'more, then call market.apply_policies() again.';
    end if;

    for v_relation in select distinct s.relation from market.policy_setting as s order by 1 loop
        v_is_aggregate := exists (
            select from timescaledb_information.continuous_aggregates as a
            where a.view_schema = 'market' and a.view_name = v_relation
        );
        if v_is_aggregate then
            execute format(
                'alter materialized view market.%I set (timescaledb.enable_columnstore = true, '
                'timescaledb.segmentby = ''tenant_id, symbol'', timescaledb.orderby = ''bucket'')',
                v_relation
            );
        end if;
        for v_gone in
            select p.policy
            from unnest(array['refresh', 'columnstore', 'retention']) as p (policy)
            where (p.policy <> 'refresh' or v_is_aggregate) and not exists (
                select from market.policy_setting as s
                where s.relation = v_relation and s.policy = p.policy
            )
        loop
            execute format(
                case v_gone
                    when 'refresh'
                        then 'select %s.remove_continuous_aggregate_policy(%L, if_exists => true)'
                    when 'columnstore'
                        then 'call %s.remove_columnstore_policy(%L, if_exists => true)'
                    else 'select %s.remove_retention_policy(%L, if_exists => true)'
                end,
                v_ts, 'market.' || v_relation
            );
        end loop;

        for v_setting in
            select s.*
            from market.policy_setting as s
            where s.relation = v_relation
            -- TimescaleDB 2.23 wants an aggregate's refresh policy before its columnstore policy
            order by array_position(array['chunk', 'refresh', 'columnstore', 'retention'], s.policy)
        loop
            if v_setting.policy = 'refresh' then
                v_setting.span := least(v_setting.span, market.refresh_reach(v_relation));
            end if;
            call market.apply_policy(v_setting);
        end loop;
    end loop;
end
$$;
revoke all on procedure market.apply_policies() from public;
comment on procedure market.apply_policies() is -- noqa: LT01
'Makes TimescaleDB''s policies what market.policy_setting says. Safe to call again; a policy '
'without a row is removed, and what an operator has set by alter_job() stays. A refresh window '
'ends where market.refresh_reach() says. Errors: 42P01 when a row names a relation that does not '
'exist, 22023 for a retention of ticks below 8 days.';

call market.apply_policies();
