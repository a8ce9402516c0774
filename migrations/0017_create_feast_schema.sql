-- depends: 0002_create_roles
-- purpose: a place for the registry of feast_repo; Feast makes the tables when it is applied
-- lock: none
create schema feast authorization market_owner;
comment on schema feast is
'Registry of feast_repo: Feast''s own tables, made and changed by "make feast ARGS=apply".';

-- whoever applies owns the tables and lets the others read them
grant usage, create on schema feast to market_deploy;

grant usage on schema feast to market_reader, market_pool;
