-- depends: functions/access/describe_view functions/api/visible_tenants
create or replace view api.flow_1h with (security_barrier) as
select
    tenant_id,
    symbol,
    bucket,
    buy_size,
    sell_size,
    buy_trades,
    sell_trades
from market.flow_1h
where tenant_id = any((select api.visible_tenants())::integer[]);
grant select on api.flow_1h to market_tenant;
call access.describe_view('api.flow_1h', 'market.flow_1h');
