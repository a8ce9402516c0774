-- depends: functions/feature/span_of functions/market/believed_session
create or replace function feature.bars_of(
    p_grain text, p_symbols text[], p_minutes timestamptz[], p_known_at timestamptz[] default null
) returns table (
    symbol text, minute timestamptz, known_at timestamptz, bucket timestamptz,
    closes_at timestamptz
)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with asked as (
        select distinct
            a.symbol,
            a.minute,
            a.known_at
        from unnest(p_symbols, p_minutes, p_known_at) as a (symbol, minute, known_at)
    ),

    of_calendar as materialized (
        select
            a.*,
            i.calendar_id
        from asked as a
        cross join lateral (
            select v.calendar_id, v.is_gone
            from market.instrument_version as v
            where v.symbol = a.symbol and v.known_at <= coalesce(a.known_at, 'infinity')
            order by v.known_at desc
            limit 1
        ) as i
        where p_grain = 'session' and not i.is_gone
    ),

    session as materialized (
        select
            c.calendar_id,
            s.opens_at,
            s.closes_at,
            s.known_at,
            s.known_to
        from (
            select
                o.calendar_id,
                min(o.minute) as first,
                max(o.minute) as last
            from of_calendar as o
            group by o.calendar_id
        ) as c
        cross join lateral market.believed_session(
            c.calendar_id, c.first, c.last + interval '1 minute'
        ) as s
    )

    select
        a.symbol,
        a.minute,
        a.known_at,
        s.opens_at,
        s.closes_at
    from of_calendar as a
    inner join session as s
        on
            a.calendar_id = s.calendar_id
            and a.minute >= s.opens_at
            and a.minute < s.closes_at
            and coalesce(a.known_at >= s.known_at and a.known_at < s.known_to, s.known_to = 'infinity')
    union all
    select
        a.symbol,
        a.minute,
        a.known_at,
        b.bucket,
        b.bucket + feature.span_of(p_grain)
    from asked as a
    cross join lateral (
        select date_bin(
            feature.span_of(p_grain), a.minute, timestamptz '2000-01-01 00:00:00+00'
        ) as bucket
    ) as b
    where p_grain <> 'session'
$$;
revoke all on function feature.bars_of(text, text[], timestamptz[], timestamptz[]) from public;
comment on function feature.bars_of(text, text[], timestamptz[], timestamptz[]) is
'Which bars of p_grain (market.feature_set) the one-minute bars of p_symbols and p_minutes, '
'element by element, lie in, by the calendars as they were known at p_known_at, default now: '
'bucket and closes_at, once for each known_at. A minute in no session has none.';
