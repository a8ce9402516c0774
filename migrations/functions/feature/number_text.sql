-- depends: functions/feature/url_text
create or replace function feature.number_text(p_number numeric) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    -- as the signed number of the same eight bytes
    select feature.url_text(int8send((
        case
            when p_number >= 9223372036854775808 then p_number - 18446744073709551616
            else p_number
        end
    )::bigint))
$$;
revoke all on function feature.number_text(numeric) from public;
comment on function feature.number_text(numeric) is
'A whole number below 2^64 as eleven characters of a receipt.';
