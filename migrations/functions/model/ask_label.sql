create or replace function model.ask_label(
    p_sql text, p_symbols text[], p_as_ofs timestamptz[], p_tenant_id integer
) returns table (place bigint, value double precision, known_at timestamptz)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    -- until the block that asks ends
    perform set_config('transaction_read_only', 'on', true);
    return query execute format(
        'select l.place::bigint, l.value::double precision, l.known_at::timestamptz from ('
        '%s' || chr(10) || ') as l (place, value, known_at)',
        rtrim(p_sql, E'; \n\r\t')
    )
    using p_symbols, p_as_ofs, p_tenant_id;
end
$$;
revoke all on function model.ask_label(text, text[], timestamptz[], integer) from public;
comment on function model.ask_label(text, text[], timestamptz[], integer) is
'Runs the SQL of a label, read only until the block that called it ends: $1 p_symbols, $2 '
'p_as_ofs, $3 p_tenant_id. Columns: place of the pair, from 1; value, NULL: not to be had (yet); '
'known_at, from when it could be known. Errors: 25006 where it writes; its own.';
