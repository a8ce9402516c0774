create or replace function feature.minute_of_day(p_moment timestamptz) returns integer
language sql immutable parallel safe
-- no set clause: it is inlined, row by row in each publish
as $$
    select (
        pg_catalog.date_part('epoch', p_moment)::bigint % 86400 / 60
    )::integer
$$;
revoke all on function feature.minute_of_day(timestamptz) from public;
comment on function feature.minute_of_day(timestamptz) is
'Minutes since midnight UTC: the bit of feature.waiting_history.minutes.';
