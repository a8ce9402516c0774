create or replace function market.timescale_schema() returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select quote_ident(n.nspname)
    from pg_extension as e
    inner join pg_namespace as n on e.extnamespace = n.oid
    where e.extname = 'timescaledb'
$$;
revoke all on function market.timescale_schema() from public;
comment on function market.timescale_schema() is
'The schema that TimescaleDB''s own functions are in, as SQL has it: an installation may have put '
'them elsewhere than in public.';
