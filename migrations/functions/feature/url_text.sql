create or replace function feature.url_text(p_bytes bytea) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select translate(encode(p_bytes, 'base64'), e'+/=\n', '-_')
$$;
revoke all on function feature.url_text(bytea) from public;
comment on function feature.url_text(bytea) is
'Bytes as text of letters, digits, - and _: base64url without padding (RFC 4648, section 5).';
