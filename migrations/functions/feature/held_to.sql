create or replace function feature.held_to(
    p_as_of timestamptz[], p_known_as_of timestamptz[], p_stamp timestamptz
) returns timestamptz[]
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select array_agg(least(coalesce(q.known_as_of, q.as_of), p_stamp) order by q.place)
    from unnest(p_as_of, p_known_as_of) with ordinality as q (as_of, known_as_of, place)
$$;
revoke all on function feature.held_to(timestamptz[], timestamptz[], timestamptz) from public;
comment on function feature.held_to(timestamptz[], timestamptz[], timestamptz) is
'known_as_of of each pair, p_as_of where p_known_as_of is NULL, none after the publish p_stamp.';
