-- depends: functions/access/describe_view functions/api/visible_tenants functions/feature/define
--   functions/feature/with_fields functions/feature/field_list
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace view api.{newest} with (security_barrier) as
select
    tenant_id,
    symbol,
    bucket,
    known_at,
    { %I }
from (
    select distinct on (tenant_id, symbol, bucket) *
    from feature.{name log}
    where tenant_id = any((select api.visible_tenants())::integer[])
    order by tenant_id asc, symbol asc, bucket asc, known_at desc
) as newest
-- a bar that has gone has no values
where not ({gone newest});
grant select on api.{newest} to market_tenant;
call access.describe_view('api.{newest}', 'feature.{name log}');
comment on view api.{newest} is
'One row per bar that the asking login may see: its newest published version.';
$sql$);
