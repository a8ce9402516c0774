-- loses: what the roles were granted besides; if no other database uses them, their members too
-- not "drop owned by", which would also take their right to connect to other databases
do $$
declare
    v_role text;
    v_schema text;
    v_name text;
begin
    foreach v_role in array array[
        'market_deploy', 'market_ingest', 'market_operator', 'market_reader', 'market_tenant',
        'market_pool'
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
            execute format('drop role %I', v_role);
        exception
            -- another database of this cluster still uses the role, or it is another's
            when dependent_objects_still_exist or insufficient_privilege then null;
        end;
    end loop;
end
$$;
