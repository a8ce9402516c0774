create or replace function feature.stop_clock() returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform from feature.clock as c for update;
end
$$;
revoke all on function feature.stop_clock() from public;
grant execute on function feature.stop_clock() to market_operator;
comment on function feature.stop_clock() is
'Lets publishes wait until the transaction ends. Step of feature.rebuild().';
