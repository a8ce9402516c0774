-- An event trigger is not told which object a GRANT was about: the rights themselves are compared.
--   Left out: dbt's views, which every "dbt run" gives their rights.
create or replace view audit.privilege as
select
    o.object,
    (
        select array_agg(i.item::text order by i.item::text)
        from unnest(o.acl) as i (item)
    ) as acl
from (
    select
        c.relnamespace as namespace_oid,
        'relation ' || c.oid::regclass::text as object,
        c.relacl as acl
    from pg_class as c
    where c.relkind <> 'v' or pg_get_userbyid(c.relowner) = 'market_owner'
    union all
    select
        c.relnamespace as namespace_oid,
        format('column %s.%I', c.oid::regclass, a.attname) as object,
        a.attacl as acl
    from pg_attribute as a
    inner join pg_class as c on a.attrelid = c.oid
    where
        (c.relkind <> 'v' or pg_get_userbyid(c.relowner) = 'market_owner')
        and not a.attisdropped
    union all
    select
        p.pronamespace as namespace_oid,
        'function ' || p.oid::regprocedure::text as object,
        p.proacl as acl
    from pg_proc as p
    union all
    select
        s.oid as namespace_oid,
        'schema ' || quote_ident(s.nspname) as object,
        s.nspacl as acl
    from pg_namespace as s
    union all
    select
        d.defaclnamespace as namespace_oid,
        format(
            'default of %s in %s for %s',
            d.defaclrole::regrole, d.defaclnamespace::regnamespace, d.defaclobjtype
        ) as object,
        d.defaclacl as acl
    from pg_default_acl as d
) as o
inner join pg_namespace as n on o.namespace_oid = n.oid
where
    o.acl is not null
    and n.nspname in ('market', 'feature', 'audit', 'access', 'api', 'model');
comment on view audit.privilege is
'One row per object of the schemas market, feature, audit, access, api and model that somebody was '
'given rights to, or refused them, other than dbt''s views. What GRANT and REVOKE change of it is '
'recorded at commit.';
comment on column audit.privilege.object is 'Type and name.';
comment on column audit.privilege.acl is 'The rights, as PostgreSQL writes aclitem, sorted.';
