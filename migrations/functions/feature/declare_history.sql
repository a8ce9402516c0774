create or replace procedure feature.declare_history()
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update feature.clock as c set live_from = c.published_at;
end
$$;
revoke all on procedure feature.declare_history() from public;
grant execute on procedure feature.declare_history() to market_operator;
comment on procedure feature.declare_history() is -- noqa: LT01
'Makes all that is known by the last publish history, for feature.backfill(): live_from of '
'feature.clock becomes published_at. For ticks of the past that were loaded after this database '
'went live. Readers who have asked about that time will then find more than they were told: call '
'it before anyone relies on the answers. It never moves back.';
