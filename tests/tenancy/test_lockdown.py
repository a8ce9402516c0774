"""What PUBLIC has of TimescaleDB and the database: nothing, and after a rollback what it had."""

from __future__ import annotations

import psycopg

from engine.migrate import migrate, rollback
from tests.conftest import Databases

GIVEN_TO_PUBLIC = """
    select g.object, g.item::text
    from (
        select 'routine ' || p.oid::regprocedure as object,
            unnest(coalesce(p.proacl, acldefault('f', p.proowner))) as item
        from pg_proc as p
        inner join pg_depend as d on d.objid = p.oid and d.deptype = 'e'
        inner join pg_extension as e on d.refobjid = e.oid and e.extname = 'timescaledb'
        where d.classid = 'pg_proc'::regclass
        union all
        select 'relation ' || c.oid::regclass,
            unnest(coalesce(c.relacl, acldefault('r', c.relowner)))
        from pg_class as c
        where c.relnamespace::regnamespace::text ~ '^_?timescaledb_'
        union all
        select 'schema ' || n.nspname, unnest(coalesce(n.nspacl, acldefault('n', n.nspowner)))
        from pg_namespace as n
        where n.nspname ~ '^_?timescaledb_' or n.nspname = 'public'
        union all
        select 'database', unnest(coalesce(d.datacl, acldefault('d', d.datdba)))
        from pg_database as d
        where d.datname = current_database()
    ) as g
    where g.item::text like '=%'
    order by 1, 2
"""


def given(url: str) -> list[tuple[str, str]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(GIVEN_TO_PUBLIC).fetchall()


def test_public_has_nothing_and_gets_it_back_with_a_rollback(databases: Databases) -> None:
    url, drop = databases.create("empty")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create extension if not exists timescaledb")
    before = given(url)
    assert len(before) > 100
    migrate(url)
    assert given(url) == []
    with psycopg.connect(url, autocommit=True) as connection:
        # as an update of the extension might
        connection.execute("grant select on _timescaledb_catalog.chunk to public")
        connection.execute("grant execute on function show_chunks to public")
    assert len(given(url)) == 2
    assert migrate(url) == []
    assert given(url) == []
    rollback(url)
    assert given(url) == before
    drop()
