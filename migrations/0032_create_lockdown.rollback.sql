-- loses: nothing; PUBLIC gets back what PostgreSQL and TimescaleDB gave it
do $$
begin
    drop event trigger if exists access_ddl;
end
$$;
drop function access.refuse_ddl();
drop procedure access.lockdown();
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
