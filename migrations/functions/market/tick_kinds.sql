create or replace function market.tick_kinds() returns text[]
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$ select array['trade', 'quote', 'bar'] $$;
revoke all on function market.tick_kinds() from public;
comment on function market.tick_kinds() is
'The kinds of tick, as ingest/kinds.py has them. Of each there are market.<kind>, '
'<kind>_superseded, <kind>_event and <kind>_belief.';
