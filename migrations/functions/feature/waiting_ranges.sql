create or replace function feature.waiting_ranges(p_set text) returns bigint
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select count(*)
    from feature.waiting_range as w
    where w.feature_set = p_set
$$;
revoke all on function feature.waiting_ranges(text) from public;
grant execute on function feature.waiting_ranges(text) to market_operator;
comment on function feature.waiting_ranges(text) is
'Of how many series feature.waiting_range has history of the set p_set that is still to be built.';
