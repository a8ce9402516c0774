-- depends: functions/access/describe_view functions/api/visible_tenants
create or replace view api.trade with (security_barrier) as
select
    tenant_id,
    symbol,
    ts,
    seq,
    price,
    size,
    side,
    known_at,
    source_topic,
    source_partition,
    source_offset
from market.trade
where tenant_id = any((select api.visible_tenants())::integer[]);
grant select on api.trade to market_tenant;
call access.describe_view('api.trade', 'market.trade');
