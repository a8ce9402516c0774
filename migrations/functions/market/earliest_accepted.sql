create or replace function market.earliest_accepted(p_relation text) returns timestamptz
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select greatest(
        timestamptz '2000-01-01 00:00:00+00',
        max(now() - least(s.span, interval '100 years') + market.retention_margin(s.span))
    )
    from market.policy_setting as s
    where s.relation = p_relation and s.policy = 'retention'
$$;
revoke all on function market.earliest_accepted(text) from public;
grant execute on function market.earliest_accepted(text) to market_ingest, market_reader;
comment on function market.earliest_accepted(text) is
'The earliest ts that ingest accepts. p_relation: trade, quote or bar. 2000-01-01, or, where '
'market.policy_setting has a retention of that table, as old as that less '
'market.retention_margin(): what is accepted is not deleted at once.';
