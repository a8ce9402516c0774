create or replace function api.own_tenant() returns integer
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select t.tenant_id
    from access.login as l
    inner join api.tenant as t on l.tenant_id = t.tenant_id
    where l.login = api.acting_role() and t.status = 'active'
$$;
revoke all on function api.own_tenant() from public;
grant execute on function api.own_tenant() to market_tenant;
comment on function api.own_tenant() is
'Number of the tenant whose login, or whose role set by a pooled login, asks. NULL: of none, or of '
'a suspended one.';

-- what a tenant writes is its own, and it sees no other's
alter table api.watchlist alter column tenant_id set default api.own_tenant();
alter table api.prediction alter column tenant_id set default api.own_tenant();
alter table api.access_log alter column tenant_id set default api.own_tenant();
do $$
declare
    v_table text;
begin
    foreach v_table in array array[
        'tenant', 'entitlement', 'watchlist', 'prediction', 'api_key', 'access_log'
    ] loop
        execute format('drop policy if exists tenant_own on api.%I', v_table);
        execute format(
            'create policy tenant_own on api.%I to market_tenant '
            'using (tenant_id = (select api.own_tenant())) '
            'with check (tenant_id = (select api.own_tenant()))',
            v_table
        );
    end loop;
end
$$;
