-- depends: functions/feature/define functions/feature/with_fields functions/feature/field_list
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function feature.{name pit_snapshot_of}(
    p_tenant_ids integer[], p_as_of timestamptz
) returns table (
    tenant_id integer, symbol text, as_of timestamptz, known_as_of timestamptz, bucket timestamptz,
    known_at timestamptz, { %I %s }, is_stale boolean
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select
        t.tenant_id,
        s.*
    from (
        select
            e.tenant_id,
            array_agg(e.symbol) as symbols
        from feature.series as e
        cross join lateral (
            select v.is_gone
            from market.instrument_version as v
            where
                v.symbol = e.symbol
                and v.known_at <= (select least(p_as_of, k.published_at) from feature.clock as k)
            order by v.known_at desc
            limit 1
        ) as i
        where not i.is_gone and (e.tenant_id = any(p_tenant_ids) or p_tenant_ids is null)
        group by e.tenant_id
    ) as t
    cross join feature.clock as c
    cross join lateral public.{prefix}_pit_snapshot(
        t.symbols, least(p_as_of, c.published_at), null::timestamptz, t.tenant_id
    ) as s
$$;
revoke all on function feature.{name pit_snapshot_of}(integer[], timestamptz) from public;
comment on function feature.{name pit_snapshot_of}(integer[], timestamptz) is
'public.{prefix}_pit_snapshot_all() of the tenants p_tenant_ids; NULL: of all.';
$sql$);
