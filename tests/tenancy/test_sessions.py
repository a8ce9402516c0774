"""What a hostile tenant tries by its session: settings, pooled logins, other roles."""

from __future__ import annotations

import uuid
from contextlib import suppress

import psycopg
import pytest
from psycopg import sql

from tests.tenancy.probes.attempt import (
    ATTACKER,
    SECRET_WORD,
    VICTIM,
    attacker,
    attempt,
    fill_in,
)
from tests.tenancy.world import NO_LOGINS, World


def test_no_setting_of_a_tenant_lets_others_rows_through(
    world: World, direct: bool, known: dict[str, str]
) -> None:
    assert known
    look = """
        select tenant_id <> 2, count(*)
        from (
            select tenant_id from api.trade
            union all select tenant_id from api.ohlc_1m
            union all select tenant_id from api.feature_1m
            union all select tenant_id from api.feature_version
            union all select tenant_id from api.prediction
        ) as seen
        group by 1
    """
    with psycopg.connect(world.url) as connection:
        choices = connection.execute(
            "select s.name, v from pg_settings as s"
            " cross join lateral unnest(coalesce(s.enumvals, array['on', 'off'])) as v"
            " where s.vartype in ('bool', 'enum') and s.context = 'user'"
            # these end the session's part in the test: refused, read-only, or not shown
            " and s.name not in ('row_security', 'client_min_messages', 'debug_parallel_query',"
            " 'transaction_isolation', 'transaction_deferrable', 'transaction_read_only')"
        ).fetchall()
    assert len(choices) > 150
    with attacker(world, direct) as connection:
        answered = 0
        for name, value in choices:
            # with some the extension refuses a plan, or to say how far an aggregate goes
            refused = suppress(
                psycopg.errors.ObjectNotInPrerequisiteState, psycopg.errors.InsufficientPrivilege
            )
            with refused, connection.transaction(force_rollback=True):
                connection.execute("select set_config(%s, %s, true)", [name, value])
                others = [row for row in connection.execute(look).fetchall() if row[0]]
                assert (name, value, others) == (name, value, [])
                answered += 1
    assert answered > len(choices) - 10


def test_what_a_tenant_puts_into_its_search_path_is_not_looked_at(
    world: World, direct: bool, known: dict[str, str]
) -> None:
    """Even where temporary tables are allowed: search_path of the functions ends in pg_temp."""
    calls = (
        "select api.own_tenant()",
        "select api.visible_tenants()",
        "select close from api.feature_pit_snapshot(array['OWN'],"
        " array[timestamptz '2024-01-01 01:30+00'])",
        "select close from api.feature_pit_snapshot(array['OWN'],"
        " timestamptz '2024-01-01 01:30+00')",
        "select close from api.feature_pit_snapshot(array['OWN'], '2024-01-01 01:30+00')",
        "select distinct tenant_id from api.trade",
        "select tenant_id, symbol from api.watchlist",
    )
    with attacker(world, direct) as connection:
        plain = [connection.execute(call).fetchall() for call in calls]
    database = sql.Identifier(known["database"])
    with psycopg.connect(world.url, autocommit=True) as admin:
        admin.execute(sql.SQL("grant temporary on database {} to public").format(database))
        # without this, none of what follows can be made
        admin.execute("alter event trigger access_ddl disable")
    try:
        with attacker(world, direct) as connection:
            connection.execute("""
                create temporary table login (login name, tenant_id integer);
                create temporary table tenant (tenant_id integer, status text, name text);
                create temporary table entitlement (
                    tenant_id integer, dataset text, valid_from timestamptz, valid_to timestamptz
                );
                create temporary table dataset (dataset text, tenant_id integer);
                create temporary table series (symbol text, tenant_id integer);
                create temporary table pg_roles (rolname name);
                insert into login select session_user, 1;
                insert into login select current_user, 1;
                insert into tenant values (1, 'active', 'x');
                create function pg_temp.acting_role() returns name language sql as
                'select ''nobody''::name';
                create function pg_temp.own_tenant() returns integer language sql as 'select 1';
                create function pg_temp.visible_tenants() returns integer[] language sql as
                'select array[1, 3]';
                create function pg_temp.current_setting(text) returns text language sql as
                'select ''x''';
                create function pg_temp.never(integer, integer) returns boolean language sql as
                'select true';
                create operator pg_temp.= (
                    leftarg = integer, rightarg = integer, function = pg_temp.never
                );
                set search_path = pg_temp, api, pg_catalog;
            """)
            assert [connection.execute(call).fetchall() for call in calls] == plain
            key = connection.execute("select api.create_api_key('shadowed')").fetchone()
            assert key is not None
            made = str(key[0]).split(".")[0]
    finally:
        with psycopg.connect(world.url, autocommit=True) as admin:
            admin.execute("alter event trigger access_ddl enable")
            admin.execute("call access.lockdown()")
    with psycopg.connect(world.url, autocommit=True) as admin:
        removed = admin.execute(
            "delete from api.api_key where key_id = %s returning tenant_id", [made]
        )
        assert removed.fetchall() == [(2,)]


