create or replace function feature.pit_sessions(
    p_from timestamptz[], p_to timestamptz[], p_before interval
) returns table (
    calendar_id text, opens timestamptz[], closes timestamptz[], ends timestamptz[]
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select
        c.calendar_id,
        coalesce(array_agg(s.opens_at order by s.place) filter (where s.place > 0), '{}'),
        coalesce(array_agg(s.closes_at order by s.place) filter (where s.place > 0), '{}'),
        coalesce(array_agg(s.ends_at order by s.place) filter (where s.place > 0), '{}')
    from (select distinct d.calendar_id from market.calendar_session as d) as c
    left join lateral (
        select
            o.opens_at,
            o.closes_at,
            row_number() over in_order as place,
            max(o.closes_at) over in_order as ends_at
        from (
            select distinct
                t.opens_at,
                t.closes_at
            from unnest(p_from, p_to) as r (starts, ends)
            cross join lateral market.trading_session(
                c.calendar_id, r.starts - p_before, r.ends
            ) as t
        ) as o
        window in_order as (order by o.opens_at, o.closes_at rows unbounded preceding)
    ) as s on true
    group by c.calendar_id
$$;
revoke all on function feature.pit_sessions(timestamptz[], timestamptz[], interval) from public;
comment on function feature.pit_sessions(timestamptz[], timestamptz[], interval) is
'The sessions of every calendar that has any, in arrays by which one finds those between two '
'moments without a look at the rest. p_from, p_to, p_before: sessions from so long before '
'each of p_from until that of p_to. Columns: calendar_id; opens, closes, in the order of opens; '
'ends, the latest of closes so far: all before the first that is later than a moment have '
'closed by it.';
