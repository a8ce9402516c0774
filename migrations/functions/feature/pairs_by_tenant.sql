-- depends: functions/api/visible_tenants functions/feature/check_names
--   functions/feature/check_pairs
create or replace function feature.pairs_by_tenant(
    p_symbols text[], p_as_of timestamptz[], p_known_as_of timestamptz[], p_tenant_id integer
) returns table (
    tenant_id integer, symbols text[], as_ofs timestamptz[], known_as_ofs timestamptz[],
    places bigint[]
)
language plpgsql stable parallel safe
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
    select
        s.tenant_id,
        array_agg(p.symbol order by p.place),
        array_agg(p.as_of order by p.place),
        case when p_known_as_of is not null then array_agg(p.known_as_of order by p.place) end,
        array_agg(p.place order by p.place)
    from unnest(p_symbols, p_as_of, p_known_as_of)
        with ordinality as p (symbol, as_of, known_as_of, place)
    inner join feature.series as s
        on
            p.symbol = s.symbol
            and s.tenant_id = any(v_visible)
            and (p_tenant_id is null or s.tenant_id = p_tenant_id)
    group by s.tenant_id;
end
$$;
revoke all on function feature.pairs_by_tenant(
    text[], timestamptz[], timestamptz[], integer
) from public;
comment on function feature.pairs_by_tenant(text[], timestamptz[], timestamptz[], integer) is
'The pairs of a question of api.feature_pit_snapshot() or its like, checked, one row for each '
'tenant that the asking login may see and that has some of them: their places in the question, '
'from 1, in order. Arguments and errors: as there.';
