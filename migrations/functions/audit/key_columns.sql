create or replace function audit.key_columns(p_relation regclass) returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select array_agg(a.attname::text)
    from pg_index as i
    inner join pg_attribute as a on i.indrelid = a.attrelid and a.attnum = any(i.indkey)
    where i.indrelid = p_relation and i.indisprimary
$$;
revoke all on function audit.key_columns(regclass) from public;
comment on function audit.key_columns(regclass) is
'Columns of the primary key of p_relation; NULL without one.';
