create or replace function api.visible_tenants() returns integer[]
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select array_agg(v.tenant_id)
    from access.login as l
    inner join api.tenant as t on l.tenant_id = t.tenant_id
    cross join lateral (
        select t.tenant_id
        union
        select d.tenant_id
        from api.entitlement as e
        inner join access.dataset as d on e.dataset = d.dataset
        where
            e.tenant_id = t.tenant_id
            and e.valid_from <= now()
            and (e.valid_to is null or e.valid_to > now())
    ) as v
    where l.login = api.acting_role() and t.status = 'active'
$$;
revoke all on function api.visible_tenants() from public;
grant execute on function api.visible_tenants() to market_tenant;
comment on function api.visible_tenants() is
'Numbers of the tenants whose rows the asking login may see now: its own, and of the datasets that '
'it is entitled to. NULL: of none. An end of validity counts from the next transaction on.';
