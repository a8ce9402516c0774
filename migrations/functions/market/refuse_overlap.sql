create or replace function market.refuse_overlap(
    p_calendar_id text, p_known_at timestamptz
) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_session record;
begin
    select
        o.*
    into v_session
    from (
        select
            s.opens_at,
            s.closes_at,
            lag(s.opens_at) over in_order as before_opens_at,
            max(s.closes_at) over (
                in_order rows between unbounded preceding and 1 preceding
            ) as before_closes_at
        from (
            select distinct on (m.starts_on) m.*
            from market.session_month as m
            where m.calendar_id = p_calendar_id and m.known_at <= p_known_at
            order by m.starts_on, m.known_at desc
        ) as k
        cross join lateral unnest(k.opens, k.closes) as s (opens_at, closes_at)
        window in_order as (order by s.opens_at, s.closes_at)
    ) as o
    where o.opens_at < o.before_closes_at
    order by o.opens_at
    limit 1;
    if found then
        raise exception 'calendar %: a session opens at %, before the one of % has closed',
            p_calendar_id, v_session.opens_at, v_session.before_opens_at
            using errcode = 'invalid_parameter_value',
            hint = 'Sessions of a calendar follow one another: change calendar_session or '
                'calendar_holiday.';
    end if;
end
$$;
revoke all on function market.refuse_overlap(text, timestamptz) from public;
comment on function market.refuse_overlap(text, timestamptz) is
'Refuses a calendar of which two sessions, as known at p_known_at, overlap: hours would count '
'twice, and a minute would lie in two bars. Step of market.keep_versions(). Errors: 22023, naming '
'the first of them.';
