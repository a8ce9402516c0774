-- depends: functions/access/describe_view functions/api/visible_tenants
create or replace view api.quote_1h with (security_barrier) as
select
    tenant_id,
    symbol,
    bucket,
    spread_bps_sum,
    spread_bps_count,
    last_bid,
    last_ask,
    quotes
from market.quote_1h
where tenant_id = any((select api.visible_tenants())::integer[]);
grant select on api.quote_1h to market_tenant;
call access.describe_view('api.quote_1h', 'market.quote_1h');
