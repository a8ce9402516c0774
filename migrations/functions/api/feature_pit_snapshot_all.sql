-- depends: functions/feature/define functions/feature/with_fields functions/feature/field_list
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function api.{prefix}_pit_snapshot_all(
    p_as_of timestamptz default now()
) returns table (
    tenant_id integer, symbol text, as_of timestamptz, known_as_of timestamptz, bucket timestamptz,
    known_at timestamptz, { %I %s }, is_stale boolean
)
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select a.*
    from feature.{name pit_snapshot_of}(coalesce(api.visible_tenants(), array[]::integer[]), p_as_of) as a
$$;
revoke all on function api.{prefix}_pit_snapshot_all(timestamptz) from public;
grant execute on function api.{prefix}_pit_snapshot_all(timestamptz) to market_tenant;
comment on function api.{prefix}_pit_snapshot_all(timestamptz) is
'The same of what the asking login may see: see public.{prefix}_pit_snapshot_all().';
$sql$);
