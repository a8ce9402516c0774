"""Making objects."""

from __future__ import annotations

from tests.tenancy.probes.probe import Probe

CREATES = [
    Probe("temp_table", "create temporary table trade (tenant_id integer)"),
    Probe("temp_table_as", "create temporary table t as select * from api.trade"),
    Probe("temp_view", "create temporary view trade as select 1 as tenant_id"),
    Probe("temp_sequence", "create temporary sequence s"),
    Probe("select_into_temp", "select 1 as tenant_id into temporary login"),
    Probe("pg_temp_table", "create table pg_temp.login (login name, tenant_id integer)"),
    Probe("table", "create table public.t (n integer)"),
    Probe("table_in_api", "create table api.t (n integer)"),
    Probe("table_in_internal", "create table _timescaledb_internal.t (n integer)"),
    Probe("table_without_schema", "create table t (n integer)", "42501 3F000"),
    Probe("references", "create table public.t (n integer references api.tenant)"),
    Probe("inherits", "create table public.t () inherits (api.watchlist)"),
    Probe("schema", "create schema thief"),
    Probe("schema_authorization", "create schema authorization <self>"),
    Probe("view", "create view public.v as select * from api.trade"),
    Probe("replace_view", "create or replace view api.trade as select * from market.trade"),
    Probe("materialized_view", "create materialized view public.v as select 1 as n"),
    Probe(
        "replace_own_tenant",
        "create or replace function api.own_tenant() returns integer language sql as 'select 1'",
    ),
    Probe(
        "overload",
        "create function api.visible_tenants(n integer) returns integer[]"
        " language sql as 'select array[1, 3]'",
    ),
    Probe(
        "shadow_operator",
        "create operator public.= (leftarg = integer, rightarg = integer, function = int4eq)",
    ),
    Probe("cast", "create cast (numeric as bytea) without function"),
    Probe("type", "create type public.t as (n integer)"),
    Probe("domain", "create domain public.d as integer"),
    Probe("aggregate", "create aggregate public.a (integer) (sfunc = int4pl, stype = integer)"),
    Probe(
        "trigger",
        "create trigger t after insert on api.watchlist"
        " execute function audit.record_change('role')",
    ),
    Probe(
        "builtin_trigger",
        "create trigger t before update on api.prediction for each row"
        " execute function suppress_redundant_updates_trigger()",
    ),
    Probe("rule", "create rule r as on select to api.watchlist do instead select 1"),
    Probe("policy", "create policy p on api.watchlist using (true)"),
    Probe("drop_policy", "drop policy tenant_own on api.watchlist"),
    Probe("disable_policies", "alter table api.watchlist disable row level security"),
    Probe("no_force", "alter table api.watchlist no force row level security"),
    Probe("owner", "alter table api.watchlist owner to <self>"),
    Probe("no_barrier", "alter view api.trade set (security_barrier = false)"),
    Probe("invoker", "alter view api.trade set (security_invoker = true)"),
    Probe("drop_view", "drop view api.trade"),
    Probe("drop_schema", "drop schema api cascade"),
    Probe("index", "create index on api.watchlist (symbol)"),
    Probe("expression_index", "create index on market.trade ((1 / (price - 777.25)))"),
    Probe(
        "event_trigger",
        "create event trigger e on ddl_command_end execute function audit.record_ddl()",
    ),
    Probe("disable_event_trigger", "alter event trigger audit_ddl disable", "42501 42704"),
    Probe("publication", "create publication p for table api.watchlist"),
    Probe("publication_all", "create publication p for all tables"),
    Probe(
        "subscription",
        "create subscription s connection 'dbname=x' publication p with (connect = false)",
    ),
    Probe("wrapper", "create foreign data wrapper w"),
    Probe("server", "create server s foreign data wrapper w", "42704 42501"),
    Probe("language", "create language l handler plpgsql_call_handler"),
    Probe(
        "c_function",
        "create function public.f() returns integer language c as 'libc.so.6', 'system'",
    ),
    Probe("extension_dblink", "create extension dblink", "42501 0A000 58P01"),
    Probe("extension_trusted", "create extension hstore schema public", "42501 0A000 58P01"),
    Probe("drop_extension", "drop extension timescaledb cascade"),
    Probe("update_extension", "alter extension timescaledb update", "42501 0A000"),
    Probe("dblink", "select dblink('', 'select 1')", "42883"),
    Probe("database", "create database thief"),
    Probe("tablespace", "create tablespace t location '/tmp'"),
    Probe("statistics", "create statistics public.s (mcv) on symbol, tenant_id from market.trade"),
    Probe("access_method", "create access method a type index handler bthandler"),
    Probe("comment_view", "comment on view api.trade is 'x'"),
    Probe("comment_role", "comment on role <victim> is 'x'"),
    Probe("comment_database", "comment on database <database> is 'x'"),
    Probe("security_label", "security label on table api.watchlist is 'x'", "22023 42501"),
    Probe("load", "load '/tmp/thief.so'"),
]
