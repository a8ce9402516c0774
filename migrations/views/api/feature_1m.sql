-- depends: functions/access/describe_view functions/api/visible_tenants functions/feature/define
--   functions/feature/with_fields functions/feature/field_list
-- rows: market.contract
call feature.define($sql$
create or replace view api.feature_1m with (security_barrier) as
select
    tenant_id,
    symbol,
    bucket,
    known_at,
    { %I }
from (
    select distinct on (tenant_id, symbol, bucket) *
    from feature.log
    where tenant_id = any((select api.visible_tenants())::integer[])
    order by tenant_id asc, symbol asc, bucket asc, known_at desc
) as newest
-- a bar that has gone has no values
where not (row({ %I }) is null)
$sql$);
grant select on api.feature_1m to market_tenant;
call access.describe_view('api.feature_1m', 'feature.log');
comment on view api.feature_1m is
'One row per bar that the asking login may see: its newest published version.';
