-- depends: functions/feature/hold_rebuild functions/feature/published_of
create or replace function feature.analyze_rebuild(p_run integer) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_set text;
begin
    foreach v_set in array (feature.hold_rebuild(p_run)).feature_sets loop
        execute format('analyze %s', (feature.published_of(v_set)).log);
    end loop;
end
$$;
revoke all on function feature.analyze_rebuild(integer) from public;
grant execute on function feature.analyze_rebuild(integer) to market_operator;
comment on function feature.analyze_rebuild(integer) is
'Tells the planner what is in the logs that the call p_run of feature.rebuild() has made, before '
'they come into use.';
