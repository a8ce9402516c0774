"""What a hostile tenant tries, each as one statement, and what must come of it.

The attacker is tenant 2, which is entitled to nothing but its own. What must not reach it carries
a mark: SECRET_PRICE in numbers, SECRET_WORD in texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psycopg

from tests.tenancy.conftest import World

ATTACKER, VICTIM = 2, 1
SECRET_PRICE, SECRET_WORD = "777.25", "secretive"
DENIED = "42501"
NOTHING, OWN = "nothing", "own"

HIDE = f"""
    select alter_job(job_id, scheduled => false) from timescaledb_information.jobs;
    insert into market.trade (tenant_id, symbol, ts, seq, price, size, side, known_at)
    values (1, 'OWN', '2024-01-01 01:00:07+00', 9001, {SECRET_PRICE}, 1, 'buy',
        '2024-01-01 01:00:07+00');
    insert into feature.log (
        tenant_id, symbol, bucket, known_at, open, high, low, close, volume, regime_tag, cause
    )
    select 1, 'OWN', '2024-01-01 01:00+00', '2024-01-02 01:00+00', p, p, p, p, 1,
        '{SECRET_WORD}', 'late'
    from (values ({SECRET_PRICE}::double precision)) as s (p);
    insert into api.watchlist values (1, '{SECRET_WORD}');
    insert into api.watchlist values (2, 'OWN');
    insert into api.prediction (tenant_id, model, symbol, as_of, value)
    values (1, '{SECRET_WORD}', 'OWN', '2024-01-01 00:00+00', {SECRET_PRICE}),
        (2, 'mine', 'OWN', '2024-01-01 00:00+00', 1);
    insert into api.access_log (tenant_id, login, statement)
    select tenant_id, login, case tenant_id when 1 then '{SECRET_WORD}' else 'mine' end
    from access.login;
    insert into api.api_key (tenant_id, login, description, salt, hash)
    select tenant_id, login, case tenant_id when 1 then '{SECRET_WORD}' else 'mine' end,
        uuid_send(gen_random_uuid()), sha256('{SECRET_WORD}')
    from access.login;
    update access.dataset set description = '{SECRET_WORD}';
    call access.set_tenant(1, p_name => '{SECRET_WORD}');
    create statistics market.secret (mcv) on symbol, tenant_id, side from market.trade;
    analyze market.trade, feature.log, api.watchlist, api.prediction, api.api_key;
"""
# so that a chunk, a compressed chunk and a materialized one hold the mark
SETTLE = (
    "call refresh_continuous_aggregate('market.ohlc_1m', null, null)",
    "select compress_chunk(c, true) from show_chunks('feature.log') as c",
)

NAMES = """
    select
        'market.trade'::regclass::oid as trade,
        'feature.log'::regclass::oid as log,
        'market.ohlc_1m'::regclass::oid as ohlc,
        (select c from show_chunks('market.trade') as c limit 1)::text as chunk,
        (select c from show_chunks('market.trade') as c limit 1)::oid as chunk_oid,
        (select c from show_chunks('feature.log') as c limit 1)::oid as log_chunk_oid,
        (
            select c.oid::regclass from pg_class as c
            where c.relname ~ '(_chunk_compressed|^compress_hyper_.*_chunk)$' and c.relkind = 'r'
            order by 1 limit 1
        )::text as compressed,
        a.materialization_hypertable_schema || '.' || a.materialization_hypertable_name
            as materialized,
        d.partial_view_schema || '.' || d.partial_view_name as partial,
        d.direct_view_schema || '.' || d.direct_view_name as direct,
        d.mat_hypertable_id as mat,
        (select max(job_id) from timescaledb_information.jobs) as job,
        (select key_id from api.api_key where tenant_id = 1) as key,
        current_database() as database
    from timescaledb_information.continuous_aggregates as a
    inner join _timescaledb_catalog.continuous_agg as d on a.view_name = d.user_view_name
    where a.view_name = 'ohlc_1m'
