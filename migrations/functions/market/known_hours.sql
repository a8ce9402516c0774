create or replace function market.known_hours(
    p_calendar_id text, p_known_at timestamptz
) returns table (
    valid_from date, valid_to date, iso_weekday smallint, day date, opens time, closes time
)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with regular as (
        select
            coalesce(v.valid_from, '-infinity') as valid_from,
            v.iso_weekday,
            v.opens,
            v.closes
        from (
            select distinct on (s.valid_from, s.iso_weekday, s.opens) s.*
            from market.calendar_session_version as s
            where s.calendar_id = p_calendar_id and s.known_at <= p_known_at
            order by s.valid_from, s.iso_weekday, s.opens, s.known_at desc
        ) as v
        where not v.is_gone
    ),

    -- a week holds until the next one begins
    week as (
        select
            w.valid_from,
            lead(w.valid_from, 1, 'infinity') over (order by w.valid_from) as valid_to
        from (select distinct r.valid_from from regular as r) as w
    )

    select w.valid_from, w.valid_to, r.iso_weekday, null::date, r.opens, r.closes
    from regular as r
    inner join week as w on r.valid_from = w.valid_from
    union all
    select v.day, v.day + 1, null, v.day, v.opens, v.closes
    from (
        select distinct on (h.day, h.opens) h.*
        from market.calendar_holiday_version as h
        where h.calendar_id = p_calendar_id and h.known_at <= p_known_at
        order by h.day, h.opens, h.known_at desc
    ) as v
    where not v.is_gone
$$;
revoke all on function market.known_hours(text, timestamptz) from public;
comment on function market.known_hours(text, timestamptz) is
'The local hours of a calendar as they were known at p_known_at: of a weekday (iso_weekday) from '
'valid_from, inclusive, to valid_to, exclusive; or of a day that has others (day), NULL: closed. '
'Step of market.expand_sessions().';
