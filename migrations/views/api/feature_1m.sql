-- depends: functions/access/describe_view functions/api/visible_tenants
create or replace view api.feature_1m with (security_barrier) as
select
    tenant_id,
    symbol,
    bucket,
    known_at,
    open,
    high,
    low,
    close,
    volume,
    vwap,
    sma_20,
    volatility_1h,
    regime_tag,
    spread_bps,
    order_imbalance
from (
    select distinct on (tenant_id, symbol, bucket) *
    from feature.log
    where tenant_id = any((select api.visible_tenants())::integer[])
    order by tenant_id asc, symbol asc, bucket asc, known_at desc
) as newest
-- a bar that has gone has no values
where close is not null;
grant select on api.feature_1m to market_tenant;
call access.describe_view('api.feature_1m', 'feature.log');
comment on view api.feature_1m is
'One row per bar that the asking login may see: its newest published version.';
