create or replace function feature.bytes_of_url(p_text text) returns bytea
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select decode(
        translate(p_text, '-_', '+/') || repeat('=', (4 - length(p_text) % 4) % 4), 'base64'
    )
$$;
revoke all on function feature.bytes_of_url(text) from public;
comment on function feature.bytes_of_url(text) is 'The bytes that feature.url_text() wrote so.';
