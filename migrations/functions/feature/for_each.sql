create or replace function feature.for_each(p_symbols text[], p_moment timestamptz)
returns timestamptz[]
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select array_fill(p_moment, array[coalesce(cardinality(p_symbols), 0)])
    where p_moment is not null
$$;
revoke all on function feature.for_each(text[], timestamptz) from public;
comment on function feature.for_each(text[], timestamptz) is
'p_moment once for each of p_symbols; NULL where it is NULL.';
