-- depends: views/api/quote
create or replace function api.latest_quote(p_symbols text[]) returns setof api.quote
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select l.*
    from unnest(api.visible_tenants()) as v (tenant_id)
    cross join (select distinct s.symbol from unnest(p_symbols) as s (symbol)) as s
    cross join lateral (
        select
            q.tenant_id,
            q.symbol,
            q.ts,
            q.seq,
            q.bid,
            q.bid_size,
            q.ask,
            q.ask_size,
            q.known_at,
            q.source_topic,
            q.source_partition,
            q.source_offset
        from market.quote as q
        where q.tenant_id = v.tenant_id and q.symbol = s.symbol
        order by q.ts desc, q.seq desc
        limit 1
    ) as l
$$;
revoke all on function api.latest_quote(text[]) from public;
grant execute on function api.latest_quote(text[]) to market_tenant;
comment on function api.latest_quote(text[]) is
'The latest quote, by ts and seq, of each of the symbols and visible tenants that has one: rows of '
'api.quote, in no order.';
