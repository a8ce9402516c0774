create or replace function access.refuse_ddl() returns event_trigger
language plpgsql
-- security invoker: it asks who runs the command
set search_path = pg_catalog, pg_temp
as $$
begin
    if pg_has_role('market_tenant', 'member') and not pg_has_role('market_owner', 'member') then
        raise exception 'a tenant makes and grants nothing: % refused', tg_tag
            using errcode = 'insufficient_privilege', hint = 'Ask for it to be done.';
    end if;
end
$$;
revoke all on function access.refuse_ddl() from public;
comment on function access.refuse_ddl() is
'Event trigger: refuses tenants what PostgreSQL allows to everybody: a GRANT that does nothing and '
'ALTER DEFAULT PRIVILEGES, which lock and fill the audit. Errors: 42501.';

reset role;
do $$
begin
    if not exists (select from pg_catalog.pg_event_trigger where evtname = 'access_ddl') then
        -- its name comes before audit_ddl, and so does it
        create event trigger access_ddl on ddl_command_end execute function access.refuse_ddl();
    end if;
exception
    when insufficient_privilege then
        raise warning 'tenants can GRANT to no effect: only a superuser can create event triggers';
end
$$;
