-- Neither has a search_path of its own: feature.answer_digest() takes them up into its query.
create or replace function feature.exact_bytes(p_value double precision) returns bytea
language sql immutable parallel safe
as $$
    select coalesce(
        '\x01'::bytea operator(pg_catalog.||) pg_catalog.float8send(
            -- a NaN has several forms, and they are the same value
            case
                when p_value operator(pg_catalog.=) 'NaN'::double precision
                    then 'NaN'::double precision
                else p_value
            end
        ),
        '\x00'
    )
$$;
revoke all on function feature.exact_bytes(double precision) from public;
comment on function feature.exact_bytes(double precision) is
'A value as a receipt reads it: a byte 0 for NULL, else a byte 1 and the number, big-endian. '
'Unlike feature.value_bytes() it tells -0 from 0.';

create or replace function feature.exact_bytes(p_value text) returns bytea
language sql stable parallel safe
as $$
    select feature.value_bytes(p_value)
$$;
revoke all on function feature.exact_bytes(text) from public;
comment on function feature.exact_bytes(text) is
'A text as a receipt reads it: as feature.value_bytes().';
