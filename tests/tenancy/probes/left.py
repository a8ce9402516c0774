"""What stays open to a tenant: see docs/security.md."""

from __future__ import annotations

from tests.tenancy.probes.probe import Probe

LEFT = [
    Probe("row_counts", "explain (analyze, costs off) select * from api.trade where price > 777"),
    Probe("reltuples", "select reltuples from pg_class where oid = <chunk_oid> and reltuples > 0"),
    Probe("sizes", "select pg_relation_size(<chunk_oid>)"),
    Probe("activity", "select n_live_tup from pg_stat_user_tables where relid = <chunk_oid>"),
    Probe("roles", "select rolname from pg_roles where rolname = '<victim>'"),
    Probe("members", "select from pg_auth_members where roleid = 'market_tenant'::regrole"),
    Probe("sessions", "select pid from pg_stat_activity where pid = <pid>", needs_login=True),
    Probe(
        "other_databases",
        "select datname from pg_database where datallowconn"
        " and datname <> current_database() and has_database_privilege(datname, 'connect')",
        needs_login=True,
    ),
    Probe("sources", "select prosrc from pg_proc where proname = 'set_tenant'"),
    Probe("definitions", "select pg_get_viewdef('api.trade'::regclass)"),
    Probe("columns", "select attname from pg_attribute where attrelid = <trade>"),
    Probe("policies", "select * from pg_policies where schemaname = 'api'"),
    Probe(
        "chunk_ranges",
        "select pg_get_constraintdef(oid) from pg_constraint"
        " where conrelid = <chunk_oid> and contype = 'c'",
    ),
    Probe("comments", "select description from pg_description where objoid = <trade>"),
    Probe("rights", "select relacl from pg_class where oid = <trade>"),
    Probe("limits", "select setconfig from pg_db_role_setting"),
    Probe("settings", "select setting from pg_settings where name = 'shared_buffers'"),
    Probe("locks", "select * from pg_locks"),
    Probe("databases", "select datname from pg_database where datname = 'template1'"),
    Probe("transactions", "select pg_current_xact_id()"),
    Probe("limits_of_its_session", "set statement_timeout = 0; set work_mem = '1GB'; select 1"),
    Probe("advisory_lock", "select pg_try_advisory_lock(1)"),
    Probe("notify", "listen everybody; select pg_notify('everybody', 'x')"),
    Probe("lock_of_a_table", "begin; lock table api.watchlist in access exclusive mode; select 1"),
    Probe("own_defaults", "begin; alter role <self> set work_mem = '1GB'; select 1"),
    Probe("own_password", "begin; alter role <self> password 'x'; select 1"),
]
