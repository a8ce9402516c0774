create or replace function feature.ready_history(
    p_set text, p_length interval
) returns table (
    tenant_ids integer[], symbols text[], range_from timestamptz, range_to timestamptz
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        array_agg(w.tenant_id),
        array_agg(w.symbol),
        w.range_from,
        least(w.ready_to, w.range_from + p_length)
    from feature.waiting_range as w
    where w.feature_set = p_set and w.ready_to > w.range_from
    group by w.range_from, w.ready_to
    order by w.range_from, w.ready_to
    limit 1
$$;
revoke all on function feature.ready_history(text, interval) from public;
grant execute on function feature.ready_history(text, interval) to market_operator;
comment on function feature.ready_history(text, interval) is
'The next slice, p_length long at most, of what feature.waiting_range has of the set p_set, of '
'series of which nothing earlier waits in market_1m. No row: none is ready. For '
'feature.backfill_derived().';
