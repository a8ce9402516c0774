-- depends: functions/market/known_hours
create or replace function market.expand_sessions(
    p_calendar_id text, p_known_at timestamptz, p_from date default null, p_to date default null
) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    with calendar as (
        select
            v.time_zone,
            v.is_gone,
            -- a row of an older release has none: the load that follows says it
            coalesce(v.ends_on, (now() + interval '1 year')::date) as ends_on
        from market.calendar_version as v
        where v.calendar_id = p_calendar_id and v.known_at <= p_known_at
        order by v.known_at desc
        limit 1
    ),

    hours as materialized (
        select h.* from market.known_hours(p_calendar_id, p_known_at) as h
    ),

    month as (
        select m.starts_on::date as starts_on
        from calendar as c
        cross join lateral generate_series(
            -- ticks are accepted from then on
            date_trunc('month', greatest(p_from, '2000-01-01'))::timestamp,
            coalesce(p_to, greatest(c.ends_on, (
                select max(s.starts_on) from market.session_month as s
                where s.calendar_id = p_calendar_id
            )))::timestamp,
            interval '1 month'
        ) as m (starts_on)
    ),

    local_day as materialized (
        select
            m.starts_on,
            d.day::date as day
        from month as m
        cross join calendar as c
        cross join lateral generate_series(
            m.starts_on::timestamp,
            least(m.starts_on + interval '1 month' - interval '1 day', c.ends_on::timestamp),
            interval '1 day'
        ) as d (day)
        where not c.is_gone
    ),

    local_session as (
        select l.starts_on, l.day, h.opens, h.closes
        from local_day as l
        inner join hours as h
            on
                extract(isodow from l.day) = h.iso_weekday
                and l.day >= h.valid_from
                and l.day < h.valid_to
        where l.day not in (select s.day from hours as s where s.day is not null)
        union all
        select l.starts_on, l.day, h.opens, h.closes
        from local_day as l
        inner join hours as h on l.day = h.day
        where h.opens is not null
    ),

    made as (
        select
            m.starts_on,
            coalesce(array_agg(s.opens_at order by s.opens_at) filter (where s.day is not null), '{}')
                as opens,
            coalesce(array_agg(s.closes_at order by s.opens_at) filter (where s.day is not null), '{}')
                as closes
        from month as m
        left join (
            select
                l.starts_on,
                l.day,
                (l.day + l.opens) at time zone c.time_zone as opens_at,
                (l.day + l.closes + case when l.closes <= l.opens then interval '1 day' else '0' end)
                at time zone c.time_zone as closes_at
            from local_session as l
            cross join calendar as c
        ) as s on m.starts_on = s.starts_on
        group by m.starts_on
    )

    insert into market.session_month (calendar_id, starts_on, known_at, opens, closes)
    select p_calendar_id, n.starts_on, p_known_at, n.opens, n.closes
    from made as n
    left join lateral (
        select s.opens, s.closes
        from market.session_month as s
        where s.calendar_id = p_calendar_id and s.starts_on = n.starts_on and s.known_at <= p_known_at
        order by s.known_at desc
        limit 1
    ) as o on true
    where
        row(n.opens, n.closes)
        is distinct from row(coalesce(o.opens, '{}'), coalesce(o.closes, '{}'))
$$;
revoke all on function market.expand_sessions(text, timestamptz, date, date) from public;
comment on function market.expand_sessions(text, timestamptz, date, date) is
'Notes in market.session_month, as known from p_known_at, those months whose sessions are by then '
'others than was known before. p_calendar_id: the calendar; p_from, p_to: local days that changed, '
'default all from 2000 to its end. Step of market.keep_versions() and market.keep_sessions().';
