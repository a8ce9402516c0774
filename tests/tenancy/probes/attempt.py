"""What a hostile tenant tries, each as one statement, and what must come of it.

The attacker is tenant 2, which is entitled to nothing but its own. What must not reach it carries
a mark: SECRET_PRICE in numbers, SECRET_WORD in texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests.paused import pause_jobs
from tests.tenancy.probes.probe import NOTHING, OWN, Probe
from tests.tenancy.world import World

ATTACKER, VICTIM = 2, 1
SECRET_PRICE, SECRET_WORD = "777.25", "secretive"

HIDE = f"""
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
    select model.register('theirs', 1, 1, '{SECRET_WORD}', jsonb_build_object(
        'name', 'theirs', 'tenant_id', 1, 'about', '{SECRET_WORD}',
        'columns', '[{{"feature_set": "market_1m", "field": "close"}}]'::jsonb,
        'label', '{{"sql": "select 1, 1, now()", "horizon_s": 60}}'::jsonb
    ));
    select model.promote('theirs', 'champion', 1, '{SECRET_WORD}');
    insert into api.prediction (tenant_id, model, symbol, as_of, value, version, inputs)
    values (1, '{SECRET_WORD}', 'OWN', '2024-01-01 00:00+00', {SECRET_PRICE}, 1,
        '{{"{SECRET_WORD}": {{}}}}'),
        (2, 'mine', 'OWN', '2024-01-01 00:00+00', 1, null, null);
    insert into model.label (model, version, tenant_id, symbol, as_of, value, known_at)
    values ('theirs', 1, 1, 'OWN', '2024-01-01 00:00+00', {SECRET_PRICE}, now());
    insert into model.label_run (model, version, tenant_id, began_at, message)
    values ('theirs', 1, 1, now(), '{SECRET_WORD}');
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
        (select prediction_id from api.prediction where tenant_id = 1) as prediction,
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
    *("model.version", "model.promotion", "model.rollout", "model.label", "model.label_wait"),
    *("model.label_run", "model.label_clock"),
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
        pause_jobs(connection)
        connection.execute(HIDE)
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
            with cursor.copy(statement) as copy:
                if statement.endswith("to stdout"):
                    lines = [bytes(line).decode() for line in copy]
                    answer.rows = [(line,) for line in lines]
                    shown += lines
        else:
            cursor.execute(statement)
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
        if connection.closed:
            raise
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
                f" from ({query}) as r"
            ).fetchone()
            or ()
            for name, query in queries.items()
        }


def difference(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Names of what differs."""
    return sorted(name for name in before if before[name] != after[name])
