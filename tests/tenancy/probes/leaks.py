"""Learning others' rows by side ways: errors, plans, statistics, catalogues."""

from __future__ import annotations

from tests.tenancy.probes.probe import NOTHING, OWN, Probe

LEAKS = [
    Probe(
        "cast_error_view",
        "select from api.trade where case when tenant_id <> 2"
        " then (symbol || price)::integer = 1 else false end",
        NOTHING,
    ),
    Probe(
        "cast_error_table",
        "select from api.watchlist where case when tenant_id <> 2"
        " then symbol::integer = 1 else false end",
        NOTHING,
    ),
    Probe(
        "cast_error_aggregate",
        "select from api.ohlc_1m where case when tenant_id <> 2"
        " then (symbol || open)::integer = 1 else false end",
        NOTHING,
    ),
    Probe(
        "cast_error_newest",
        "select from api.feature_1m where case when tenant_id <> 2"
        " then regime_tag::integer = 1 else false end",
        NOTHING,
    ),
    Probe(
        "division_by_zero_view",
        "select from api.trade where tenant_id <> 2 and 1 / (price::integer - 777) > 1000",
        NOTHING,
    ),
    Probe(
        "division_by_zero_without_tenant",
        "select from api.trade where 1 / (price - 777.25) > 1e300",
        NOTHING,
    ),
    Probe(
        "division_by_zero_prediction",
        "select from api.prediction where 1 / (value - 777.25) > 1e300",
        NOTHING,
    ),
    Probe(
        "overflow_view",
        "select from api.trade where exp(case when tenant_id <> 2 then 100000 else 0 end) = 0",
        NOTHING,
    ),
    Probe(
        "order_by_error",
        "select * from api.trade order by case when tenant_id <> 2 then symbol::integer end",
        OWN,
    ),
    Probe(
        "group_by_error",
        "select 1 / (price - 777.25) as leak from api.trade group by 1 having count(*) < 0",
        NOTHING,
    ),
    Probe(
        "leakproof_operator",
        "select * from api.trade where price = 777.25 or symbol = 'BOTH'",
        NOTHING,
    ),
    Probe(
        "join_error",
        "select from api.trade as t inner join api.prediction as p"
        " on (case when p.tenant_id <> 2 then p.model::integer else 0 end) = t.seq + 100000",
        NOTHING,
    ),
    Probe(
        "query_to_xml",
        "select query_to_xml('select * from market.trade', true, true, '')",
        "42501 0A000",
    ),
    Probe("ts_stat", "select * from ts_stat('select symbol::tsvector from market.trade')"),
    Probe(
        "do_raise_notice",
        "do $$ declare r record; begin for r in select * from api.trade loop"
        " if r.tenant_id <> 2 then raise notice '%', r; end if; end loop; end $$",
        NOTHING,
    ),
    Probe(
        "do_read",
        "do $$ declare r record; begin for r in select * from market.trade loop"
        " raise notice '%', r; end loop; end $$",
    ),
    Probe(
        "do_execute_swallowing",
        "do $$ begin begin execute 'select * from market.trade'; raise notice 'in';"
        " exception when insufficient_privilege then raise; end; end $$",
    ),
    Probe(
        "create_leaky_function",
        "create function public.leak(x numeric) returns boolean language plpgsql cost 1e-9 as"
        " $$ begin raise notice '%', x; return true; end $$",
    ),
    Probe(
        "create_leaky_function_in_api",
        "create function api.leak(x numeric) returns boolean language sql as 'select true'",
    ),
    Probe(
        "create_leakproof_function",
        "create function pg_temp.leak(x numeric) returns boolean language sql leakproof"
        " as 'select true'",
    ),
    Probe(
        "create_temp_function",
        "create function pg_temp.leak(x numeric) returns boolean language sql as 'select true'",
    ),
    Probe("alter_leakproof", "alter function pg_catalog.exp(double precision) leakproof"),
    Probe("explain_other", "explain select * from market.trade"),
    Probe("explain_chunk", "explain analyze select * from <chunk>"),
    Probe(
        "explain_values",
        "explain (analyze, verbose, settings, costs off) select * from api.trade"
        " where price > 777 and price < 778",
        OWN,
    ),
    Probe("generic_plan", "explain (generic_plan) select * from feature.log where symbol = $1"),
    Probe("pg_statistic", "select * from pg_catalog.pg_statistic"),
    Probe(
        "pg_statistic_ext_data",
        "select * from pg_catalog.pg_statistic_ext_data",
    ),
    Probe(
        "pg_stats",
        "select * from pg_stats"
        " where schemaname ~ '^(market|feature|audit|access|api|model|_timescale)'",
        NOTHING,
    ),
    Probe("pg_stats_ext", "select * from pg_stats_ext", NOTHING),
    Probe("pg_stats_ext_exprs", "select * from pg_stats_ext_exprs", NOTHING),
    Probe(
        "others_queries",
        "select query from pg_stat_activity where usename <> '<self>' and pid <> pg_backend_pid()"
        " and query not in ('<insufficient privilege>', '')",
        NOTHING,
    ),
    Probe(
        "others_addresses",
        "select client_addr, backend_xid from pg_stat_activity where usename <> '<self>'"
        " and pid <> pg_backend_pid() and (client_addr is not null or backend_start is not null)",
        NOTHING,
    ),
    Probe(
        "others_backend_activity",
        "select a.a from pg_stat_get_backend_idset() as i,"
        " pg_stat_get_backend_activity(i) as a (a)"
        " where a.a <> '<insufficient privilege>' and pg_stat_get_backend_pid(i)"
        " <> pg_backend_pid()",
        NOTHING,
    ),
    Probe(
        "information_schema_tables",
        "select * from information_schema.tables"
        " where table_schema not in ('api', 'information_schema', 'pg_catalog')",
        NOTHING,
    ),
    Probe(
        "information_schema_columns",
        "select * from information_schema.columns where column_name in ('salt', 'hash')",
        NOTHING,
    ),
    Probe(
        "information_schema_routines",
        "select routine_definition from information_schema.routines"
        " where routine_schema in ('api', 'audit', 'feature', 'market')"
        " and routine_definition is not null",
        NOTHING,
    ),
    Probe("pg_authid", "select rolname, rolpassword from pg_catalog.pg_authid"),
    Probe("pg_shadow", "select * from pg_catalog.pg_shadow"),
    Probe("pg_user_mapping", "select * from pg_catalog.pg_user_mapping"),
    Probe("pg_largeobject", "select * from pg_catalog.pg_largeobject", "42501 nothing"),
    Probe("pg_subscription", "select * from pg_catalog.pg_subscription"),
    Probe("pg_hba", "select * from pg_hba_file_rules"),
    Probe("pg_file_settings", "select * from pg_file_settings"),
    Probe("pg_config", "select * from pg_config"),
    Probe("data_directory", "show data_directory"),
]