def test_a_prepared_statement_asks_for_whoever_executes_it(
    world: World, known: dict[str, str]
) -> None:
    assert known
    with psycopg.connect(world.url, autocommit=True) as connection:
        seen: dict[int, set[tuple[int, ...]]] = {}
        for plan in ("auto", "force_generic_plan"):
            connection.execute(f"set plan_cache_mode = {plan}")
            for tenant in (VICTIM, ATTACKER, VICTIM):
                connection.execute(
                    sql.SQL("set role {}").format(sql.Identifier(world.logins[tenant]))
                )
                if not seen:
                    connection.execute("prepare trades as select distinct tenant_id from api.trade")
                    connection.execute("prepare marks as select tenant_id from api.watchlist")
                seen[tenant] = {
                    *connection.execute("execute trades").fetchall(),
                    *connection.execute("execute marks").fetchall(),
                }
            assert seen == {VICTIM: {(1,), (3,)}, ATTACKER: {(2,)}}


def test_a_pooled_session_keeps_what_a_tenant_left_until_it_is_discarded(
    world: World, known: dict[str, str]
) -> None:
    """Why a pool discards all between two tenants that may send SQL of their own."""
    assert known
    take = "fetch all from left_open"
    with psycopg.connect(world.url, autocommit=True) as connection:
        for discard in (False, True):
            with connection.transaction():
                connection.execute(
                    sql.SQL("set local role {}").format(sql.Identifier(world.logins[VICTIM]))
                )
                connection.execute(
                    "declare left_open cursor with hold for select model from api.prediction"
                )
            if discard:
                connection.execute("discard all")
            with connection.transaction(force_rollback=True):
                connection.execute(
                    sql.SQL("set local role {}").format(sql.Identifier(world.logins[ATTACKER]))
                )
                if discard:
                    with pytest.raises(psycopg.errors.InvalidCursorName):
                        connection.execute(take)
                else:
                    assert connection.execute(take).fetchall() == [(SECRET_WORD,)]
            if not discard:
                connection.execute("close left_open")


