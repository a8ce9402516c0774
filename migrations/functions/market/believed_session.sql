create or replace function market.believed_session(
    p_calendar_id text, p_from timestamptz, p_to timestamptz
) returns table (
    opens_at timestamptz, closes_at timestamptz, known_at timestamptz, known_to timestamptz
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select
        s.opens_at,
        s.closes_at,
        m.known_at,
        m.known_to
    from (
        select
            v.*,
            lead(v.known_at, 1, 'infinity') over (
                partition by v.starts_on order by v.known_at
            ) as known_to
        from market.session_month as v
        where
            v.calendar_id = p_calendar_id
            -- a session that opened the day before can still be open; a local day can be another
            and v.starts_on >= date_trunc(
                'month', (p_from at time zone 'UTC') - interval '3 days'
            )::date
            and v.starts_on <= ((p_to at time zone 'UTC') + interval '1 day')::date
    ) as m
    cross join lateral unnest(m.opens, m.closes) as s (opens_at, closes_at)
    where s.opens_at < p_to and s.closes_at > p_from
$$;
revoke all on function market.believed_session(text, timestamptz, timestamptz) from public;
grant execute on function market.believed_session(text, timestamptz, timestamptz) to market_reader;
comment on function market.believed_session(text, timestamptz, timestamptz) is
'Sessions of a calendar that overlap [p_from, p_to), not cut to that range, each with the time in '
'which it was believed to take place. p_calendar_id: market.calendar. Columns: opens_at '
'(inclusive), closes_at (exclusive); known_at, from when it was known, -infinity: from the '
'beginning; known_to, until when, exclusive, infinity: still. One that was believed on and on may '
'come as several rows, one after the other.';
