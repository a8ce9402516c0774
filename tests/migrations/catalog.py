"""The objects of a database as lines of text, one object or column a line."""

import psycopg

OURS = ["market", "staging", "intermediate", "feature", "audit", "access", "api", "model"]

RELATIONS = """
    select concat_ws(' | ', c.relkind, c.oid::regclass, a.attname,
        format_type(a.atttypid, a.atttypmod), case when a.attnotnull then 'not null' end,
        pg_get_expr(d.adbin, d.adrelid))
    from pg_class as c
    inner join pg_namespace as n on c.relnamespace = n.oid
    left join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
    where n.nspname = any(%(schemas)s) and c.relkind in ('r', 'v', 'm', 'p', 'i', 'S')
"""
CONSTRAINTS = """
    select concat_ws(' | ', 'constraint', c.conrelid::regclass, c.conname,
        pg_get_constraintdef(c.oid))
    from pg_constraint as c
    inner join pg_namespace as n on c.connamespace = n.oid
    where n.nspname = any(%(schemas)s) and c.conrelid <> 0 and c.contype <> 'n'
"""
FUNCTIONS = """
    select concat_ws(' | ', 'function', p.oid::regprocedure, p.provolatile, p.proparallel,
        p.prosecdef, p.proconfig, md5(p.prosrc))
    from pg_proc as p
    inner join pg_namespace as n on p.pronamespace = n.oid
    where (n.nspname = any(%(schemas)s) or p.proname ~ '^feature_pit')
        and not exists (select from pg_depend as e where e.objid = p.oid and e.deptype = 'e')
"""
TRIGGERS = """
    select concat_ws(' | ', 'trigger', t.tgname, pg_get_triggerdef(t.oid))
    from pg_trigger as t
    inner join pg_class as c on t.tgrelid = c.oid
    inner join pg_namespace as n on c.relnamespace = n.oid
    where n.nspname = any(%(schemas)s) and not t.tgisinternal
        and t.tgname !~ '^(ts_|compressed_data)'
"""
EVENT_TRIGGERS = """
    select concat_ws(' | ', 'event trigger', e.evtname, e.evtevent, e.evtfoid::regprocedure)
    from pg_event_trigger as e
    inner join pg_proc as p on e.evtfoid = p.oid
    where p.pronamespace = any(select oid from pg_namespace where nspname = any(%(schemas)s))
"""
ROW_SECURITY = """
    select concat_ws(' | ', 'policy', p.polrelid::regclass, p.polname, p.polcmd,
        p.polroles::regrole[], pg_get_expr(p.polqual, p.polrelid),
        pg_get_expr(p.polwithcheck, p.polrelid))
    from pg_policy as p
    inner join pg_class as c on p.polrelid = c.oid
    inner join pg_namespace as n on c.relnamespace = n.oid
    where n.nspname = any(%(schemas)s)
"""
POLICIES = """
    select concat_ws(' | ', 'job', j.hypertable_name, j.proc_name, j.schedule_interval,
        j.config - 'mat_hypertable_id' - 'hypertable_id')
    from timescaledb_information.jobs as j
    where j.hypertable_schema is not null or j.proc_schema = any(%(schemas)s)
"""
PRIVILEGES = """
    select concat_ws(' | ', 'privilege', o.object, (
        select string_agg(i.item::text, ' ' order by i.item::text collate "C")
        from unnest(o.acl) as i (item)
    ))
    from (
        select c.relnamespace as namespace, c.oid::regclass::text as object, c.relacl as acl
        from pg_class as c
        union all
        select c.relnamespace, format('%%s.%%I', c.oid::regclass, a.attname), a.attacl
        from pg_attribute as a
        inner join pg_class as c on a.attrelid = c.oid
        union all
        select p.pronamespace, p.oid::regprocedure::text, p.proacl
        from pg_proc as p
        where p.pronamespace <> 'public'::regnamespace or p.proname ~ '^feature_pit'
        union all
        select n.oid, format('schema %%s', n.nspname), n.nspacl
        from pg_namespace as n
        union all
        select d.defaclnamespace, format('default of %%s', d.defaclobjtype), d.defaclacl
        from pg_default_acl as d
    ) as o
    inner join pg_namespace as n on o.namespace = n.oid
    where o.acl is not null and (n.nspname = any(%(schemas)s) or o.object ~ '^feature_pit')
"""
COMMENTS = """
    select concat_ws(' | ', 'comment', i.type, i.identity, md5(d.description))
    from pg_description as d
    cross join lateral pg_identify_object(d.classoid, d.objoid, d.objsubid) as i
    where i.schema = any(%(schemas)s) or i.identity ~ '^public.feature_pit'
"""
SCHEMA_NAMES = """
    select concat_ws(' | ', 'schema', nspname, pg_get_userbyid(nspowner))
    from pg_namespace where nspname = any(%(schemas)s) and nspname <> 'public'
"""

QUERIES = (
    RELATIONS,
    CONSTRAINTS,
    FUNCTIONS,
    TRIGGERS,
    EVENT_TRIGGERS,
    ROW_SECURITY,
    POLICIES,
    PRIVILEGES,
    COMMENTS,
    SCHEMA_NAMES,
)


def lines(url: str, schemas: list[str]) -> list[str]:
    """Sorted lines for every object of the schemas, without object ids or sizes."""
    found: list[str] = []
    with psycopg.connect(url, autocommit=True) as connection:
        for query in QUERIES:
            rows = connection.execute(query, {"schemas": schemas}).fetchall()
            found += [" ".join(row[0].split()) for row in rows]
    return sorted(found)
