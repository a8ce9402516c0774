-- Neither has a search_path of its own: feature_pit_hash() takes them up into its query, which has.
create or replace function feature.value_bytes(p_value double precision) returns bytea
language sql immutable parallel safe
as $$
    select coalesce(
        '\x01'::bytea operator(pg_catalog.||) pg_catalog.float8send(
            p_value operator(pg_catalog.+) 0::double precision
        ),
        '\x00'
    )
$$;
revoke all on function feature.value_bytes(double precision) from public;
comment on function feature.value_bytes(double precision) is
'A value as feature_pit_hash() reads it: a byte 0 for NULL, else a byte 1 and the number, '
'big-endian; -0 is 0.';

create or replace function feature.value_bytes(p_value text) returns bytea
language sql stable parallel safe
as $$
    select coalesce(
        pg_catalog.int4send(pg_catalog.octet_length(p_value))
        operator(pg_catalog.||) pg_catalog.convert_to(p_value, 'UTF8'),
        '\xffffffff'
    )
$$;
revoke all on function feature.value_bytes(text) from public;
comment on function feature.value_bytes(text) is
'A text as feature_pit_hash() reads it: four bytes of its length and its bytes in UTF-8; of NULL '
'the length is -1.';
