create or replace function api.feature_pit_snapshot_all(
    p_as_of timestamptz default now()
) returns table (
    tenant_id integer,
    symbol text,
    as_of timestamptz,
    known_as_of timestamptz,
    bucket timestamptz,
    known_at timestamptz,
    open double precision,
    high double precision,
    low double precision,
    close double precision,
    volume double precision,
    vwap double precision,
    sma_20 double precision,
    volatility_1h double precision,
    regime_tag text,
    spread_bps double precision,
    order_imbalance double precision,
    is_stale boolean
)
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        t.tenant_id,
        s.symbol,
        s.as_of,
        s.known_as_of,
        s.bucket,
        s.known_at,
        s.open,
        s.high,
        s.low,
        s.close,
        s.volume,
        s.vwap,
        s.sma_20,
        s.volatility_1h,
        s.regime_tag,
        s.spread_bps,
        s.order_imbalance,
        s.is_stale
    from (
        select
            e.tenant_id,
            array_agg(e.symbol) as symbols
        from feature.series as e
        inner join market.instrument as i on e.symbol = i.symbol
        where e.tenant_id = any((select api.visible_tenants())::integer[])
        group by e.tenant_id
    ) as t
    cross join feature.clock as c
    cross join lateral public.feature_pit_snapshot(
        t.symbols, least(p_as_of, c.published_at), null::timestamptz, t.tenant_id
    ) as s
$$;
revoke all on function api.feature_pit_snapshot_all(timestamptz) from public;
grant execute on function api.feature_pit_snapshot_all(timestamptz) to market_tenant;
comment on function api.feature_pit_snapshot_all(timestamptz) is
'The same of what the asking login may see: see public.feature_pit_snapshot_all().';
