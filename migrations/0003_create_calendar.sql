-- depends: 0001_create_schemas
-- purpose: trading calendars, filled by "dbt seed", and the sessions that follow from them
-- lock: none, the tables are new
set local role market_owner;

create table market.calendar (
    calendar_id text primary key,
    time_zone text not null,
    description text not null
);
comment on table market.calendar is 'One row per trading calendar.';
comment on column market.calendar.calendar_id is 'Name of the calendar.';
comment on column market.calendar.time_zone is 'IANA time zone in which its sessions are written.';
comment on column market.calendar.description is 'What it covers and where it comes from.';

create table market.calendar_session (
    calendar_id text not null,
    iso_weekday smallint not null check (iso_weekday between 1 and 7),
    opens time not null,
    closes time not null,
    primary key (calendar_id, iso_weekday, opens)
);
comment on table market.calendar_session is
'One row per regular session of a week, in the calendar''s local time. A session belongs to the '
'local day on which it opens.';
comment on column market.calendar_session.calendar_id is 'Calendar, market.calendar.';
comment on column market.calendar_session.iso_weekday is
'Local day on which it opens, Monday 1 to Sunday 7.';
comment on column market.calendar_session.opens is 'Local time of opening, inclusive.';
comment on column market.calendar_session.closes is
'Local time of closing, exclusive; not after opens means on the next day.';

create table market.calendar_holiday (
    calendar_id text not null,
    day date not null,
    name text not null,
    opens time,
    closes time,
    primary key (calendar_id, day),
    check ((opens is null) = (closes is null))
);
comment on table market.calendar_holiday is
'One row per local day on which the regular sessions that open that day do not take place.';
comment on column market.calendar_holiday.calendar_id is 'Calendar, market.calendar.';
comment on column market.calendar_holiday.day is 'Local day.';
comment on column market.calendar_holiday.name is 'Name of the holiday.';
comment on column market.calendar_holiday.opens is
'Local opening of the one session held instead; NULL: closed all day.';
comment on column market.calendar_holiday.closes is
'Local closing of the session held instead; not after opens means on the next day.';

create function market.trading_session(p_calendar_id text, p_from timestamptz, p_to timestamptz)
returns table (opens_at timestamptz, closes_at timestamptz)
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
comment on function market.trading_session(text, timestamptz, timestamptz) is
'Sessions of a calendar that overlap [p_from, p_to), oldest first, not cut to that range. '
'p_calendar_id: market.calendar. Columns: opens_at (inclusive), closes_at (exclusive). An unknown '
'calendar has no sessions. Daylight saving follows the calendar''s time zone.';
