-- depends: functions/feature/hold_clock
create or replace function feature.stop_clock() returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- rights, then the chain: as whoever makes objects and gives them rights comes to these locks
    perform from audit.last_recorded as l where l.relation = 'audit.privilege' for update;
    perform feature.hold_clock();
end
$$;
revoke all on function feature.stop_clock() from public;
grant execute on function feature.stop_clock() to market_operator;
comment on function feature.stop_clock() is
'Lets publishes wait until the transaction ends, in which objects are made and given rights. For '
'feature.compile() and feature.rebuild().';
