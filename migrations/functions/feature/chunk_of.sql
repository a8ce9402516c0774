create or replace function feature.chunk_of(p_grain text) returns interval
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    -- few, large chunks: each probe of a point-in-time read pays for choosing one (bench/pit)
    select case p_grain
        when '1 minute' then interval '28 days'
        when '5 minutes' then interval '140 days'
        when '15 minutes' then interval '364 days'
        else interval '1456 days'
    end
$$;
revoke all on function feature.chunk_of(text) from public;
comment on function feature.chunk_of(text) is
'How long a chunk of the log of a set of that grain is.';
