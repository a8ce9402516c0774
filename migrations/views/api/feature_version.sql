-- depends: functions/access/describe_view functions/api/visible_tenants
create or replace view api.feature_version with (security_barrier) as
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
    order_imbalance,
    cause
from feature.log
where tenant_id = any((select api.visible_tenants())::integer[]);
grant select on api.feature_version to market_tenant;
call access.describe_view('api.feature_version', 'feature.log');
comment on view api.feature_version is
'One row per version of a bar''s features that the asking login may see: feature.log.';
