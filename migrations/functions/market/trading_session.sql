-- depends: functions/market/believed_session
create or replace function market.trading_session(
    p_calendar_id text, p_from timestamptz, p_to timestamptz
) returns table (opens_at timestamptz, closes_at timestamptz)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select
        s.opens_at,
        s.closes_at
    from market.believed_session(p_calendar_id, p_from, p_to) as s
    where s.known_to = 'infinity'
    order by s.opens_at
$$;
revoke all on function market.trading_session(text, timestamptz, timestamptz) from public;
grant execute on function market.trading_session(text, timestamptz, timestamptz) to market_reader;
comment on function market.trading_session(text, timestamptz, timestamptz) is
'Sessions of a calendar that overlap [p_from, p_to), oldest first, not cut to that range, as they '
'are known now; market.believed_session() has what was known before. p_calendar_id: '
'market.calendar. Columns: opens_at (inclusive), closes_at (exclusive). An unknown calendar has no '
'sessions. Daylight saving follows the calendar''s time zone.';
