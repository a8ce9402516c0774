create or replace function api.feature_pit_snapshot_all(
    p_as_of timestamptz default now()
) returns table (
    tenant_id integer, symbol text, as_of timestamptz, known_as_of timestamptz, bucket timestamptz,
    known_at timestamptz, open double precision, high double precision, low double precision,
    close double precision, volume double precision, vwap double precision,
    sma_20 double precision, volatility_1h double precision, regime_tag text,
    spread_bps double precision, order_imbalance double precision, is_stale boolean
)
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select a.*
    from feature.pit_snapshot_of(coalesce(api.visible_tenants(), '{}'), p_as_of) as a
$$;
revoke all on function api.feature_pit_snapshot_all(timestamptz) from public;
grant execute on function api.feature_pit_snapshot_all(timestamptz) to market_tenant;
comment on function api.feature_pit_snapshot_all(timestamptz) is
'The same of what the asking login may see: see public.feature_pit_snapshot_all().';
