create or replace function market.trading_session(
    p_calendar_id text, p_from timestamptz, p_to timestamptz
) returns table (opens_at timestamptz, closes_at timestamptz)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    with local_day as (
        select
            c.calendar_id,
            c.time_zone,
            d.day::date as day
        from market.calendar as c
        cross join lateral generate_series(
            -- a session that opened the day before can still be open
            ((p_from at time zone c.time_zone)::date - 1)::timestamp,
            (p_to at time zone c.time_zone)::date::timestamp,
            interval '1 day'
        ) as d (day)
        where c.calendar_id = p_calendar_id
    ),

    local_session as (
        select
            l.time_zone,
            l.day,
            s.opens,
            s.closes
        from local_day as l
        inner join market.calendar_session as s
            on l.calendar_id = s.calendar_id and extract(isodow from l.day) = s.iso_weekday
        where not exists (
            select from market.calendar_holiday as h
            where h.calendar_id = l.calendar_id and h.day = l.day
        )
        union all
        select
            l.time_zone,
            l.day,
            h.opens,
            h.closes
        from local_day as l
        inner join market.calendar_holiday as h
            on l.calendar_id = h.calendar_id and l.day = h.day
        where h.opens is not null
    ),

    session as (
        select
            (day + opens) at time zone time_zone as opens_at,
            (day + closes + case when closes <= opens then interval '1 day' else interval '0' end)
            at time zone time_zone as closes_at
        from local_session
    )

    select
        s.opens_at,
        s.closes_at
    from session as s
    where s.opens_at < p_to and s.closes_at > p_from
    order by s.opens_at
$$;
revoke all on function market.trading_session(text, timestamptz, timestamptz) from public;
grant execute on function market.trading_session(text, timestamptz, timestamptz) to market_reader;
comment on function market.trading_session(text, timestamptz, timestamptz) is
'Sessions of a calendar that overlap [p_from, p_to), oldest first, not cut to that range. '
'p_calendar_id: market.calendar. Columns: opens_at (inclusive), closes_at (exclusive). An unknown '
'calendar has no sessions. Daylight saving follows the calendar''s time zone.';
