-- depends: functions/feature/check_reach functions/feature/compile_newest
--   functions/feature/make_trial_bars functions/feature/name_of
create or replace function feature.try_windows(p_set market.feature_set) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if feature.published_list(p_set.feature_set, 'window', '%s') = '' then
        return;
    end if;
    perform feature.drop_steps();
    perform feature.make_trial_bars(p_set.feature_set);
    perform set_config('feature.moment', now()::text, true);
    execute format(
        'create temp table together on commit drop as select * from feature.%I()',
        feature.name_of(p_set.feature_set, 'window_value')
    );
    perform feature.compile_newest(p_set);
    perform feature.check_reach(p_set.feature_set);
    drop table pg_temp.together;
    perform feature.drop_steps();
end
$$;
revoke all on function feature.try_windows(market.feature_set) from public;
comment on function feature.try_windows(market.feature_set) is
'Evaluates the windows of a set over made bars: feature.check_reach() refuses what breaks a rule, '
'and feature.compile_newest() makes the faster way to the newest bar. For feature.compile().';
