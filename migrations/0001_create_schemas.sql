-- depends:
-- purpose: the owning role and the schemas; every other object belongs to this role
-- lock: none worth naming
do $$
begin
    if not exists (select from pg_catalog.pg_roles where rolname = 'market_owner') then
        -- LOGIN because TimescaleDB refuses jobs of an owner without it; limit 0 keeps people out
        create role market_owner login connection limit 0 password null;
    end if;
exception
    -- another database of this cluster was migrated at the same moment
    when duplicate_object or unique_violation then null;
end
$$;

grant market_owner to current_user;

create schema market authorization market_owner;

create schema staging authorization market_owner;

create schema intermediate authorization market_owner;

create schema feature authorization market_owner;
comment on schema market is
'Ticks as they stand now, the versions they replaced, reference data and continuous aggregates. '
'Written by migrations, seeds and ingest.';
comment on schema staging is 'dbt: renamed and cast views over market. Rebuilt by "dbt run".';
comment on schema intermediate is
'dbt: one step between staging and features each. Rebuilt by "dbt run".';
comment on schema feature is 'dbt: features named as the Smart-DB contract names them.';