"""

# every table that holds something of a tenant or says who may what
WATCHED = (
    *("market.trade", "market.quote", "market.instrument", "market.tenant", "market.ohlc_1m"),
    *("feature.log", "feature.series", "feature.clock", "access.dataset", "access.login"),
    *("api.tenant", "api.entitlement", "api.watchlist", "api.prediction", "api.api_key"),
    *("api.access_log", "audit.event", "audit.head"),
    *("_timescaledb_catalog.hypertable", "_timescaledb_catalog.chunk"),
    *("pg_policy", "pg_default_acl", "pg_largeobject_metadata", "pg_event_trigger"),
    "pg_publication",
)
WATCHED_QUERIES = {
    # its count of GRANTs grows with those that do nothing
    "last_recorded": "select relation, kind, key_columns, content from audit.last_recorded",
    "jobs": "select job_id, proc_name, scheduled, config, hypertable_name"
    " from timescaledb_information.jobs",
    # only this world's: other databases of the server have tenants too
    "roles": "select * from pg_roles where rolname in (select login from access.login)"
    " or rolname = 'thief'",
    "role_settings": "select s.* from pg_db_role_setting as s inner join pg_roles as r"
    " on s.setrole = r.oid inner join access.login as l on r.rolname = l.login",
    "two_phase": "select * from pg_prepared_xacts where database = current_database()",
    "members": "select m.* from pg_auth_members as m inner join pg_roles as r"
    " on r.oid in (m.roleid, m.member) where r.rolname in (select login from access.login)",
    # without what changes with statistics, and with a GRANT that does nothing
    "relations": "select oid, relname, relkind, relacl, relowner, relrowsecurity,"
    " relforcerowsecurity, reloptions from pg_class",
    "routines": "select oid, hashtext(prosrc), proacl, proowner, proconfig, proleakproof"
    " from pg_proc",
    "descriptions": "select objoid, xmin from pg_description",
    "schemas": "select nspname, nspacl, nspowner from pg_namespace"
    " where nspname !~ '^pg_(toast_)?temp_'",
    "database": "select datdba, a.* from pg_database as d cross join aclexplode(datacl) as a"
    " where datname = current_database() and (a.grantee = 0 or a.grantee in"
    " (select r.oid from pg_roles as r inner join access.login as l on r.rolname = l.login))",
    "triggers": "select tgrelid, tgname, tgenabled from pg_trigger",
}


class Probe(NamedTuple):
    """One statement.

    outcome: what it may end with: SQLSTATEs, NOTHING (done, to no effect), or OWN (it answers, with
    the asker's own). needs_login: SET ROLE of a superuser cannot show it.
    """

    name: str
    statement: str
    outcome: str = DENIED
    needs_login: bool = False


@dataclass
class Answer:
    """What came back: state NULL for success; text: all that was shown, errors and notices too."""

    state: str | None = None
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    tenants: set[Any] = field(default_factory=set)
    affected: int = 0
    text: str = ""

    @property
    def holds_secret(self) -> bool:
        return SECRET_PRICE in self.text or SECRET_WORD in self.text.lower()

    @property
    def brief(self) -> str:
        if self.state:
            return f"{self.state} {self.text.splitlines()[0]}"
        return f"{len(self.rows)} rows, {self.affected} affected: {self.text[:80]!r}"


@contextmanager
def attacker(world: World, direct: bool, tenant: int = ATTACKER) -> Iterator[Any]:
    """A session of the hostile tenant: by its own login, else by SET ROLE."""
    login = world.logins[tenant]
    if direct:
        url = psycopg.conninfo.make_conninfo(world.url, user=login)
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection
    else:
        with world.act_as(login) as connection:
            yield connection


def hide_secrets(world: World) -> None:
    """Put the marks where the attacker must not see them."""
    with psycopg.connect(world.url, autocommit=True) as connection:
        connection.execute(HIDE)  # type: ignore[arg-type]
        for statement in SETTLE:
            connection.execute(statement)


def names(world: World) -> dict[str, str]:
    """What stands for the <words> in the statements."""
    with psycopg.connect(world.url, row_factory=psycopg.rows.dict_row) as connection:
        found = connection.execute(NAMES).fetchone()
    assert found is not None
    assert all(found.values()), found
    return {
        **{name: str(value) for name, value in found.items()},
        "self": world.logins[ATTACKER],
        "victim": world.logins[VICTIM],
    }


def fill_in(statement: str, known: dict[str, str]) -> str:
    """The statement with its <words> replaced."""
    for name, value in known.items():
        statement = statement.replace(f"<{name}>", value)
    return statement


def attempt(connection: psycopg.Connection[Any], statement: str) -> Answer:
    """Run it, take in everything that it shows, and roll back what it has left open."""
    answer = Answer()
    shown: list[str] = []
    connection.add_notice_handler(
        lambda said: shown.append(f"{said.message_primary} {said.message_detail}")
    )
    cursor = connection.cursor()
    try:
        if statement.startswith("copy") and statement.endswith(("to stdout", "from stdin")):
            with cursor.copy(statement) as copy:  # type: ignore[arg-type]
                if statement.endswith("to stdout"):
                    lines = [bytes(line).decode() for line in copy]
                    answer.rows = [(line,) for line in lines]
                    shown += lines
        else:
            cursor.execute(statement)  # type: ignore[arg-type]
            while True:
                if cursor.description is not None:
                    rows = cursor.fetchall()
                    answer.rows += rows
                    shown += [str(row) for row in rows]
                    if cursor.description and cursor.description[0].name == "tenant_id":
                        answer.tenants |= {row[0] for row in rows}
                elif cursor.rowcount > 0:
                    answer.affected += cursor.rowcount
                if not cursor.nextset():
                    break
    except psycopg.Error as error:
        answer.state = error.sqlstate or "without SQLSTATE"
        said = error.diag
        shown += [str(error), *(str(s) for s in (said.message_detail, said.message_hint))]
    connection.rollback()
    answer.text = "\n".join(shown)
    return answer


def objection(probe: Probe, answer: Answer) -> str | None:
    """What is wrong with the answer; None: it is as it must be."""
    if answer.holds_secret:
        return f"shows another tenant's: {answer.brief}"
    allowed = probe.outcome.split()
    if answer.state:
        return (
            None if answer.state in allowed else f"fails with other than {allowed}: {answer.brief}"
        )
    if OWN in allowed:
        own = answer.rows and not answer.tenants - {ATTACKER}
        return None if own else f"shows not just the asker's: {answer.tenants} {answer.brief}"
    if NOTHING in allowed and not answer.rows and not answer.affected:
        return None
    return f"is allowed: {answer.brief}"


def fingerprint(url: str) -> dict[str, tuple[Any, ...]]:
    """Count and hash of everything that no probe may change."""
    queries = {name: f"select * from {name}" for name in WATCHED} | WATCHED_QUERIES
    with psycopg.connect(url) as connection:
        return {
            name: connection.execute(
                "select count(*), md5(coalesce(string_agg(r::text, '|' order by r::text), ''))"
                f" from ({query}) as r"  # type: ignore[arg-type]
            ).fetchone()
            or ()
            for name, query in queries.items()
        }


def difference(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Names of what differs."""
    return sorted(name for name in before if before[name] != after[name])


READS = [
    Probe("chunk", "select * from <chunk>"),
    Probe("chunk_count", "select count(*) from <chunk>"),
    Probe("materialized", "select * from <materialized>"),
    Probe("partial_view", "select * from <partial>"),
    Probe("direct_view", "select * from <direct>"),
    Probe("compressed", "select * from <compressed>"),
    Probe("hypertable", "select * from market.trade"),
    Probe("bars", "select * from market.ohlc_1m"),
    Probe("feature_log", "select * from feature.log"),
    Probe("feature_series", "select * from feature.series"),
    Probe("market_tenant", "select * from market.tenant"),
    Probe("dead_letter", "select * from market.dead_letter"),
    Probe("audit_event", "select * from audit.event"),
    Probe("audit_head", "select * from audit.published_head"),
    Probe("audit_verify", "select * from audit.verify()"),
    Probe("access_login", "select * from access.login"),
    Probe("access_dataset", "select * from access.dataset"),
    Probe("yoyo", "select * from public._yoyo_migration"),
    Probe("other_pit", "select * from public.feature_pit_snapshot(array['OWN'], now(), null, 1)"),
    Probe("other_pit_hash", "select * from public.feature_pit_hash(array['OWN'], now(), null, 1)"),
    Probe(
        "api_pit_other_tenant",
        "select * from api.feature_pit_snapshot(array['OWN'], now(), p_tenant_id => 1)",
    ),
    Probe(
        "api_pit_unknown_tenant",
        "select * from api.feature_pit_snapshot(array['OWN'], now(), p_tenant_id => 999)",
    ),
    Probe(
        "api_pit_nobody",
        "select * from api.feature_pit_snapshot(array['OWN'], now(), p_tenant_id => 0)",
    ),
    Probe(
        "api_pit_of_a_feed_it_has_not",
        "select bucket from api.feature_pit_snapshot(array['FEED'],"
        " timestamptz '2024-01-01 01:00+00') where bucket is not null",
        NOTHING,
    ),
    Probe("all_series_of_everybody", "select * from public.feature_pit_snapshot_all()"),
    Probe(
        "all_series_of_others",
        "select tenant_id, symbol from api.feature_pit_snapshot_all() where tenant_id <> 2",
        NOTHING,
    ),
    Probe("feast_registry", "create table feast.mine (n integer)"),
    Probe("latest_trade_of_a_feed", "select * from api.latest_trade(array['FEED'])", NOTHING),
    Probe("latest_quote_of_a_feed", "select * from api.latest_quote(array['FEED'])", NOTHING),
    Probe(
        "tape_of_others",
        "select * from api.trade_tape('2000-01-01', 1000000) where tenant_id <> 2",
        NOTHING,
    ),
    Probe(
        "tape_of_others_quotes",
        "select * from api.quote_tape('2000-01-01', 1000000) where tenant_id <> 2",
        NOTHING,
    ),
    Probe("own_trades", "select * from api.trade", OWN),
    Probe("own_tape", "select * from api.trade_tape('2000-01-01', 1000000)", OWN),
    Probe("own_tape_of_quotes", "select * from api.quote_tape('2000-01-01', 1000000)", OWN),
    Probe("own_latest_trade", "select * from api.latest_trade(array['OWN'])", OWN),
    Probe("own_latest_quote", "select * from api.latest_quote(array['OWN'])", OWN),
    Probe(
        "own_series", "select tenant_id, symbol, is_stale from api.feature_pit_snapshot_all()", OWN
    ),
    Probe("own_bars", "select * from api.ohlc_1m", OWN),
    Probe("own_features", "select * from api.feature_version", OWN),
    Probe("own_newest_features", "select * from api.feature_1m", OWN),
    Probe("own_predictions", "select * from api.prediction", OWN),
    Probe("own_access_log", "select tenant_id, * from api.access_log", OWN),
    Probe("own_tenant", "select * from api.tenant", OWN),
    Probe("own_watchlist", "select * from api.watchlist", OWN),
    Probe("others_trades", "select * from api.trade where tenant_id <> 2", NOTHING),
    Probe("others_or_true", "select * from api.trade where tenant_id = 1 or true", OWN),
    Probe(
        "others_correlated",
        "select * from api.watchlist as w where exists"
        " (select from api.trade as t where t.tenant_id <> w.tenant_id)",
        NOTHING,
    ),
    Probe("key_hash", "select hash from api.api_key"),
    Probe("key_salt", "select salt from api.api_key"),
    Probe("key_row", "select k from api.api_key as k"),
    Probe("key_json", "select to_jsonb(k) from api.api_key as k"),
    Probe("key_where", "select key_id from api.api_key where hash is not null"),
    Probe("key_order", "select key_id from api.api_key order by hash"),
    Probe("key_ids", "select tenant_id, key_id, description from api.api_key", OWN),
    Probe("key_login", "select api.login_of_api_key('x')"),
]

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
        "select * from pg_stats where schemaname ~ '^(market|feature|audit|access|api|_timescale)'",
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

TIMESCALE = [
    Probe("catalog_hypertable", "select * from _timescaledb_catalog.hypertable"),
    Probe("catalog_chunk", "select * from _timescaledb_catalog.chunk"),
    Probe("catalog_job", "select * from _timescaledb_catalog.bgw_job", "42501 42P01"),
    Probe("catalog_sequence", "select last_value from _timescaledb_catalog.chunk_id_seq"),
    Probe("catalog_ranges", "select * from _timescaledb_catalog.dimension_slice"),
    Probe("job_stat", "select * from _timescaledb_internal.bgw_job_stat"),
    Probe("chunk_sizes", "select * from _timescaledb_internal.hypertable_chunk_local_size"),
    Probe("information_hypertables", "select * from timescaledb_information.hypertables"),
    Probe("information_chunks", "select * from timescaledb_information.chunks"),
    Probe("information_jobs", "select * from timescaledb_information.jobs"),
    Probe("information_job_errors", "select * from timescaledb_information.job_errors"),
    Probe("information_caggs", "select * from timescaledb_information.continuous_aggregates"),
    Probe("experimental", "select * from timescaledb_experimental.policies"),
    Probe("add_job", "select add_job('pg_catalog.pg_sleep'::regproc, interval '1 hour')"),
    Probe("alter_job", "select alter_job(<job>, scheduled => true)"),
    Probe("run_job", "call run_job(<job>)"),
    Probe("delete_job", "select delete_job(<job>)"),
    Probe("show_chunks", "select show_chunks(<trade>::regclass)"),
    Probe("drop_chunks", "select drop_chunks(<trade>::regclass, now())"),
    Probe("drop_chunk", "select _timescaledb_functions.drop_chunk(<chunk_oid>::regclass)"),
    Probe("freeze_chunk", "select _timescaledb_functions.freeze_chunk(<chunk_oid>::regclass)"),
    Probe(
        "chunk_status", "select * from _timescaledb_functions.chunk_status(<chunk_oid>::regclass)"
    ),
    Probe(
        "create_chunk",
        "select _timescaledb_functions.create_chunk(<trade>::regclass, '{}', null, null)",
    ),
    Probe("detach_chunk", "call detach_chunk(<chunk_oid>::regclass)"),
    Probe(
        "move_chunk",
        "select move_chunk(<chunk_oid>::regclass, 'pg_default', 'pg_default')",
    ),
    Probe("reorder_chunk", "select reorder_chunk(<chunk_oid>::regclass)"),
    Probe("compress_chunk", "select compress_chunk(<chunk_oid>::regclass)"),
    Probe("decompress_chunk", "select decompress_chunk(<log_chunk_oid>::regclass)"),
    Probe("to_columnstore", "call convert_to_columnstore(<chunk_oid>::regclass)"),
    Probe("to_rowstore", "call convert_to_rowstore(<log_chunk_oid>::regclass)"),
    Probe("recompress_chunk", "call recompress_chunk(<log_chunk_oid>::regclass)"),
    Probe("split_chunk", "call split_chunk(<chunk_oid>::regclass)"),
    Probe("relation_size", "select * from _timescaledb_functions.relation_size(<trade>::regclass)"),
    Probe(
        "refresh",
        "call refresh_continuous_aggregate(<ohlc>::regclass, null, null)",
    ),
    Probe("hypertable_size", "select hypertable_size(<trade>::regclass)"),
    Probe("approximate_row_count", "select approximate_row_count(<trade>::regclass)"),
    Probe("detailed_size", "select * from chunks_detailed_size(<trade>::regclass)"),
    Probe("columnstore_stats", "select * from chunk_columnstore_stats(<log>::regclass)"),
    Probe("set_interval", "select set_chunk_time_interval(<trade>::regclass, interval '1 s')"),
    Probe("retention_policy", "select add_retention_policy(<trade>::regclass, interval '1 s')"),
    Probe("remove_policy", "select remove_retention_policy(<trade>::regclass)"),
    Probe("remove_columnstore_policy", "call remove_columnstore_policy(<log>::regclass)"),
    Probe("chunk_skipping", "select disable_chunk_skipping(<trade>::regclass, 'seq')"),
    Probe("attach_tablespace", "select attach_tablespace('pg_default', <trade>::regclass)"),
    Probe("create_hypertable", "select create_hypertable(<trade>::regclass, by_range('ts'))"),
    Probe("pre_restore", "select timescaledb_pre_restore()"),
    Probe("post_restore", "select timescaledb_post_restore()"),
    Probe("telemetry", "select get_telemetry_report()", "42501 42883"),
    Probe("stop_workers", "select _timescaledb_functions.stop_background_workers()"),
    Probe("materialized_until", "select _timescaledb_functions.cagg_watermark_materialized(<mat>)"),
    Probe("compressed_data", "select * from _timescaledb_functions.compressed_data_info(null)"),
    Probe("watermark", "select _timescaledb_functions.cagg_watermark(<mat>)"),
    Probe("license", "set timescaledb.license = 'apache'"),
    Probe("restoring", "set timescaledb.restoring = on"),
    Probe("direct_chunk_insert", "insert into <chunk> default values"),
    Probe("direct_chunk_delete", "delete from <chunk>"),
    Probe("direct_materialized_delete", "delete from <materialized>"),
]

WRITES = [
    Probe("insert_trade", "insert into market.trade default values"),
    Probe("insert_view", "insert into api.trade (tenant_id, symbol) values (1, 'OWN')"),
    Probe("update_view", "update api.trade set price = 0"),
    Probe("delete_view", "delete from api.trade"),
    Probe("delete_aggregate_view", "delete from api.ohlc_1m", "42501 55000"),
    Probe("delete_newest_view", "delete from api.feature_1m", "42501 55000"),
    Probe(
        "merge_view",
        "merge into api.trade as t using (values (1)) as v (n) on t.tenant_id = v.n"
        " when matched then delete",
        "42501 0A000",
    ),
    Probe("lock_rows_of_view", "select * from api.trade for update"),
    Probe("lock_rows_of_table", "select * from api.watchlist for key share"),
    Probe("delete_others_watchlist", "delete from api.watchlist where tenant_id = 1", NOTHING),
    Probe(
        "delete_returning_others",
        "delete from api.watchlist as w using api.watchlist as o where w.tenant_id = 1"
        " and o.tenant_id = 1 returning o.*",
        NOTHING,
    ),
    Probe("update_watchlist", "update api.watchlist set tenant_id = 1"),
    Probe("truncate_watchlist", "truncate api.watchlist"),
    Probe("insert_others_watchlist", "insert into api.watchlist values (1, 'NOT_THERE')"),
    Probe(
        "upsert_others_watchlist",
        "insert into api.watchlist values (1, 'NOT_THERE') on conflict do nothing",
    ),
    Probe(
        "upsert_update_watchlist",
        "insert into api.watchlist (symbol) values ('OWN') on conflict (tenant_id, symbol)"
        " do update set tenant_id = 1",
    ),
    Probe(
        "merge_watchlist",
        "merge into api.watchlist as w using (values (1, 'X')) as v (t, s) on w.tenant_id = v.t"
        " when not matched then insert values (v.t, v.s)",
    ),
    Probe(
        "copy_into_watchlist",
        "copy api.watchlist (tenant_id, symbol) from stdin",
        "0A000 42501",
    ),
    Probe(
        "insert_others_prediction",
        "insert into api.prediction (tenant_id, model, symbol, as_of, value)"
        " values (1, 'm', 'OWN', now(), 1)",
    ),
    Probe(
        "backdate_prediction",
        "insert into api.prediction (model, symbol, as_of, predicted_at, value)"
        " values ('m', 'OWN', now(), '2024-01-01', 1)",
    ),
    Probe("delete_prediction", "delete from api.prediction"),
    Probe("update_prediction", "update api.prediction set value = 0"),
    Probe(
        "forge_access_log", "insert into api.access_log (tenant_id, statement) values (1, 'forged')"
    ),
    Probe(
        "forge_access_login",
        "insert into api.access_log (login, statement) values ('<victim>', 'forged')",
    ),
    Probe("delete_access_log", "delete from api.access_log"),
    Probe(
        "insert_key",
        "insert into api.api_key (tenant_id, login, description, salt, hash)"
        " select 1, '<victim>', '', uuid_send(gen_random_uuid()), sha256('')",
    ),
    Probe("update_key", "update api.api_key set revoked_at = null"),
    Probe("revoke_others_key", "select api.revoke_api_key('<key>')", "P0002"),
    Probe("key_without_description", "select api.create_api_key(null)", "23502"),
    Probe("entitle_itself", "insert into api.entitlement (tenant_id, dataset) values (2, 'feed')"),
    Probe("rename_tenant", "update api.tenant set name = 'x'"),
    Probe("change_login", "update access.login set tenant_id = 1"),
    Probe("set_tenant", "call access.set_tenant(2, p_datasets => array['feed'])"),
    Probe("remove_tenant", "call access.remove_tenant(1)"),
    Probe("drop_login", "call access.drop_login('<victim>')"),
    Probe("set_login", "call access.set_login('<victim>', false)"),
    Probe("lockdown", "call access.lockdown()"),
    Probe("audit_record", "select audit.record('ddl', 'forged', 'x')"),
    Probe("audit_insert", "insert into audit.event default values"),
    Probe("audit_delete", "delete from audit.event"),
    Probe("publish", "call feature.publish(now(), 1)"),
    Probe("apply_ticks", "select market.apply_trades()"),
    Probe("kafka_offset", "update market.kafka_offset set next_offset = 0"),
]

ROLES = [
    Probe("set_role_victim", "set role <victim>", needs_login=True),
    Probe("set_local_role", "begin; set local role <victim>", needs_login=True),
    Probe("set_role_owner", "set role market_owner", needs_login=True),
    Probe("set_role_pool", "set role market_pool", needs_login=True),
    Probe("set_role_reader", "set role market_reader", needs_login=True),
    Probe("set_role_postgres", "set role postgres", needs_login=True),
    Probe("set_authorization", "set session authorization '<victim>'", needs_login=True),
    Probe("set_config_role", "select set_config('role', '<victim>', false)", needs_login=True),
    Probe(
        "set_config_authorization",
        "select set_config('session_authorization', '<victim>', true)",
        needs_login=True,
    ),
    Probe(
        "role_none",
        "set role none; reset role; reset session authorization;"
        " select api.own_tenant() as tenant_id",
        OWN,
        needs_login=True,
    ),
    Probe(
        "role_of_group",
        "set role market_tenant; select tenant_id from api.trade",
        NOTHING,
        needs_login=True,
    ),
    Probe(
        "discard_all",
        "discard all",
        NOTHING,
        needs_login=True,
    ),
    Probe(
        "update_pg_settings", "update pg_settings set setting = 'none' where name = 'log_statement'"
    ),
    Probe("do_set_role", "do $$ begin set local role <victim>; end $$", needs_login=True),
    Probe("replication_role", "set session_replication_role = replica"),
    Probe("row_security_off", "set row_security = off; select * from api.watchlist"),
    Probe("row_security_off_view", "set row_security = off; select * from api.trade"),
    Probe("log_statement", "set log_statement = 'none'"),
    Probe("log_level", "set log_min_error_statement = 'panic'"),
    Probe("log_duration", "set log_min_duration_statement = 0"),
    Probe("track_activities", "set track_activities = off"),
    Probe("temp_file_limit", "set temp_file_limit = -1"),
    Probe("allow_system_table_mods", "set allow_system_table_mods = on"),
    Probe("ignore_checksum", "set ignore_checksum_failure = on"),
    Probe("library_path", "set dynamic_library_path = '/tmp'"),
    Probe("reset_limits", "alter role <self> in database <database> reset log_statement"),
    Probe("own_log_statement", "alter role <self> set log_statement = 'none'"),
    Probe("own_connections", "alter role <self> connection limit -1"),
    Probe("own_superuser", "alter role <self> superuser"),
    Probe("own_createrole", "alter role <self> createrole"),
    Probe("own_bypassrls", "alter role <self> bypassrls"),
    Probe("own_replication", "alter role <self> replication"),
    Probe("own_name", "alter role <self> rename to thief", "0A000 42501"),
    Probe("others_password", "alter role <victim> password 'x'"),
    Probe("others_settings", "alter role <victim> set role = '<self>'"),
    Probe("all_settings", "alter role all set search_path = 'x'"),
    Probe("create_role", "create role thief in role market_owner"),
    Probe("drop_role", "drop role <victim>"),
    Probe("grant_role", "grant <victim> to <self>"),
    Probe("grant_tenant", "grant market_tenant to <victim>"),
    Probe("grant_owner", "grant market_owner to <self>"),
    Probe("grant_reader", "grant market_reader to <self>"),
    Probe("reassign", "reassign owned by <victim> to <self>"),
    Probe("drop_owned", "drop owned by <victim>"),
    Probe("grant_own_view", "grant select on api.trade to public"),
    Probe("grant_table", "grant select on market.trade to <self>"),
    Probe("grant_schema", "grant usage on schema market to <self>"),
    Probe("grant_function", "grant execute on function api.own_tenant() to public"),
    Probe("grant_database", "grant temporary on database <database> to <self>", NOTHING),
    Probe(
        "default_privileges",
        "alter default privileges for role market_owner grant select on tables to <self>",
    ),
    Probe("alter_system", "alter system set log_statement = 'none'"),
    Probe("alter_database", "alter database <database> set row_security = off"),
    Probe("own_default_privileges", "alter default privileges grant select on tables to public"),
    Probe("event_triggers", "set event_triggers = off"),
    Probe(
        "default_privileges_in_api",
        "alter default privileges in schema api grant select on tables to public",
    ),
    Probe("parameter", "grant set on parameter log_statement to <self>"),
]

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

SERVER = [
    Probe("copy_table", "copy market.trade to stdout"),
    Probe("copy_query", "copy (select * from feature.log) to stdout"),
    Probe("copy_chunk", "copy <chunk> to stdout"),
    Probe("copy_view", "copy (select symbol, price from api.trade) to stdout", OWN),
    Probe("copy_watchlist", "copy api.watchlist to stdout", OWN),
    Probe("copy_keys", "copy api.api_key to stdout"),
    Probe("copy_to_file", "copy (select 1) to '/tmp/thief'"),
    Probe("copy_to_program", "copy (select 1) to program 'cat'"),
    Probe("copy_from_file", "copy api.watchlist (symbol) from '/etc/passwd'"),
    Probe("copy_from_program", "copy api.watchlist (symbol) from program 'id'"),
    Probe("copy_from_trade", "copy market.trade from stdin"),
    Probe("copy_freeze_chunk", "copy <chunk> from stdin"),
    Probe("lo_import", "select lo_import('/etc/passwd')"),
    Probe("lo_export", "select lo_export(1, '/tmp/thief')"),
    Probe("lo_create", "select lo_create(0)"),
    Probe("lo_creat", "select lo_creat(-1)"),
    Probe("lo_from_bytea", "select lo_from_bytea(0, 'x')"),
    Probe("read_file", "select pg_read_file('PG_VERSION')"),
    Probe("read_binary_file", "select pg_read_binary_file('PG_VERSION')"),
    Probe("stat_file", "select * from pg_stat_file('PG_VERSION')"),
    Probe("list_directory", "select pg_ls_dir('.')"),
    Probe("list_wal", "select * from pg_ls_waldir()"),
    Probe("list_log", "select * from pg_ls_logdir()"),
    Probe("list_temporary", "select * from pg_ls_tmpdir()"),
    Probe("current_log", "select pg_current_logfile()"),
    Probe("terminate", "select pg_terminate_backend(<pid>)", needs_login=True),
    Probe("cancel", "select pg_cancel_backend(<pid>)", needs_login=True),
    Probe("memory_contexts", "select * from pg_get_backend_memory_contexts()"),
    Probe("log_memory", "select pg_log_backend_memory_contexts(<pid>)"),
    Probe("reload", "select pg_reload_conf()"),
    Probe("rotate", "select pg_rotate_logfile()"),
    Probe("switch_wal", "select pg_switch_wal()"),
    Probe("restore_point", "select pg_create_restore_point('x')"),
    Probe("backup", "select pg_backup_start('x')"),
    Probe("promote", "select pg_promote()"),
    Probe("checkpoint", "checkpoint"),
    Probe("physical_slot", "select pg_create_physical_replication_slot('thief')"),
    Probe("logical_slot", "select pg_create_logical_replication_slot('thief', 'pgoutput')"),
    Probe("slot_changes", "select pg_logical_slot_get_changes('x', null, null)"),
    Probe("replication_origin", "select pg_replication_origin_create('x')"),
    Probe("reset_statistics", "select pg_stat_reset()"),
    Probe("reset_shared_statistics", "select pg_stat_reset_shared('wal')"),
    Probe(
        "two_phase",
        "begin; select 1 as tenant_id where false; prepare transaction 'thief'",
        "55000",
    ),
    Probe("holdable_cursor", "declare c cursor with hold for select * from market.trade"),
    Probe("prepared_statement", "prepare p as select * from feature.log; execute p"),
    Probe("lock_view", "begin; lock table api.trade in access exclusive mode"),
    Probe("lock_hypertable", "begin; lock table market.trade"),
    Probe("lock_tenant", "begin; lock table api.tenant in share mode"),
    Probe("vacuum", "vacuum market.trade"),
    Probe("vacuum_table", "vacuum full api.watchlist", NOTHING),
    Probe("analyze", "analyze feature.log"),
    Probe("analyze_table", "analyze api.watchlist", NOTHING),
    Probe("reindex", "reindex table api.watchlist"),
    Probe("reindex_schema", "reindex schema market"),
    Probe("reindex_database", "reindex database <database>"),
    Probe("cluster", "cluster api.watchlist using watchlist_pkey"),
    Probe("refresh_view", "refresh materialized view <materialized>"),
    Probe("export_of_function", "select pg_get_functiondef('audit.record'::regproc)"),
    Probe("import_schema", "import foreign schema x from server y into public", "42704 42501"),
    Probe("catalog_update", "update pg_catalog.pg_class set relacl = null"),
    Probe("catalog_policy", "delete from pg_catalog.pg_policy"),
    Probe("catalog_members", "insert into pg_catalog.pg_auth_members default values"),
    Probe("sequence", "select nextval('_timescaledb_catalog.chunk_id_seq')"),
    Probe("sequences", "select * from pg_sequences where last_value is not null", NOTHING),
]

# what stays open to a tenant: see docs/security.md
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

PROBES = [*READS, *LEAKS, *TIMESCALE, *WRITES, *ROLES, *CREATES, *SERVER]