def test_a_pooled_login_becomes_any_tenant_and_nothing_else(world: World, direct: bool) -> None:
    if not direct:
        pytest.skip(NO_LOGINS)
    pool = f"pool_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(world.url, autocommit=True) as admin:
        admin.execute(
            sql.SQL("create role {} login in role market_pool").format(sql.Identifier(pool))
        )
    try:
        with psycopg.connect(
            psycopg.conninfo.make_conninfo(world.url, user=pool), autocommit=True
        ) as pooled:
            pooled.execute("begin")
            pooled.execute(sql.SQL("set local role {}").format(sql.Identifier(world.logins[2])))
            # what injected SQL can do in a pooled transaction
            pooled.execute(sql.SQL("set local role {}").format(sql.Identifier(world.logins[1])))
            assert pooled.execute("select api.own_tenant()").fetchone() == (1,)
            pooled.execute("rollback")
            for role in ("market_owner", "market_reader", "market_deploy", "postgres"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    pooled.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
            for read in ("select from api.trade", "select from api.watchlist"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    pooled.execute(read)
    finally:
        with psycopg.connect(world.url, autocommit=True) as admin:
            admin.execute(sql.SQL("drop role {}").format(sql.Identifier(pool)))


@pytest.mark.parametrize(
    "options",
    [
        "-c role={victim}",
        "-c role=market_owner",
        "-c session_authorization={victim}",
        "-c session_replication_role=replica",
        "-c log_statement=none",
        "-c event_triggers=off",
        "-c shared_preload_libraries=x",
        "-c ignore_system_indexes=on -c allow_system_table_mods=on",
    ],
)
def test_a_connection_cannot_start_as_another(world: World, direct: bool, options: str) -> None:
    if not direct:
        pytest.skip(NO_LOGINS)
    url = psycopg.conninfo.make_conninfo(
        world.url,
        user=world.logins[ATTACKER],
        options=options.format(victim=world.logins[VICTIM]),
    )
    with pytest.raises(
        psycopg.OperationalError, match=r"permission denied|cannot be (changed|set)"
    ):
        psycopg.connect(url).close()


def test_a_tenant_cannot_connect_for_replication(world: World, direct: bool) -> None:
    if not direct:
        pytest.skip(NO_LOGINS)
    url = psycopg.conninfo.make_conninfo(
        world.url, user=world.logins[ATTACKER], replication="database"
    )
    with pytest.raises(psycopg.OperationalError, match=r"REPLICATION attribute|replication"):
        psycopg.connect(url).close()


@pytest.mark.parametrize("setting", ["timescaledb.restoring", "timescaledb.enable_event_triggers"])
def test_a_setting_of_superusers_does_not_count_from_a_connection(
    world: World, direct: bool, setting: str
) -> None:
    """The extension, which knows whose setting it is, is loaded when the session has begun."""
    if not direct:
        pytest.skip(NO_LOGINS)
    shown = sql.SQL("show {}").format(sql.Identifier(*setting.split(".")))
    with psycopg.connect(world.url) as admin:
        plain = admin.execute(shown).fetchone()
    assert plain is not None
    other = "off" if plain[0] == "on" else "on"
    url = psycopg.conninfo.make_conninfo(
        world.url, user=world.logins[ATTACKER], options=f"-c {setting}={other}"
    )
    with psycopg.connect(url) as connection:
        connection.execute("select from api.trade limit 1")
        assert connection.execute(shown).fetchone() == plain


@pytest.mark.parametrize("setting", ["role", "session_authorization"])
def test_a_default_role_of_its_own_choice_does_not_count(
    world: World, direct: bool, known: dict[str, str], setting: str
) -> None:
    if not direct:
        pytest.skip(NO_LOGINS)
    with attacker(world, direct) as connection:
        attempt(connection, fill_in(f"alter role <self> set {setting} = '<victim>'", known))
    try:
        with attacker(world, direct) as connection:
            assert connection.execute("select api.own_tenant()").fetchone() == (ATTACKER,)
            assert connection.execute("select distinct tenant_id from api.trade").fetchall() == [
                (ATTACKER,)
            ]
    except psycopg.OperationalError as refused:
        # it has locked itself out
        assert "permission denied" in str(refused)  # noqa: PT017
    finally:
        with psycopg.connect(world.url, autocommit=True) as admin:
            admin.execute(fill_in(f"alter role <self> reset {setting}", known))


def test_a_tenant_cannot_take_its_statements_out_of_the_log(
    world: World, direct: bool, known: dict[str, str]
) -> None:
    kept = (
        "select setting from pg_db_role_setting as s"
        " cross join lateral unnest(s.setconfig) as setting"
        " inner join pg_roles as r on s.setrole = r.oid where r.rolname = %s"
    )
    with psycopg.connect(world.url, autocommit=True) as admin:
        before = admin.execute(kept, [known["self"]]).fetchall()
        assert ("log_statement=all",) in before
        with attacker(world, direct) as connection:
            connection.execute(fill_in("alter role <self> in database <database> reset all", known))
        after = admin.execute(kept, [known["self"]]).fetchall()
        assert {("log_statement=all",), ("temp_file_limit=1GB",)} <= set(after)
        for (setting,) in set(before) - set(after):
            name, value = setting.split("=")
            admin.execute(
                fill_in(f"alter role <self> in database <database> set {name} = '{value}'", known)
            )


def test_a_tenant_cannot_make_itself_undroppable(world: World) -> None:
    login = f"t4_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(world.url, autocommit=True) as admin:
        admin.execute(
            "call access.set_tenant(4, p_name => %s, p_logins => array[%s]::name[])", [login, login]
        )
        for owned in (
            "alter default privileges for role {} grant select on tables to market_reader",
            "do $$ begin perform lo_create(4711); end $$; alter large object 4711 owner to {}",
        ):
            admin.execute(sql.SQL(owned).format(sql.Identifier(login)))
        admin.execute("call access.remove_tenant(4)")
        assert admin.execute("select from pg_roles where rolname = %s", [login]).fetchall() == []
