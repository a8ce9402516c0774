create or replace function feature.queued_history()
returns table (tenant_id integer, symbol text, bucket timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select
        c.tenant_id,
        c.symbol,
        c.bucket
    from feature.changed_bar as c
    cross join feature.clock as k
    left join market.instrument as i on c.symbol = i.symbol
    where
        -- what its bars are made of
        c.kind = coalesce(i.bars_from, 'trade')
        and c.known_to <= k.live_from
        and c.bucket <= k.live_from - interval '1 minute'
        and not exists (
            select from feature.log as l
            where l.tenant_id = c.tenant_id and l.symbol = c.symbol and l.bucket = c.bucket
        )
$$;
revoke all on function feature.queued_history() from public;
comment on function feature.queued_history() is
'History of market_1m that no publish has looked at yet: bars in feature.changed_bar that wait for '
'feature.backfill(). Step of feature.history_waits() and feature.first_waits().';
