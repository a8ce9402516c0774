create or replace function api.acting_role() returns name
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    -- not current_user, which in a security definer function is its owner; not session_user, which
    --   is the pool's login where a transaction sets its role
    select case current_setting('role')
        when 'none' then session_user
        else current_setting('role')::name
    end
$$;
revoke all on function api.acting_role() from public;
grant execute on function api.acting_role() to market_tenant;
comment on function api.acting_role() is
'The role that asks: what SET ROLE has left, else the login.';

alter table api.access_log alter column login set default api.acting_role();
