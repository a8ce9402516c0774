create or replace procedure access.lockdown()
language plpgsql
-- security invoker: the extension's objects belong to whoever installed it
set search_path = pg_catalog, pg_temp
as $$
declare
    c_roles constant text := 'market_owner, market_ingest, market_reader, market_operator';
    -- what the planner or a real-time aggregate's view calls in a tenant's name
    c_internal constant text[] := array[
        '_timescaledb_functions.to_timestamp(bigint)',
        '_timescaledb_functions.to_timestamp_without_timezone(bigint)',
        '_timescaledb_functions.to_date(bigint)',
        '_timescaledb_functions.cagg_watermark(integer)'
    ];
    c_public constant text[] := array[
        'time_bucket', 'time_bucket_gapfill', 'first', 'last', 'histogram', 'locf', 'interpolate'
    ];
    v_extension oid;
    v_schema name;
    v_name text;
begin
    select e.oid, n.nspname
    into v_extension, v_schema
    from pg_extension as e
    inner join pg_namespace as n on e.extnamespace = n.oid
    where e.extname = 'timescaledb';
    if not exists (
        select from pg_extension as e
        where e.oid = v_extension and pg_has_role(e.extowner, 'usage')
    ) then
        raise notice 'TimescaleDB''s own functions stay open to every login'
            using hint = 'Call access.lockdown() as the owner of the extension.';
        return;
    end if;

    execute format('revoke all on database %I from public', current_database());
    execute format(
        'grant connect on database %I to market_deploy, market_tenant, market_pool, %s',
        current_database(), c_roles
    );
    -- a batch goes through a temporary table, as do a publish and a backfill
    execute format(
        'grant temporary on database %I to market_owner, market_ingest', current_database()
    );
    revoke all on schema public from public;
    execute format('grant usage on schema public to market_tenant, %s', c_roles);

    for v_name in
        select quote_ident(n.nspname)
        from pg_namespace as n
        where n.nspname ~ '^_?timescaledb_'
    loop
        -- given before it is taken: the audit's own trigger runs in between, as market_owner
        execute format('grant usage on schema %s to %s', v_name, c_roles);
        execute format('grant select on all tables in schema %s to %s', v_name, c_roles);
        execute format('grant execute on all routines in schema %s to %s', v_name, c_roles);
        execute format('revoke all on schema %s from public', v_name);
        execute format('revoke all on all tables in schema %s from public', v_name);
        execute format('revoke all on all sequences in schema %s from public', v_name);
        execute format('revoke all on all routines in schema %s from public', v_name);
    end loop;

    for v_name in
        select p.oid::regprocedure::text
        from pg_proc as p
        inner join pg_depend as d
            on d.classid = 'pg_proc'::regclass and p.oid = d.objid and d.deptype = 'e'
        where d.refobjid = v_extension and p.pronamespace = v_schema::regnamespace
    loop
        execute format('grant execute on routine %s to %s', v_name, c_roles);
        execute format('revoke all on routine %s from public', v_name);
    end loop;
    for v_name in
        select p.oid::regprocedure::text
        from pg_proc as p
        where p.pronamespace = v_schema::regnamespace and p.proname = any(c_public)
    loop
        execute format('grant execute on routine %s to market_tenant', v_name);
    end loop;

    -- a large object has no size limit, and its owner could not be dropped
    for v_name in
        select p.oid::regprocedure::text
        from pg_proc as p
        where
            p.pronamespace = 'pg_catalog'::regnamespace
            and p.proname in ('lo_creat', 'lo_create', 'lo_from_bytea')
            and pg_has_role(p.proowner, 'usage')
    loop
        execute format('revoke all on function %s from public', v_name);
    end loop;

    -- the extension looks these schemas up as the session begins, before a pooled login has set
    --   its role
    grant usage on schema _timescaledb_functions, _timescaledb_catalog, _timescaledb_internal
    to market_tenant, market_pool;
    foreach v_name in array c_internal loop
        if to_regprocedure(v_name) is not null then
            execute format('grant execute on function %s to market_tenant', v_name);
        end if;
    end loop;
end
$$;
revoke all on procedure access.lockdown() from public;
comment on procedure access.lockdown() is -- noqa: LT01
'Takes from PUBLIC what PostgreSQL and TimescaleDB give it (connections, temporary tables, large '
'objects, chunks, the catalogue, jobs) and gives the project''s roles what they need. Call it as '
'the owner of the extension, also after an update of the extension, and in a database that was '
'restored or copied; make migrate does. Once or often makes no difference.';
