-- loses: what the roles were granted besides; if no other database uses them, their members too
-- PUBLIC gets back what access.lockdown() took from it: what PostgreSQL and TimescaleDB gave it
do $$
declare
    v_name text;
begin
    if not exists (
        select from pg_catalog.pg_extension as e
        where e.extname = 'timescaledb' and pg_catalog.pg_has_role(e.extowner, 'usage')
    ) then
        return;
    end if;
    execute format(
        'grant connect, temporary on database %I to public', pg_catalog.current_database()
    );
    grant usage on schema public to public;
    for v_name in
        select pg_catalog.quote_ident(n.nspname)
        from pg_catalog.pg_namespace as n
        where n.nspname ~ '^_?timescaledb_'
    loop
        execute format('grant usage on schema %s to public', v_name);
        execute format('grant execute on all routines in schema %s to public', v_name);
    end loop;
    for v_name in
        select p.oid::regprocedure::text
        from pg_catalog.pg_proc as p
        inner join pg_catalog.pg_depend as d on p.oid = d.objid and d.deptype = 'e'
        inner join pg_catalog.pg_extension as e on d.refobjid = e.oid
        where d.classid = 'pg_catalog.pg_proc'::regclass and e.extname = 'timescaledb'
    loop
        execute format('grant execute on routine %s to public', v_name);
    end loop;
    -- the extension gave it only reading, and only of some: what that was is kept with it
    for v_name in
        select c.oid::regclass::text
        from pg_catalog.pg_init_privs as i
        inner join pg_catalog.pg_class as c on i.objoid = c.oid
        inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
        where
            i.classoid = 'pg_catalog.pg_class'::regclass
            and n.nspname ~ '^_?timescaledb_'
            and i.initprivs::text ~ '[{,]=r'
    loop
        execute format('grant select on %s to public', v_name);
    end loop;
    for v_name in
        select p.oid::regprocedure::text
        from pg_catalog.pg_proc as p
        where
            p.pronamespace = 'pg_catalog'::regnamespace
            and p.proname in ('lo_creat', 'lo_create', 'lo_from_bytea')
            and pg_catalog.pg_has_role(p.proowner, 'usage')
    loop
        execute format('grant execute on function %s to public', v_name);
    end loop;
end
$$;

-- not "drop owned by", which would also take their right to connect to other databases
do $$
declare
    v_role text;
    v_schema text;
    v_name text;
begin
    foreach v_role in array array[
        'market_deploy', 'market_ingest', 'market_operator', 'market_reader', 'market_tenant',
        'market_pool', 'market_owner'
    ] loop
        begin
            execute format(
                'revoke all on database %I from %I', pg_catalog.current_database(), v_role
            );
            execute format(
                'alter default privileges for role market_owner in schema market, feature '
                'revoke all on tables from %I',
                v_role
            );
            for v_schema in
                select pg_catalog.quote_ident(n.nspname)
                from pg_catalog.pg_namespace as n
                where
                    n.nspname ~ '^_?timescaledb_'
                    or n.nspname in ('market', 'staging', 'intermediate', 'feature', 'public')
            loop
                execute format('revoke all on schema %s from %I', v_schema, v_role);
                execute format('revoke all on all tables in schema %s from %I', v_schema, v_role);
                execute format('revoke all on all routines in schema %s from %I', v_schema, v_role);
            end loop;
            for v_name in
                select p.oid::regprocedure::text
                from pg_catalog.pg_proc as p
                inner join pg_catalog.pg_depend as d on p.oid = d.objid and d.deptype = 'e'
                where d.classid = 'pg_catalog.pg_proc'::regclass
            loop
                execute format('revoke all on routine %s from %I', v_name, v_role);
            end loop;
        exception
            -- the role is another's
            when insufficient_privilege then null;
        end;
        -- apart: where the role stays, its rights here go all the same
        begin
            -- market_owner still owns what the first migration made
            if v_role <> 'market_owner' then
                execute format('drop role %I', v_role);
            end if;
        exception
            -- another database of this cluster still uses the role, or it is another's
            when dependent_objects_still_exist or insufficient_privilege then null;
        end;
    end loop;
end
$$;
