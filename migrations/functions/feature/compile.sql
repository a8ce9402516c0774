-- depends: functions/feature/check_set functions/feature/compile_former
--   functions/feature/compile_set functions/feature/define_fields functions/feature/stop_clock
--   functions/feature/index_inputs functions/feature/note_births
--   functions/feature/note_definitions functions/feature/set_order functions/feature/try_formulas
--   functions/feature/try_windows functions/feature/collect_changed_ticks
--   views/market/trade_belief views/market/quote_belief views/market/bar_belief
--   views/market/bar_1m
create or replace procedure feature.compile()
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
    v_sets jsonb := '{}';
    v_set market.feature_set;
begin
    -- two dbt runs one after another; functions change between publishes, never within one
    perform feature.stop_clock();
    if not exists (select from market.contract) then
        perform feature.refuse_formula('market.contract has no field: run make migrate');
    end if;
    for v_set in select s.* from feature.set_order() as s loop
        -- a set whose models dbt has not made yet waits for them
        if to_regclass(format('feature.%I', v_set.model)) is not null
            and to_regclass(format('intermediate.%I', v_set.bar_model)) is not null
            and (v_set.made_of = 'tick' or v_sets ? v_set.made_of) then
            v_sets := v_sets || jsonb_build_object(
                v_set.feature_set, to_jsonb(feature.check_set(v_set))
            );
        end if;
    end loop;
    if v_sets = '{}' then
        raise exception 'the dbt models are not in this database'
            using errcode = 'undefined_table', hint = 'Run "make dbt".';
    end if;
    perform feature.define_fields(v_sets);
    for v_set in select s.* from feature.set_order() as s where v_sets ? s.feature_set loop
        perform feature.compile_set(v_set);
        perform feature.try_formulas(v_set.feature_set);
        perform feature.try_windows(v_set);
    end loop;
    perform feature.index_inputs(s.feature_set) from feature.published_set() as s;
    perform feature.note_births();
    perform feature.note_definitions();
    -- other formulas may not fail: the next publish tries
    update feature.set_aside as s set try_after = '-infinity' where s.try_after <> '-infinity';
end
$$;
revoke all on procedure feature.compile() from public;
grant execute on procedure feature.compile() to market_deploy;
comment on procedure feature.compile() is -- noqa: LT01
'Makes the functions that publish and backfill compute with, of market.feature_set, '
'market.contract and the dbt models as they stand in this database: feature.published_set(), '
'published_field(), read_field(), and of each set whose models are there own_value and '
'window_value (feature.name_of()); notes what they are made of in feature.definition. dbt calls it '
'at the end of a run or build; look at them with \sf. Errors: 0A000, with the set, model or field '
'and the rule, for what cannot be recomputed or is not as the contract says; else what the '
'models'' query says. Where it fails all stays as it was.';

do $$
begin
    -- a database whose models are there already
    if to_regclass('feature.feature_1m') is null then
        return;
    elsif to_regclass('intermediate.int_bar__own') is not null then
        call feature.compile();
    else
        -- of a release before the bar model: publishing goes on until dbt has run
        perform feature.compile_former();
    end if;
end
$$;
