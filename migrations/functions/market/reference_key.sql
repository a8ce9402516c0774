create or replace function market.reference_key(p_table text) returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select array_agg(a.attname::text order by k.place)
    from pg_constraint as c
    cross join lateral unnest(c.conkey) with ordinality as k (attnum, place)
    inner join pg_attribute as a on c.conrelid = a.attrelid and k.attnum = a.attnum
    where
        c.conrelid = format('market.%I', p_table || '_version')::regclass
        and c.contype = 'u'
        and a.attname <> 'known_at'
$$;
revoke all on function market.reference_key(text) from public;
comment on function market.reference_key(text) is
'The columns by which a row of the reference table p_table is known, whatever else it says: the '
'key of its versions without known_at.';
