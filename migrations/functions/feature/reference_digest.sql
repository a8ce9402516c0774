create or replace function feature.reference_digest(
    p_symbols text[], p_known_as_of timestamptz
) returns text
language sql stable
set search_path = pg_catalog, pg_temp
-- rows are read as text
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
    with instrument as (
        select v.*
        from market.instrument_version as v
        where v.known_at <= p_known_as_of and v.symbol = any(p_symbols)
    ),

    known as (
        select i::text as content from instrument as i
        union all
        select c::text
        from market.calendar_version as c
        where
            c.known_at <= p_known_as_of
            and c.calendar_id in (select i.calendar_id from instrument as i)
        union all
        select m::text
        from market.session_month as m
        where
            m.known_at <= p_known_as_of
            and m.calendar_id in (select i.calendar_id from instrument as i)
    )

    select left(encode(sha256(coalesce(
        string_agg(convert_to(k.content, 'UTF8'), ''::bytea order by k.content collate "C"),
        ''::bytea
    )), 'hex'), 6)
    from known as k
$$;
revoke all on function feature.reference_digest(text[], timestamptz) from public;
comment on function feature.reference_digest(text[], timestamptz) is
'Six hexadecimal digits of all that was known by p_known_as_of of the instruments p_symbols, their '
'calendars and the sessions of these.';
