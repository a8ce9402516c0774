-- depends: functions/access/describe_view functions/api/visible_tenants
create or replace view api.latency_1m with (security_barrier) as
select
    tenant_id,
    symbol,
    bucket,
    trades,
    lag_ms_sum,
    lag_ms_max,
    late_trades
from market.latency_1m
where tenant_id = any((select api.visible_tenants())::integer[]);
grant select on api.latency_1m to market_tenant;
call access.describe_view('api.latency_1m', 'market.latency_1m');
