-- depends: functions/market/has_ticks
create or replace function feature.untraded_series() returns table (
    tenant_id integer, symbol text
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        q.tenant_id,
        q.symbol
    from (
        select s.tenant_id, s.symbol from feature.quoted_series as s
        union
        -- what no publish has looked at yet
        select c.tenant_id, c.symbol
        from feature.changed_bar as c
        left join market.instrument as i on c.symbol = i.symbol
        where c.kind <> coalesce(i.bars_from, 'trade')
    ) as q
    where
        not exists (
            select from feature.series as s
            where s.symbol = q.symbol and s.tenant_id = q.tenant_id
        )
        and not exists (
            select from feature.waiting_history as h
            where h.symbol = q.symbol and h.tenant_id = q.tenant_id
        )
        and not market.has_ticks(market.bars_from(q.symbol), q.tenant_id, q.symbol)
    order by q.tenant_id, q.symbol
$$;
revoke all on function feature.untraded_series() from public;
grant usage on schema feature to market_ingest;
grant execute on function feature.untraded_series()
to market_ingest, market_operator, market_reader;
comment on function feature.untraded_series() is
'Series that have ticks and not one that makes a bar of their instrument, by tenant_id and symbol: '
'quotes and no trade, or, where market.bars_from() says otherwise, trades and no quote or bar. '
'Nothing of them is ever published.';
