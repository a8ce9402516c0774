-- depends: functions/market/believed_session functions/market/trading_session
create or replace function model.session_days(p_from timestamptz, p_to timestamptz)
returns table (symbol text, opens timestamptz[], days date[])
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with session as (
        select
            c.calendar_id,
            array_agg(s.opens_at order by s.opens_at) as opens,
            array_agg((s.opens_at at time zone c.time_zone)::date order by s.opens_at) as days
        from market.calendar as c
        -- no market closes for longer
        cross join lateral market.trading_session(
            c.calendar_id, p_from - interval '31 days', p_to
        ) as s
        group by c.calendar_id
    )

    select
        i.symbol,
        s.opens,
        s.days
    from market.instrument as i
    inner join session as s on i.calendar_id = s.calendar_id
$$;
revoke all on function model.session_days(timestamptz, timestamptz) from public;
comment on function model.session_days(timestamptz, timestamptz) is
'The openings of each instrument''s sessions from 31 days before p_from to p_to, ascending, and '
'the local days on which they open: days[width_bucket(t, opens)] is the session day of a moment t, '
'that of the last session which had opened by then.';
