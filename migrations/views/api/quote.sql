-- depends: functions/access/describe_view functions/api/visible_tenants
create or replace view api.quote with (security_barrier) as
select
    tenant_id,
    symbol,
    ts,
    seq,
    bid,
    bid_size,
    ask,
    ask_size,
    known_at,
    source_topic,
    source_partition,
    source_offset
from market.quote
where tenant_id = any((select api.visible_tenants())::integer[]);
grant select on api.quote to market_tenant;
call access.describe_view('api.quote', 'market.quote');
