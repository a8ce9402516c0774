-- depends: functions/access/describe_view functions/api/visible_tenants
create or replace view api.quote_1m with (security_barrier) as
select
    tenant_id,
    symbol,
    bucket,
    spread_bps_sum,
    spread_bps_count,
    last_bid,
    last_ask,
    quotes
from market.quote_1m
where tenant_id = any((select api.visible_tenants())::integer[]);
grant select on api.quote_1m to market_tenant;
call access.describe_view('api.quote_1m', 'market.quote_1m');
