create or replace function market.retention_margin(p_span interval) returns interval
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select least(p_span / 4, interval '30 days')
$$;
revoke all on function market.retention_margin(interval) from public;
comment on function market.retention_margin(interval) is
'How long a tick stays at least that is accepted under a retention of p_span: a quarter of it, at '
'most 30 days. Refreshes have half of that to bring it into the aggregates.';
