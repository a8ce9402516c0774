-- depends: views/api/trade
create or replace function api.latest_trade(p_symbols text[]) returns setof api.trade
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select l.*
    from unnest(api.visible_tenants()) as v (tenant_id)
    cross join (select distinct s.symbol from unnest(p_symbols) as s (symbol)) as s
    cross join lateral (
        select
            t.tenant_id,
            t.symbol,
            t.ts,
            t.seq,
            t.price,
            t.size,
            t.side,
            t.known_at,
            t.source_topic,
            t.source_partition,
            t.source_offset
        from market.trade as t
        where t.tenant_id = v.tenant_id and t.symbol = s.symbol
        order by t.ts desc, t.seq desc
        limit 1
    ) as l
$$;
revoke all on function api.latest_trade(text[]) from public;
grant execute on function api.latest_trade(text[]) to market_tenant;
comment on function api.latest_trade(text[]) is
'The latest trade, by ts and seq, of each of the symbols and visible tenants that has one: rows of '
'api.trade, in no order. In milliseconds, where "order by ts desc limit 1" of the view reads all.';
