-- depends: 0001_create_schemas
-- purpose: what people and programs may do, a role each; their logins are granted one of them
-- lock: none
do $$
declare
    v_role text;
begin
    foreach v_role in array array[
        'market_deploy', 'market_ingest', 'market_reader', 'market_operator', 'market_tenant',
        'market_pool'
    ] loop
        begin
            if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
                execute format(
                    'create role %I nologin %s',
                    v_role,
                    -- it makes the tenants' logins
                    case v_role when 'market_deploy' then 'createrole' end
                );
            end if;
        exception
            -- another database of this cluster was migrated at the same moment
            when duplicate_object or unique_violation then null;
        end;
    end loop;
    -- roles are the cluster's: of a second database, whoever migrates need not be their admin
    if not pg_catalog.pg_has_role('market_deploy', 'market_owner', 'member') then
        grant market_owner to market_deploy;
    end if;
    if not pg_catalog.pg_has_role('market_deploy', 'market_tenant', 'member with admin option') then
        grant market_tenant to market_deploy with admin option;
    end if;
    if not pg_catalog.pg_has_role('market_operator', 'market_reader', 'member') then
        grant market_reader to market_operator;
    end if;
end
$$;

grant usage on schema public to market_reader;
set local role market_owner;

grant usage on schema market to market_ingest, market_reader;

grant usage on schema feature, staging, intermediate to market_reader;

-- of every table, aggregate and view that later migrations make there
alter default privileges in schema market, feature grant select on tables to market_reader;
