"""What a hostile tenant with a login of its own tries, and does not get."""

from __future__ import annotations

import re
import uuid
from typing import Any

import psycopg
import pytest

from tests.tenancy.probes import PROBES
from tests.tenancy.probes.attempt import (
    SECRET_WORD,
    attacker,
    attempt,
    difference,
    fill_in,
    fingerprint,
    objection,
)
from tests.tenancy.probes.left import LEFT
from tests.tenancy.probes.probe import Probe
from tests.tenancy.world import NO_LOGINS, VIEWS, World


@pytest.fixture(scope="module")
def untouched(world: World, known: dict[str, str]) -> dict[str, Any]:
    """What is there before the first probe, while no job of the database's own changes it."""
    assert known
    return fingerprint(world.url)


@pytest.mark.parametrize("probe", PROBES, ids=[p.name for p in PROBES])
def test_a_probe_gets_nothing_and_changes_nothing(
    world: World,
    direct: bool,
    known: dict[str, str],
    untouched: dict[str, Any],
    probe: Probe,
) -> None:
    if probe.needs_login and not direct:
        pytest.skip(NO_LOGINS)
    with attacker(world, direct) as connection:
        answer = attempt(connection, fill_in(probe.statement, known))
    now = fingerprint(world.url)
    changed = difference(untouched, now)
    # so that a change is held against one probe only
    untouched.update(now)
    assert (objection(probe, answer), changed) == (None, [])


@pytest.mark.parametrize("probe", LEFT, ids=[p.name for p in LEFT])
def test_what_docs_say_is_left_open_is(
    world: World, direct: bool, known: dict[str, str], untouched: dict[str, Any], probe: Probe
) -> None:
    if probe.needs_login and not direct:
        pytest.skip(NO_LOGINS)
    with attacker(world, direct) as connection:
        answer = attempt(connection, fill_in(probe.statement, known))
    assert (answer.state, answer.holds_secret) == (None, False), answer.brief
    assert answer.rows
    assert difference(untouched, fingerprint(world.url)) == []


def test_row_counts_of_others_show_in_explain_analyze(
    world: World, direct: bool, known: dict[str, str]
) -> None:
    assert known
    with attacker(world, direct) as connection:
        plan = attempt(connection, "explain (analyze, timing off) select * from api.watchlist")
    assert "Rows Removed by Filter: 1" in plan.text


@pytest.mark.parametrize(
    ("there", "not_there"),
    [
        (
            f"insert into api.watchlist values (1, '{SECRET_WORD}')",
            "insert into api.watchlist values (1, 'NOT_THERE')",
        ),
        (
            f"insert into api.watchlist values (1, '{SECRET_WORD}') on conflict do nothing",
            "insert into api.watchlist values (1, 'NOT_THERE') on conflict do nothing",
        ),
        (
            "insert into api.watchlist values (1, 'NOT_THERE')",
            "insert into api.watchlist values (999, 'NOT_THERE')",
        ),
        (
            "insert into api.prediction (tenant_id, model, symbol, as_of, value)"
            " values (1, 'm', 'OWN', now(), 1)",
            "insert into api.prediction (tenant_id, model, symbol, as_of, value)"
            " values (999, 'm', 'OWN', now(), 1)",
        ),
        (
            "begin; insert into api.prediction (prediction_id, model, symbol, as_of, value)"
            " values ('<prediction>', 'm', 'OWN', now(), 1)",
            "begin; insert into api.prediction (prediction_id, model, symbol, as_of, value)"
            " values ('<no_prediction>', 'm', 'OWN', now(), 1)",
        ),
        ("select * from api.replay('<prediction>')", "select * from api.replay('<no_prediction>')"),
        ("select api.revoke_api_key('<key>')", "select api.revoke_api_key('<no_key>')"),
        (
            "select * from api.feature_pit_snapshot(array['OWN'], now(), p_tenant_id => 1)",
            "select * from api.feature_pit_snapshot(array['OWN'], now(), p_tenant_id => 999)",
        ),
        (
            "select bucket, close, is_stale from api.feature_pit_snapshot(array['FEED'],"
            " timestamptz '2024-01-01 01:00+00')",
            "select bucket, close, is_stale from api.feature_pit_snapshot(array['NONE'],"
            " timestamptz '2024-01-01 01:00+00')",
        ),
        *(
            (
                f"select bucket, is_stale from api.{name}_pit_snapshot(array['FEED'],"
                " timestamptz '2024-01-02 01:00+00')",
                f"select bucket, is_stale from api.{name}_pit_snapshot(array['NONE'],"
                " timestamptz '2024-01-02 01:00+00')",
            )
            for name in ("momentum_1m", "daily")
        ),
        (
            "select name from api.tenant where tenant_id = 1",
            "select name from api.tenant where tenant_id = 999",
        ),
        (
            "delete from api.watchlist where symbol <> 'OWN' returning symbol",
            "delete from api.watchlist where symbol = 'NOT_THERE' returning symbol",
        ),
    ],
)
def test_no_answer_tells_whether_it_is_there(
    world: World, direct: bool, known: dict[str, str], there: str, not_there: str
) -> None:
    numbers = {**known, "no_key": str(uuid.uuid4()), "no_prediction": str(uuid.uuid4())}

    def answer(statement: str) -> tuple[str | None, list[tuple[Any, ...]], int, str]:
        with attacker(world, direct) as connection:
            got = attempt(connection, fill_in(statement, numbers))
        said = got.text.replace(numbers["key"], "<key>").replace(numbers["no_key"], "<key>")
        for name in ("prediction", "no_prediction"):
            said = said.replace(numbers[name], "<prediction>")
        said = said.replace("tenant 999", "tenant 1").replace("'NONE'", "'FEED'")
        # the embedded engine numbers what it rolls back
        said = re.sub(r"aborting transaction \d+", "aborting transaction", said)
        return got.state, got.rows, got.affected, said

    assert answer(there) == answer(not_there)


