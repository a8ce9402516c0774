-- Neither has a search_path of its own: feature.leakage() takes them up into its query, which has.
create or replace function feature.abs_change(
    p_from double precision, p_to double precision
) returns double precision
language sql immutable parallel safe
as $$
    select pg_catalog.abs(p_to operator(pg_catalog.-) p_from)
$$;
revoke all on function feature.abs_change(double precision, double precision) from public;
comment on function feature.abs_change(double precision, double precision) is
'By how much a value changed, in its unit; NULL where one of them is.';

create or replace function feature.abs_change(p_from text, p_to text) returns double precision
language sql immutable parallel safe
as $$
    select null::double precision
$$;
revoke all on function feature.abs_change(text, text) from public;
comment on function feature.abs_change(text, text) is 'NULL: texts differ, but not by so much.';
