-- depends: functions/feature/hold_rebuild
create or replace function feature.sets_of_rebuild(p_run integer) returns text[]
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return (feature.hold_rebuild(p_run)).feature_sets;
end
$$;
revoke all on function feature.sets_of_rebuild(integer) from public;
grant execute on function feature.sets_of_rebuild(integer) to market_operator;
comment on function feature.sets_of_rebuild(integer) is
'The sets that the call p_run of feature.rebuild() makes a generation of, in their order.';
