-- depends: functions/access/describe_view functions/api/visible_tenants
create or replace view api.ohlc_5m with (security_barrier) as
select
    tenant_id,
    symbol,
    bucket,
    open,
    high,
    low,
    close,
    volume,
    notional,
    trades
from market.ohlc_5m
where tenant_id = any((select api.visible_tenants())::integer[]);
grant select on api.ohlc_5m to market_tenant;
call access.describe_view('api.ohlc_5m', 'market.ohlc_5m');
