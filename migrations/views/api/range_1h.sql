-- depends: functions/access/describe_view functions/api/visible_tenants
create or replace view api.range_1h with (security_barrier) as
select
    tenant_id,
    symbol,
    bucket,
    bars,
    trades,
    parkinson_sum,
    garman_klass_sum,
    rogers_satchell_sum
from market.range_1h
where tenant_id = any((select api.visible_tenants())::integer[]);
grant select on api.range_1h to market_tenant;
call access.describe_view('api.range_1h', 'market.range_1h');
