-- depends: functions/feature/bytes_of_url
create or replace function feature.text_number(p_text text) returns bigint
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select ('x' || encode(feature.bytes_of_url(p_text), 'hex'))::bit(64)::bigint
$$;
revoke all on function feature.text_number(text) from public;
comment on function feature.text_number(text) is
'The number that feature.number_text() wrote so, signed: modulo 2^64 the same.';
