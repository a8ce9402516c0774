create or replace procedure access.remove_tenant(p_tenant_id integer)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_login name;
begin
    if not exists (select from api.tenant as t where t.tenant_id = p_tenant_id) then
        raise exception 'there is no tenant %', p_tenant_id
            using errcode = 'no_data_found', hint = 'See api.tenant.';
    end if;
    if exists (
        select from access.dataset as d
        inner join api.entitlement as e on d.dataset = e.dataset
        where d.tenant_id = p_tenant_id and (e.valid_to is null or e.valid_to > now())
    ) then
        raise exception 'others are entitled to the dataset of tenant %', p_tenant_id
            using errcode = 'foreign_key_violation',
            hint = 'End these entitlements first: see api.entitlement.';
    end if;
    for v_login in select l.login from access.login as l where l.tenant_id = p_tenant_id loop
        call access.drop_login(v_login);
    end loop;
    delete from api.entitlement as e
    using access.dataset as d
    where e.dataset = d.dataset and d.tenant_id = p_tenant_id;
    delete from access.dataset as d where d.tenant_id = p_tenant_id;
    delete from model.label as l where l.tenant_id = p_tenant_id;
    delete from model.label_wait as w where w.tenant_id = p_tenant_id;
    delete from model.label_run as r where r.tenant_id = p_tenant_id;
    delete from api.tenant as t where t.tenant_id = p_tenant_id;
    delete from market.tenant as t where t.tenant_id = p_tenant_id;
end
$$;
revoke all on procedure access.remove_tenant(integer) from public;
comment on procedure access.remove_tenant(integer) is -- noqa: LT01
'Drops the tenant''s logins and dataset, and deletes its entitlements, watchlist, predictions with '
'their labels, API keys and access log; ingest then takes no tick of it. Ticks, bars, features and '
'what models learned from them stay, ticks until retention ends them: nobody but readers of market '
'can see them. Errors: P0002 for an unknown '
'tenant, 23503 while others are entitled to its dataset.';
