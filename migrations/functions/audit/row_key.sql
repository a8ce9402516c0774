create or replace function audit.row_key(p_row jsonb, p_columns text[]) returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(jsonb_object_agg(c.column_name, p_row -> c.column_name), p_row)
    from unnest(p_columns) as c (column_name)
$$;
revoke all on function audit.row_key(jsonb, text[]) from public;
comment on function audit.row_key(jsonb, text[]) is
'p_row cut down to the columns p_columns; without any, the whole row.';
