"""One name, one meaning: no relations or functions of our schemas share one, but as said here."""

import psycopg

# a tenant's view has its source's name, and its columns mean the same; feature_version is the log
SAME_IN_API = ("market", "feature")
# tenants whose ticks ingest accepts, and tenants that have logins: one number, two lists
KNOWN = {("api.tenant", "market.tenant")}

NAMES = """
    select c.relname::text, n.nspname || '.' || c.relname, false
    from pg_class as c
    inner join pg_namespace as n on c.relnamespace = n.oid
    where n.nspname = any(%(schemas)s) and c.relkind in ('r', 'v', 'm')
    union
    select p.proname::text, n.nspname || '.' || p.proname || '()', true
    from pg_proc as p
    inner join pg_namespace as n on p.pronamespace = n.oid
    where n.nspname = any(%(schemas)s)
    order by 1, 2
"""
SCHEMAS = ["market", "staging", "intermediate", "feature", "api", "access", "audit"]


def test_no_name_means_two_things(modelled_database: str) -> None:
    with psycopg.connect(modelled_database) as connection:
        rows = connection.execute(NAMES, {"schemas": SCHEMAS}).fetchall()
    found: dict[str, list[tuple[str, bool]]] = {}
    for name, full, is_function in rows:
        found.setdefault(name, []).append((full, is_function))
    clashes = set()
    for places in found.values():
        relations = sorted(full for full, is_function in places if not is_function)
        functions = [full for full, is_function in places if is_function]
        if relations and functions:
            clashes.add((*relations, *functions))
        sources = {full.split(".")[0] for full in relations} - {"api"}
        if len(relations) > 1 and not (
            len(relations) == 2 and len(sources) == 1 and sources < set(SAME_IN_API)
        ):
            clashes.add(tuple(relations))
    assert clashes - KNOWN == set()
