create or replace function feature.history_changes(
    p_tenant_ids integer[], p_symbols text[]
) returns bigint
language sql stable
set search_path = pg_catalog, pg_temp
as $$
select coalesce(sum(h.publishes), 0)::bigint
from unnest(p_tenant_ids, p_symbols) as s (tenant_id, symbol)
inner join feature.history_change as h on s.symbol = h.symbol and s.tenant_id = h.tenant_id
$$;
revoke all on function feature.history_changes(integer[], text[]) from public;
comment on function feature.history_changes(integer[], text[]) is
'How often publishes took changes of these series'' history from the queue: when it has grown, '
'what was read of their ticks before is not all. p_tenant_ids, p_symbols: the series, element by '
'element. Step of feature.backfill_slice().';
