create or replace procedure access.drop_login(p_login name)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from access.login as l where l.login = p_login;
    if not pg_has_role(p_login, 'usage') then
        execute format('grant %I to %I with inherit true', p_login, current_user);
    end if;
    -- with ALTER DEFAULT PRIVILEGES any role can make itself one that others depend on
    execute format('drop owned by %I', p_login);
    execute format('drop role %I', p_login);
    perform audit.record('role', 'drop role', p_login);
end
$$;
revoke all on procedure access.drop_login(name) from public;
comment on procedure access.drop_login(name) is -- noqa: LT01
'Drops the role with whatever it owns in this database, and its API keys. For '
'access.set_tenant() and access.remove_tenant().';
