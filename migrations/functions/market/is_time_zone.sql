create or replace function market.is_time_zone(p_name text) returns boolean
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select exists (select from pg_timezone_names as z where z.name = p_name)
$$;
revoke all on function market.is_time_zone(text) from public;
grant execute on function market.is_time_zone(text) to market_deploy;
comment on function market.is_time_zone(text) is
'Whether the IANA database, as this server has it, knows the time zone. For market.calendar: what '
'PostgreSQL takes for an offset in POSIX''s form is no time zone of a market.';

-- a row that was there before is judged when seeds/ are loaded
alter table market.calendar
drop constraint if exists calendar_time_zone_check,
add constraint calendar_time_zone_check check (market.is_time_zone(time_zone)) not valid;
