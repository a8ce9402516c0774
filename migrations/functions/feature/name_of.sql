create or replace function feature.name_of(p_set text, p_what text) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select case p_set when 'market_1m' then p_what else p_set || '_' || p_what end
$$;
revoke all on function feature.name_of(text, text) from public;
comment on function feature.name_of(text, text) is
'Name of what a set has: p_what is log, pit_row, own_value or window_value. The first set''s have '
'no name of a set before theirs.';
