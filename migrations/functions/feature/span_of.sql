create or replace function feature.span_of(p_grain text) returns interval
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select case when p_grain <> 'session' then p_grain::interval end
$$;
revoke all on function feature.span_of(text) from public;
comment on function feature.span_of(text) is
'How long a bar of p_grain is (market.feature_set); NULL: as long as its session.';
