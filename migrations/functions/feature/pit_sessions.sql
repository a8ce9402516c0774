-- depends: functions/market/believed_session
create or replace function feature.pit_sessions(
    p_from timestamptz[], p_to timestamptz[], p_before interval, p_known_from timestamptz,
    p_known_to timestamptz
) returns table (
    calendar_id text, known_at timestamptz, known_to timestamptz, opens timestamptz[],
    closes timestamptz[], ends timestamptz[], horizon timestamptz
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    with asked as (
        select
            r.starts - p_before as starts,
            r.ends
        from unnest(p_from, p_to) as r (starts, ends)
    ),

    -- the moments at which what was known of a calendar changed
    epoch as (
        select
            c.calendar_id,
            c.known_at,
            lead(c.known_at, 1, 'infinity') over (
                partition by c.calendar_id order by c.known_at
            ) as known_to
        from (
            select distinct
                m.calendar_id,
                greatest(m.known_at, p_known_from) as known_at
            from market.session_month as m
            where
                m.known_at <= p_known_to
                and m.starts_on >= (select min(a.starts) - interval '2 months' from asked as a)
                and m.starts_on <= (select max(a.ends) + interval '1 day' from asked as a)
            union
            select
                v.calendar_id,
                greatest(v.known_at, p_known_from)
            from market.calendar_version as v
            where
                v.known_at <= p_known_to
                -- by one that has no sessions a bar would never age
                and exists (
                    select from market.session_month as m where m.calendar_id = v.calendar_id
                )
        ) as c
    ),

    believed as materialized (
        select distinct
            c.calendar_id,
            b.opens_at,
            b.closes_at,
            b.known_at,
            b.known_to
        from (select distinct e.calendar_id from epoch as e) as c
        cross join asked as a
        cross join lateral market.believed_session(c.calendar_id, a.starts, a.ends) as b
        where b.known_at <= p_known_to and b.known_to > p_known_from
    ),

    session as (
        select
            e.calendar_id,
            e.known_at,
            b.opens_at,
            b.closes_at,
            max(b.closes_at) over (
                partition by e.calendar_id, e.known_at
                order by b.opens_at, b.closes_at rows unbounded preceding
            ) as ends_at
        from epoch as e
        inner join believed as b
            on
                e.calendar_id = b.calendar_id
                and e.known_at >= b.known_at
                and e.known_at < b.known_to
    )

    select
        e.calendar_id,
        e.known_at,
        e.known_to,
        coalesce(s.opens, '{}'),
        coalesce(s.closes, '{}'),
        coalesce(s.ends, '{}'),
        h.horizon
    from epoch as e
    left join (
        select
            o.calendar_id,
            o.known_at,
            array_agg(o.opens_at order by o.opens_at, o.closes_at) as opens,
            array_agg(o.closes_at order by o.opens_at, o.closes_at) as closes,
            array_agg(o.ends_at order by o.opens_at, o.closes_at) as ends
        from session as o
        group by o.calendar_id, o.known_at
    ) as s on e.calendar_id = s.calendar_id and e.known_at = s.known_at
    cross join lateral (
        select
            -- all sessions of its last local day have closed by then; of an older release's
            -- calendar no end was known
            (coalesce(v.ends_on, '9999-12-30') + 2)::timestamp at time zone 'UTC' as horizon
        from market.calendar_version as v
        where v.calendar_id = e.calendar_id and v.known_at <= e.known_at
        order by v.known_at desc
        limit 1
    ) as h
$$;
revoke all on function feature.pit_sessions(
    timestamptz[], timestamptz[], interval, timestamptz, timestamptz
) from public;
comment on function feature.pit_sessions(
    timestamptz[], timestamptz[], interval, timestamptz, timestamptz
) is
'The sessions of every calendar, as they were known from p_known_from to p_known_to, in arrays by '
'which one finds those between two moments without a look at the rest. p_from, p_to, p_before: '
'sessions from so long before each of p_from until that of p_to. Columns: calendar_id; known_at, '
'known_to, from when, inclusive, until when, exclusive, they were known so, one row for each such '
'time; opens, closes, in the order of opens; ends, the latest of closes so far: all before the '
'first that is later than a moment have closed by it; horizon, from when on the calendar says '
'nothing.';