REACHABLE = """
    select 'schema ' || n.nspname
    from pg_namespace as n
    where
        n.nspname !~ '^(pg_catalog|information_schema|pg_temp_.*)$'
        and has_schema_privilege(%(login)s, n.oid, 'usage, create')
    union all
    select 'relation ' || n.nspname || '.' || c.relname
    from pg_class as c
    inner join pg_namespace as n on c.relnamespace = n.oid
    where
        n.nspname !~ '^(pg_catalog|information_schema|pg_temp_.*)$'
        and case
            when c.relkind = 'S'
                then has_sequence_privilege(%(login)s, c.oid, 'usage, select, update')
            when c.relkind in ('r', 'v', 'm', 'f', 'p')
                then
                    has_any_column_privilege(
                        %(login)s, c.oid, 'select, insert, update, references'
                    )
                or has_table_privilege(%(login)s, c.oid, 'delete, truncate, trigger, maintain')
        end
    union all
    select 'routine ' || n.nspname || '.' || p.proname
    from pg_proc as p
    inner join pg_namespace as n on p.pronamespace = n.oid
    where
        has_function_privilege(%(login)s, p.oid, 'execute')
        and (
            n.nspname !~ '^(pg_catalog|information_schema|pg_temp_.*)$'
            or exists (
                select from pg_depend as d
                inner join pg_extension as e on d.refobjid = e.oid
                where
                    d.classid = 'pg_proc'::regclass and p.oid = d.objid and d.deptype = 'e'
                    and e.extname <> 'plpgsql'
            )
        )
"""
INTENDED = {
    *(f"schema {name}" for name in ("api", "public", "_timescaledb_catalog")),
    *(f"schema {name}" for name in ("_timescaledb_functions", "_timescaledb_internal")),
    *(f"relation api.{name}" for name in VIEWS),
    *(f"relation api.{name}" for name in ("tenant", "entitlement", "watchlist", "prediction")),
    *(f"relation api.{name}" for name in ("api_key", "access_log", "definition", "generation")),
    *(f"routine api.{name}" for name in ("acting_role", "own_tenant", "visible_tenants")),
    *(f"routine api.{name}" for name in ("create_api_key", "revoke_api_key")),
    *("routine api.receipt", "routine api.verify", "routine api.replay"),
    *(f"routine api.{name}_pit_snapshot" for name in ("feature", "momentum_1m", "daily")),
    *(f"routine api.{name}_pit_snapshot_all" for name in ("feature", "momentum_1m", "daily")),
    *(f"routine api.{name}_pit_snapshot_in" for name in ("feature", "momentum_1m", "daily")),
    *(f"routine api.{name}" for name in ("latest_trade", "latest_quote")),
    *(f"routine api.{name}" for name in ("trade_tape", "quote_tape")),
    *(f"routine public.{name}" for name in ("time_bucket", "time_bucket_gapfill", "locf")),
    *(f"routine public.{name}" for name in ("first", "last", "histogram", "interpolate")),
    *(f"routine _timescaledb_functions.{name}" for name in ("to_timestamp", "to_date")),
    "routine _timescaledb_functions.to_timestamp_without_timezone",
    "routine _timescaledb_functions.cagg_watermark",
}


def test_nothing_is_in_reach_but_what_is_meant_to_be(world: World, known: dict[str, str]) -> None:
    with psycopg.connect(world.url, autocommit=True) as admin:

        def beyond() -> list[str]:
            found = admin.execute(REACHABLE, {"login": known["self"]}).fetchall()
            assert {name for (name,) in found} >= INTENDED
            return [name for (name,) in found if name not in INTENDED]

        assert beyond() == []
        # as an update of the extension may do
        admin.execute("grant execute on function public.delete_job(integer) to public")
        assert beyond() == ["routine public.delete_job"]
        admin.execute("call access.lockdown()")
        assert beyond() == []


def test_functions_that_run_as_their_owner_are_pinned_and_not_for_everybody(world: World) -> None:
    with psycopg.connect(world.url) as admin:
        found = admin.execute("""
            select
                p.oid::regprocedure::text,
                coalesce(
                    (
                        select c from unnest(p.proconfig) as c
                        where c ~ '^search_path=.*pg_temp$'
                    ),
                    'none'
                ) = 'search_path=pg_catalog, pg_temp',
                exists (
                    select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
                    where a.grantee = 0
                )
            from pg_proc as p
            inner join pg_namespace as n on p.pronamespace = n.oid
            where
                p.prosecdef
                and n.nspname in ('market', 'feature', 'audit', 'access', 'api', 'model', 'public')
        """).fetchall()
    assert len(found) > 20
    assert [row for row in found if row[1:] != (True, False)] == []
