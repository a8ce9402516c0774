-- depends: functions/feature/define functions/feature/with_fields functions/feature/field_list
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function api.{prefix}_pit_snapshot_in(
    p_generation integer, p_symbols text[], p_as_of timestamptz[],
    p_known_as_of timestamptz[] default null, p_tenant_id integer default null
) returns setof feature.{name pit_row}
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_visible constant integer[] := coalesce(api.visible_tenants(), array[]::integer[]);
begin
    perform feature.check_pairs(p_symbols, p_as_of, p_known_as_of);
    if p_tenant_id is not null and p_tenant_id <> all(v_visible) then
        raise exception 'tenant % is not yours to read', p_tenant_id
            using errcode = 'insufficient_privilege',
            hint = 'Leave p_tenant_id out, or give one of api.visible_tenants().';
    end if;
    perform feature.check_names(p_symbols, p_tenant_id, v_visible);

    return query
    with pair as (
        select
            p.*,
            s.tenant_id
        from unnest(p_symbols, p_as_of, p_known_as_of)
            with ordinality as p (symbol, as_of, known_as_of, place)
        inner join feature.series as s
            on
                p.symbol = s.symbol
                and s.tenant_id = any(v_visible)
                and (p_tenant_id is null or s.tenant_id = p_tenant_id)
    ),

    of_tenant as (
        select
            p.tenant_id,
            array_agg(p.symbol order by p.place) as symbols,
            array_agg(p.as_of order by p.place) as as_ofs,
            array_agg(p.known_as_of order by p.place) as known_as_ofs,
            array_agg(p.place order by p.place) as places
        from pair as p
        group by p.tenant_id
    )

    select
        a.symbol, a.as_of, a.known_as_of, a.bucket, a.known_at, { a.%I }, a.is_stale
    from of_tenant as t
    cross join lateral public.{prefix}_pit_snapshot_in(
        p_generation,
        t.symbols,
        t.as_ofs,
        case when p_known_as_of is not null then t.known_as_ofs end,
        t.tenant_id
    ) with ordinality as a
    order by t.places[a.ordinality];
end
$$;
revoke all on function api.{prefix}_pit_snapshot_in(
    integer, text[], timestamptz[], timestamptz[], integer
) from public;
grant execute on function api.{prefix}_pit_snapshot_in(
    integer, text[], timestamptz[], timestamptz[], integer
) to market_tenant;
comment on function api.{prefix}_pit_snapshot_in(
    integer, text[], timestamptz[], timestamptz[], integer
) is
'What was known, of what the asking login may see, in a generation of the log (api.generation): '
'public.{prefix}_pit_snapshot_in() with the same columns. p_tenant_id and errors: as of '
'api.{prefix}_pit_snapshot(); 42704 for a generation that there is not, too.';
$sql$);
