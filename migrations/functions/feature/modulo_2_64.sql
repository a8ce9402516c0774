create or replace function feature.modulo_2_64(p_sum numeric) returns numeric
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select mod(
        mod(coalesce(p_sum, 0), 18446744073709551616) + 18446744073709551616, 18446744073709551616
    )
$$;
revoke all on function feature.modulo_2_64(numeric) from public;
comment on function feature.modulo_2_64(numeric) is
'A whole number modulo 2^64, from 0 on; 0 of NULL. For feature.answer_digest().';
