-- depends: functions/access/describe_view functions/api/visible_tenants views/api/feature_1m
create or replace view api.regime with (security_barrier) as
select
    tenant_id,
    symbol,
    bucket,
    known_at,
    regime_tag
from api.feature_1m
where regime_tag is not null;
grant select on api.regime to market_tenant;
call access.describe_view('api.regime', 'feature.log');
comment on view api.regime is
'One row per bar with a regime that the asking login may see: its newest published version.';
