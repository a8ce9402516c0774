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
        where c.has_trades <> (coalesce(i.bars_from, 'trade') = 'trade')
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
        and case market.bars_from(q.symbol)
            when 'quote' then not exists (
                select from market.quote as t
                where t.tenant_id = q.tenant_id and t.symbol = q.symbol
            )
            else not exists (
                select from market.trade as t
                where t.tenant_id = q.tenant_id and t.symbol = q.symbol
            )
        end
    order by q.tenant_id, q.symbol
$$;
revoke all on function feature.untraded_series() from public;
grant usage on schema feature to market_ingest;
grant execute on function feature.untraded_series()
to market_ingest, market_operator, market_reader;
comment on function feature.untraded_series() is
'Series that have ticks and not one that makes a bar of their instrument, by tenant_id and symbol: '
'quotes and no trade, or, where market.bars_from() says quote, trades and no quote. Nothing of '
'them is ever published.';
