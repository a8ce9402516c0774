-- depends: functions/feature/check_fields functions/feature/check_models
--   functions/feature/check_windows functions/feature/compile_former
--   functions/feature/define_fields functions/feature/define_formula
--   functions/feature/define_reach functions/feature/passed_on functions/feature/published_list
--   functions/feature/query_of functions/feature/tick_queries functions/feature/try_formulas
--   functions/feature/window_inputs functions/feature/window_query
--   functions/feature/collect_changed_ticks views/market/trade_belief views/market/quote_belief
--   views/market/bar_belief views/market/bar_1m
create or replace procedure feature.compile()
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
    c_model constant regclass := 'feature.feature_1m';
    c_bars constant regclass := 'intermediate.int_bar__own';
    c_bars_name constant text := (select c.relname from pg_class as c where c.oid = c_bars);
    c_keys constant text := 'series_no integer, bucket timestamp with time zone';
    v_own text[];
    v_own_columns text;
    v_windows text[];
    v_window_columns text;
begin
    -- two dbt runs at once
    perform pg_advisory_xact_lock(hashtext('feature.compile'));
    -- functions change between publishes, never within one
    perform from feature.clock as c for update;
    perform feature.check_models(c_model, c_bars);
    perform feature.check_fields(c_model, c_bars);
    select
        coalesce(array_agg(c.field order by c.ordinal) filter (where c.is_own), '{}'),
        string_agg(c.typed, '' order by c.ordinal) filter (where c.is_own),
        coalesce(array_agg(c.field order by c.ordinal) filter (where not c.is_own), '{}'),
        string_agg(c.typed, '' order by c.ordinal) filter (where not c.is_own)
    into v_own, v_own_columns, v_windows, v_window_columns
    from (
        select
            f.ordinal,
            f.field,
            format(', %I %s', f.field, to_regtype(f.data_type)) as typed,
            p.relation = c_bars as is_own
        from market.contract as f
        inner join feature.passed_on(c_model) as p on f.field = p.field
    ) as c;
    perform feature.check_windows(c_model, c_bars, feature.window_inputs(v_own));

    perform feature.define_reach();
    perform feature.define_fields(v_own, v_windows);
    perform feature.define_formula(
        format('feature.own_value() returns TABLE(%s%s)', c_keys, v_own_columns),
        feature.query_of(array[c_bars], feature.tick_queries())
        || format(
            e'\n\nselect f.tenant_id, f.bucket%s\nfrom %I as f',
            feature.published_list('own', ', f.%I'), c_bars_name
        ),
        'What a bar has of its own ticks: those fields of each series and bar of the temporary '
        'tables series_trade, series_quote and series_bar, which are ordered by series_no, ts and '
        'seq. Made of ' || c_bars || ' by feature.compile().'
    );
    perform feature.define_formula(
        format('feature.window_value() returns TABLE(%s%s)', c_keys, v_window_columns),
        feature.window_query(c_model, c_bars),
        'What a bar has of other bars: those fields of each series and bar of the temporary table '
        'window_output, from the own fields in window_bar. Made of what ' || c_model || ' joins to '
        || c_bars || ' by feature.compile().'
    );
    perform feature.try_formulas();
    -- other formulas may not fail: the next publish tries
    update feature.set_aside as s set try_after = '-infinity' where s.try_after <> '-infinity';
end
$$;
revoke all on procedure feature.compile() from public;
grant execute on procedure feature.compile() to market_deploy;
comment on procedure feature.compile() is -- noqa: LT01
'Makes the functions that publish and backfill compute with, feature.own_value(), '
'feature.window_value(), feature.reach() and feature.published_field(), of market.contract and the '
'dbt models as they stand in this database. dbt calls it at the end of a run or build; look at '
'them with \sf. Errors: 0A000, with the model or field and the rule, for what cannot be recomputed '
'or is not as the contract says; else what the models'' query says. Where it fails all stays as it '
'was.';

do $$
begin
    -- a database whose models are there already
    if to_regclass('feature.formula_reach') is null or to_regclass('feature.feature_1m') is null then
        return;
    elsif to_regclass('intermediate.int_bar__own') is not null then
        call feature.compile();
    else
        -- of a release before the bar model: publishing goes on until dbt has run
        perform feature.compile_former();
    end if;
end
$$;
