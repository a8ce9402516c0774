create or replace function feature.bars_of(
    p_grain text, p_symbols text[], p_minutes timestamptz[]
) returns table (
    symbol text, minute timestamptz, bucket timestamptz, closes_at timestamptz
)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with asked as (
        select distinct
            a.symbol,
            a.minute
        from unnest(p_symbols, p_minutes) as a (symbol, minute)
    ),

    session as materialized (
        select
            c.calendar_id,
            s.opens_at,
            s.closes_at
        from (
            select
                i.calendar_id,
                min(a.minute) as first,
                max(a.minute) as last
            from asked as a
            inner join market.instrument as i on a.symbol = i.symbol
            where p_grain = 'session'
            group by i.calendar_id
        ) as c
        cross join lateral market.trading_session(
            c.calendar_id, c.first, c.last + interval '1 minute'
        ) as s
    )

    select
        a.symbol,
        a.minute,
        s.opens_at,
        s.closes_at
    from asked as a
    inner join market.instrument as i on a.symbol = i.symbol
    inner join session as s
        on i.calendar_id = s.calendar_id and a.minute >= s.opens_at and a.minute < s.closes_at
    union all
    select
        a.symbol,
        a.minute,
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
revoke all on function feature.bars_of(text, text[], timestamptz[]) from public;
comment on function feature.bars_of(text, text[], timestamptz[]) is
'Which bars of p_grain (market.feature_set) the one-minute bars of p_symbols and p_minutes, '
'element by element, lie in: bucket and closes_at, once each. A minute in no session has none.';
